"""The reference of an operation: what its output and gradients should be, and how far a right program may be off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.arithmetic import Bounded
from harness.inputs.outputs import Parts
from impls.contract import Array


class Reference(Protocol):
    """A hand layer, a differentiable function, or several forms that vote.

    Attributes:
        name: for people.
        measured: whether allowances are measured, not derived.
        inputs: names, in the order of forward's parameters.
        differentiable: those that have a gradient.
    """

    name: str
    measured: bool
    inputs: tuple[str, ...]
    differentiable: tuple[str, ...]

    def parts(self, inputs: Mapping[str, Array]) -> Parts:
        """The shape of each output, in order."""
        ...

    def output(self, inputs: Mapping[str, Array], dtype: str) -> Bounded:
        """The output, several one after the other, as programs of the dtype may give it."""
        ...

    def gradients(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Bounded]:
        """The gradient of each input that has one, as programs of the dtype may give it."""
        ...

    def values(self, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
        """The gradients in float64, without what is allowed."""
        ...


@dataclass(frozen=True, eq=False)
class OperationPoint:
    """Where a reference is asked.

    Attributes:
        given: its inputs by name.
        upstream: of the output; of several, one after the other.
        dtype: of the programs that are compared with it.
    """

    reference: Reference
    given: Mapping[str, Array]
    upstream: Array
    dtype: str
