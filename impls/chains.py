"""Chains: what an implementation may offer besides, if forward passes with names can be run backward piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from impls.abilities import Change, Function
from impls.contract import Array, Arrays

Reading = Callable[[tuple[str, ...], Array], Array]
"""From the names of a tensor that a forward pass kept, none if it has none, and its numbers, to those to be read."""


def read_as_kept(names: tuple[str, ...], kept: Array) -> Array:  # noqa: ARG001
    """The numbers that the forward pass computed."""
    return kept


class Chain(Protocol):
    """A forward pass that was run, with names for some of its tensors, and its backward pass to be run anew.

    Attributes:
        inputs, returned: what forward was given and what it returned, own arrays as copies of which nothing is known:
            whatever is done to them, the forward pass stays what it was.
        tensors: every named array that has a gradient, inputs in front.
        constants: the other named arrays.
        same: the first name of each of `tensors`: two names of one array have one gradient.
        changed: names of those that the forward pass has changed in place.
    """

    inputs: Mapping[str, Any]
    returned: Mapping[str, Any]
    tensors: Mapping[str, Array]
    constants: Mapping[str, Array]
    same: Mapping[str, str]
    changed: frozenset[str]

    def running(self) -> AbstractContextManager[Any]:
        """While it is entered, functions run as the forward pass did; nothing global stays changed."""
        ...

    def again(self, inputs: Arrays) -> Chain:
        """The forward pass with some inputs others."""
        ...

    def pull(
        self, of: Sequence[str], given: Arrays, dtype: str, *,
        root: str | None = None, reading: Reading = read_as_kept, change: Change | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """What arrives at named tensors, in float64, in the order in which it does; no path, no entry.

        At a tensor in `given` this gradient is sent on in place of the one that arrives. So what arrives at a tensor is
        made of the given gradients of those right after it, whatever is right or wrong further on.

        Args:
            of: the tensors.
            given: gradients of the shapes of their tensors.
            dtype: in which the backward pass computes; what the forward pass computed stays as it was.
            root: a tensor of `given` to begin at; the loss, with gradient 1, if None.
            reading: changes what is read of the forward pass.
            change: changes what an operation computes.

        Raises:
            Exception: whatever the framework raises: where its graph was freed, say.
        """
        ...


@runtime_checkable
class Chains(Protocol):
    """What an implementation has besides, if a forward pass can be run backward piece by piece."""

    def chain(self, forward: Function, inputs: Mapping[str, Any], loss: str) -> Chain:
        """Of the own arrays in the dictionary that ``forward(inputs)`` returns; arrays of `inputs` may be any.

        Gradients are by every array of reals in `inputs`, also in dictionaries and lists inside.

        Raises:
            CannotCompareError: they cannot be run backward, and why.
            Exception: whatever forward raises.
        """
        ...
