"""The contract of an implementation: what it is given, what it returns.

Arrays cross this line as NumPy arrays of the stated dtype, weights and batches in read-only form. An
implementation is built for one network and one dtype, by a function ``build(network, dtype)`` that its
entry point in the group ``harness.implementations`` names.

Only `Implementation.differentiate` is required. One that returns no intermediates is checked end to end
only; one without `Trains.start` computes gradients but no updates. `impls.abilities` has what else one may offer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from impls.graph import Graph

Array = NDArray[Any]
Arrays = Mapping[str, Array]

CPU = "cpu"
"""The device that everything has."""


def is_real(array: Any) -> bool:
    """Whether an array holds real numbers; those of ml_dtypes are of no kind that NumPy knows."""
    return bool(array.dtype.kind == "f" or array.dtype.name in _NOT_NUMPYS)


def is_number(array: Any) -> bool:
    """Whether an array holds real or whole numbers, or truth values."""
    return array.dtype.kind in "iub" or is_real(array)


_NOT_NUMPYS = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


class Inputs(dict[str, Array]):
    """What a network with several inputs is fed, by name; of one input it is fed the array itself.

    Rows and dtype are taken of all at once, as of an array: ``x[rows]``, ``x.astype(dtype)``.
    """

    def __getitem__(self, index: Any) -> Any:
        """One input by its name, or some rows of each."""
        if isinstance(index, str):
            return super().__getitem__(index)
        return Inputs({name: array[index] for name, array in self.items()})

    def astype(self, dtype: Any) -> Inputs:
        """The same in another dtype; whole numbers stay what they are."""
        return Inputs({n: array if array.dtype.kind in "iu" else array.astype(dtype) for n, array in self.items()})


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass over one batch.

    Attributes:
        loss: the loss L, a 0-dimensional array of the working dtype.
        gradients: ``dW1``, ``db1``, ... of every weight; where tapped also ``dz1``, ``da1``, ...
        activations: where tapped, every forward tensor by name: ``z1``, ``a1``, ...
    """

    loss: Array
    gradients: Arrays
    activations: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """New weights (``W1``, ...) and new optimizer state (``mW1``, ``vW1``, ...) after one step."""

    weights: Arrays
    state: Arrays


@dataclass(frozen=True)
class Arithmetic:
    """How one gradient, or one output, of a layer is computed, where it is not operation by operation in the dtype.

    What it gives is rounded to the numbers' own format. Other formats are named; None is that format itself.

    Attributes:
        products: what a matrix product, or a convolution, accumulates in.
        sums: what a sum along axes accumulates in.
        meetings: what accumulates where parts meet: what is scattered to one entry, the gradient of what is read twice.
        within: what every step on the way is rounded to; float32 where it is one kernel that rounds once, in the end.
        rounds_statistics: whether mean and deviation are rounded to the numbers' format before a gradient reads them.
        unrounded: whether what it reads may not have been rounded yet, as by compilers with excess precision.
        device: whose elementary functions are used, "cpu" or "cuda".
        cores: compute capability of the GPU whose tensor cores make products, where it has any that do, (8, 0), and
            the format in which they read operands.
    """

    products: str | None = None
    sums: str | None = None
    meetings: str | None = None
    within: str | None = None
    rounds_statistics: bool = False
    unrounded: bool = False
    device: str = CPU
    cores: tuple[tuple[int, int], str] | None = None


@runtime_checkable
class RunsOn(Protocol):
    """What an implementation has besides, if it can compute elsewhere than on the CPU.

    Attributes:
        device: where it computes, "cpu" at first.
    """

    device: str

    def devices(self) -> Sequence[str]:
        """What is there, "cpu" included."""
        ...

    def on(self, device: str) -> Implementation:
        """The same on one of these; arrays are copied there and results back, and nothing between."""
        ...


@runtime_checkable
class StatesArithmetic(Protocol):
    """What an implementation has besides, if it can tell how it computes, below float32 or on a device."""

    def arithmetic(self, layer: Any, local: str) -> Arithmetic:
        """Of what a layer calls `local`, an output or ``d`` of what it reads; of any other if the layer is None.

        Without this everything is assumed to be rounded to the dtype, accumulators too.
        """
        ...


class CannotCompareError(Exception):
    """An implementation lacks what is asked for; its message says what, and what to do instead."""


class Updater(Protocol):
    """An optimizer of a framework, with its own state, which is never overwritten."""

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """One step from these weights with these gradients."""
        ...


@runtime_checkable
class Implementation(Protocol):
    """A network in one dtype, differentiated by one framework.

    Attributes:
        version: of the framework, for people: ``numpy 2.4.6``.

    One that runs operation by operation may say ``eager = True``: each tensor it shows is then what the next
    operation read. Without that a compiler is assumed, which may have added a product before rounding it.
    """

    version: str

    def differentiate(self, weights: Arrays, x: Array | Inputs, y: Array, *, tap: bool = True) -> Pass:
        """Loss and gradients at these weights on this batch; `x` holds several inputs by name, or is the only one.

        With `tap` the pass holds every intermediate that the implementation can show; without it, it is
        the program that a user runs, with gradients of the weights only.
        """
        ...


@runtime_checkable
class Trains(Protocol):
    """What an implementation has besides, if it can take optimizer steps."""

    def start(self, optimizer: Any, weights: Arrays) -> Updater:
        """The framework's own optimizer equal in formula to the hand-written one.

        Raises:
            CannotCompareError: the framework has none.
        """
        ...


@runtime_checkable
class Describes(Protocol):
    """What an implementation has besides, if it can tell about its settings."""

    def environment(self) -> dict[str, str]:
        """Versions and settings that may change numbers: threads, precision of matrix products."""
        ...


def tensors_of(result: Pass) -> dict[str, Array]:
    """Every tensor of a pass by name: forward tensors, the loss, gradients."""
    return {**result.activations, "loss": np.asarray(result.loss), **result.gradients}


@cache
def network_of_example() -> Graph:
    """A tiny network with each kind of weight, on which an implementation can be tried."""
    from impls.hand import from_text

    return from_text("3-2-1", activation="tanh")
