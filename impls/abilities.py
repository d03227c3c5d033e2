"""What an implementation may offer besides gradients and updates, each a protocol of its own.

Computes          its elementary functions          harness calibrate
Accumulates       how it adds numbers up            harness doctor
Hosts             functions on its own arrays       harness check, harness.check_vjp
StandsIn          functions on NumPy's arrays       harness.check_vjp, as a reference
Chains            forward passes with names         harness.check_chain, see `impls.chains`
Reads             files that it writes itself       harness tolerance
Conventional      what it chooses at kinks          harness conventions
Compares          its comparisons of arrays         harness power
ChecksGradients   its check by differences          harness power
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from impls.contract import Array, Arrays

Measured = float | str | Sequence[float]
"""What an experiment on conventions gives: a number, the numbers of a gradient, or words."""
Function = Callable[..., Any]
"""On own arrays, see `Hosts`."""
Change = Callable[[Array], Array]
"""Of numbers that were computed, into others: each times a factor of its own, whatever it is."""
Differentiated = tuple[Array | tuple[Array, ...], list[Array | None]]
"""The output of a function, or its outputs in a tuple; and its gradient for each input, None for whole numbers."""
Upstream = Array | Sequence[Array] | None
"""Of the shape of the output; of several outputs, one for each."""


@runtime_checkable
class Computes(Protocol):
    """What an implementation has besides, if its elementary functions can be measured by themselves."""

    def elementary(self) -> Mapping[str, Callable[..., Array]]:
        """Elementary functions by their name in the constants table: ``exp``, ``tanh``, ``divide``, ...

        Each takes NumPy arrays of the implementation's dtype and returns a new one, evaluated exactly as
        the forward and backward operations evaluate it: eager or compiled, contiguous. ``divide`` takes
        two operands, the second of the same shape as the first or 0-dimensional; all others take one.
        """
        ...


@runtime_checkable
class Accumulates(Protocol):
    """What an implementation has besides, if the ways in which it adds numbers up can be measured by themselves."""

    def accumulations(self) -> Mapping[str, Callable[[Array], Array]]:
        """Sums by what they are of: ``sums``, ``products``, ``meetings`` and, where it has its own, ``gradient sums``.

        Each takes numbers (n,) of the implementation's dtype and gives their sum. Products are with 1; meetings are of
        rows of one entry of a table, going back; gradient sums are what differentiation makes of a broadcast.
        """
        ...


@runtime_checkable
class Hosts(Protocol):
    """What an implementation has besides, if functions on its own arrays can be run.

    Attributes:
        package: the top-level module that its arrays come from: ``numpy``, ``torch``, ``jax``.
        strided: whether its arrays are memory, in one layout or another, that functions can write to.

    Its own arrays are called *own* here. A function on own arrays, and what reads them, may need `running` around
    it; `give`, `take` and `vjp` see to that themselves.
    """

    package: str
    strided: bool

    def owns(self, value: Any) -> bool:
        """Whether a value is one of its own arrays."""
        ...

    def give(self, array: Array) -> Any:
        """An own array: a contiguous copy. Reals keep their dtype; whole numbers have the framework's."""
        ...

    def take(self, own: Any) -> Array:
        """A NumPy array of an own one: a copy, detached from any graph."""
        ...

    def running(self) -> AbstractContextManager[Any]:
        """While it is entered, functions of the implementation's dtype run; nothing global stays changed."""
        ...

    def at_once(self, function: Function) -> Function:
        """The same function, compiled as a whole where that makes the first call of a size cheaper, and is possible."""
        ...

    def constant(self, own: Any) -> Any:
        """The same numbers in the same memory, by which nothing is differentiated."""
        ...

    def vjp(
        self, function: Function, inputs: Sequence[Array], upstream: Upstream, *, at_once: bool = False
    ) -> Differentiated:
        """The output of a differentiable function, and its gradient for each input, by autograd.

        Several outputs are a tuple, and so are their upstreams. None stands for 1, where the output is one number.
        Where a function is differentiated many times, it may be compiled as a whole first: `at_once`.

        Raises:
            CannotCompareError: the framework has no autograd.
            Exception: whatever the function raises.
        """
        ...

    def vjp_of_each(
        self, functions: Sequence[Function], inputs: Sequence[Array], upstream: Upstream
    ) -> list[list[Array | None] | None]:
        """The gradients of many functions at one point, see `vjp`; None of one that raises."""
        ...

    def perturbed(
        self, function: Function, inputs: Sequence[Array], upstream: Upstream, change: Change
    ) -> Differentiated:
        """As `vjp`, but every number that an operation computes on the way, forward and backward, is changed first.

        Numbers that are only moved or chosen, up to their sign, are none that were computed: rounding leaves them.
        What the operations of one framework are is its own affair; one of them may be a whole softmax.

        Raises:
            CannotCompareError: the framework has no autograd.
            Exception: whatever the function raises.
        """
        ...

    def brings_backward(self, function: Any) -> bool:
        """Whether an object is this framework's, and has a backward pass of its own: ``torch.autograd.Function``."""
        ...

    def pair(self, function: Any) -> tuple[Function, Function]:
        """Forward and backward, on own arrays, of what the framework can differentiate.

        ``backward(upstream, *inputs)`` gives one gradient per input, None for whole numbers; of several outputs, which
        are a tuple, `upstream` is one too.

        Raises:
            CannotCompareError: the framework has no autograd.
        """
        ...

    def forget(self) -> None:
        """Let go of what is only kept to run the same again faster, where it has become much."""
        ...


