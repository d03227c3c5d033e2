"""What an operation should give at one point: its output and the gradient of each input, by the tensors' names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from harness.arithmetic import Bounded, profile_of
from harness.arithmetic.rules.sums import every_pool_on_one_thread
from harness.evaluation.references.reference import Reference
from harness.evaluation.subgradients import Sides
from harness.evaluation.zeros import Move, vanishes
from impls.contract import Array

OUTPUT = "output"


def gradient_of(name: str) -> str:
    """What the gradient of an input is called."""
    return f"d{name}"


class Expected:
    """An operation at a point, by its reference.

    Attributes:
        inputs: names, by those of their gradients.
    """

    def __init__(self, reference: Reference, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> None:
        self.reference, self.given, self.upstream, self.dtype = reference, inputs, upstream, dtype
        self.inputs = {gradient_of(name): name for name in reference.differentiable}

    def under(self, upstream: Array) -> Expected:
        """The same with another upstream gradient."""
        return Expected(self.reference, self.given, upstream, self.dtype)

    @cached_property
    def tensors(self) -> dict[str, Bounded]:
        """The output, then each gradient."""
        with every_pool_on_one_thread():
            gradients = self.reference.gradients(self.given, self.upstream, self.dtype)
            output = self.reference.output(self.given, self.dtype)
        return {OUTPUT: output, **{gradient_of(name): gradient for name, gradient in gradients.items()}}

    def convention(self, tensor: str, actual: Array) -> bool:
        """Whether a gradient that is outside its allowance takes no more than another valid subgradient."""
        sides, right = self._sides.get(tensor), self.tensors[tensor]
        return sides is not None and actual.shape == right.shape and sides.widened(right.bound).allow(actual, right)

    def vanishes(self, tensor: str) -> bool:
        """Whether a gradient is 0 but for rounding."""
        if tensor not in self.inputs:
            return False

        def at(move: Move) -> Array:
            *inputs, upstream = map(move.each(), [*self.given.values(), np.asarray(self.upstream)])
            moved = dict(zip(self.given, inputs, strict=True))
            return self.reference.values(moved, upstream)[self.inputs[tensor]]

        return vanishes(at, profile_of("float64").u)

    def right(self, tensor: str, actual: Array) -> bool:
        """Within the allowance, or a convention at a kink."""
        return self.tensors[tensor].holds(actual) or self.convention(tensor, actual)

    @cached_property
    def _sides(self) -> dict[str, Sides]:
        with every_pool_on_one_thread():
            found = self.reference.sides(self.given, self.upstream, self.dtype)
        return {gradient_of(name): sides for name, sides in found.items()}