@runtime_checkable
class StandsIn(Protocol):
    """What a host has besides, if its arrays can stand in for NumPy's in functions of NumPy's."""

    def in_place_of_numpy(self, function: Function) -> Function:
        """The same function on own arrays, each function of NumPy's replaced by the framework's."""
        ...


@runtime_checkable
class Reads(Protocol):
    """What an implementation has besides, if its framework has a kind of file for arrays of its own.

    Attributes:
        endings: of their names: ``.pt``.
    """

    endings: tuple[str, ...]

    def arrays_in(self, path: str) -> Any:
        """What a file holds, with NumPy arrays for its own; nothing in it is run.

        Raises:
            Exception: whatever the framework raises, where the file holds more than arrays and numbers.
        """
        ...


@dataclass(frozen=True)
class Comparer:
    """A comparison of arrays that people use, at its defaults.

    Attributes:
        call: how it is called, for people: ``torch.testing.assert_close(actual, expected)``.
        accepts: whether it takes two sets of arrays, of the same names and dtype, for the same.
        quick: the same answer by the same criterion, where the call itself first loads much else; None where it does
            not.
    """

    call: str
    accepts: Callable[[Arrays, Arrays], bool]
    quick: Callable[[Arrays, Arrays], bool] | None = None


@dataclass(frozen=True)
class GradientChecker:
    """A check of gradients against differences of the function that people use, at its defaults.

    Attributes:
        call: how it is called, for people.
        dtypes: in which it is meant to be used, the usual one in front.
        passes: from the number of weights, how many forward passes one check takes.
        accepts: whether it takes ``gradient``, from weights to gradients by the names of the weights, for the gradient
            of ``loss``, from weights to a number, at these weights. All are of one of these dtypes.
    """

    call: str
    dtypes: tuple[str, ...]
    passes: Callable[[int], int]
    accepts: Callable[[Callable[[Arrays], Array], Callable[[Arrays], Arrays], Arrays], bool]


@runtime_checkable
class Compares(Protocol):
    """What an implementation has besides, if its framework brings comparisons that people use."""

    def comparers(self) -> Mapping[str, Comparer]:
        """By the name that people know: ``assert_close``."""
        ...


@runtime_checkable
class Conventional(Protocol):
    """What an implementation has besides, if it can tell what it chooses where mathematics leaves a choice."""

    def conventions(self) -> Mapping[str, Callable[[], Measured]]:
        """Experiments by their name in ``harness.surveys.topics``: ``relu at 0``, ``gelu``, ...

        Each runs what is installed, in the implementation's dtype, and gives the number measured, or the numbers of
        a gradient, or the name of a choice in words. A topic for which it has no function is left out.
        """
        ...


@runtime_checkable
class ChecksGradients(Protocol):
    """What an implementation has besides, if its framework brings a check of gradients by differences."""

    def gradient_checkers(self) -> Mapping[str, GradientChecker]:
        """By the name that people know: ``gradcheck``."""
        ...
