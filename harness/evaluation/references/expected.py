"""What an operation should give at one point: its output and the gradient of each input, by the tensors' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, profile_of
from harness.arithmetic.threads import every_pool_on_one_thread
from harness.evaluation.references.jumps import Jumps
from harness.evaluation.references.reference import OperationPoint, Reference
from harness.evaluation.zeros import Move, vanishes
from harness.inputs.calls import Settings
from harness.inputs.outputs import OUTPUT, Parts, parted
from impls.contract import Array
from impls.graph import prefixed


def is_output(tensor: str) -> bool:
    """Whether a tensor is what forward gives: the only output, or one of several."""
    return tensor == OUTPUT or tensor.startswith((f"{OUTPUT}.", f"{OUTPUT}["))


def gradient_of(name: str) -> str:
    """What the gradient of an input is called.

    >>> gradient_of("x"), gradient_of("params.W")
    ('dx', 'params.dW')
    """
    return prefixed("d", name)


@dataclass(frozen=True, eq=False)
class Expected(OperationPoint):
    """An operation at a point, by its reference.

    Attributes:
        settings: of arguments that are no tensors.
        options: every value of these, by name.
        reference_with: the reference for other settings.
        step: its number, where several points are asked.
    """

    settings: Settings = field(default_factory=dict)
    options: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    reference_with: Callable[[Settings], Reference] | None = None
    step: int = 1

    def under(self, upstream: Array) -> Expected:
        """The same with another upstream gradient."""
        return replace(self, upstream=upstream)

    def where(self, inputs: Mapping[str, Array], upstream: Array | None = None) -> Expected:
        """The same with other inputs, of the same shapes."""
        return replace(self, given=inputs, upstream=self.upstream if upstream is None else upstream)

    def with_option(self, name: str, value: Any) -> Expected:
        """The same with another value of an argument that is no tensor."""
        settings = {**self.settings, name: value}
        assert self.reference_with is not None
        return replace(self, reference=self.reference_with(settings), settings=settings)

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Names of what is differentiated by, by those of their gradients."""
        return {gradient_of(name): name for name in self.reference.differentiable}

    @cached_property
    def parts(self) -> Parts:
        """The shape of each output."""
        return self.reference.parts(self.given)

    @cached_property
    def output(self) -> Bounded:
        """The output; several, one after the other."""
        return self.reference.output(self.given, self.dtype)

    @cached_property
    def tensors(self) -> dict[str, Bounded]:
        """Each output, then each gradient."""
        with every_pool_on_one_thread():
            gradients = self.reference.gradients(self.given, self.upstream, self.dtype)
            outputs = {name: self.output.moved(partial(_part, name=name, parts=self.parts)) for name in self.parts}
        return {**outputs, **{gradient_of(name): gradient for name, gradient in gradients.items()}}

    def convention(self, tensor: str, shown: Mapping[str, Array]) -> bool:
        """Whether a gradient outside its allowance takes no more than another valid subgradient, beside the others."""
        if tensor not in self.inputs:
            return False
        gradients = {name: shown[gradient] for gradient, name in self.inputs.items() if gradient in shown}
        return self._jumps.allow(self.inputs[tensor], gradients)

    def vanishes(self, tensor: str) -> bool:
        """Whether a gradient is 0 but for rounding."""
        if tensor not in self.inputs:
            return False

        def at(move: Move) -> Array:
            *inputs, upstream = map(move.each(), [*self.given.values(), np.asarray(self.upstream)])
            moved = dict(zip(self.given, inputs, strict=True))
            return self.reference.values(moved, upstream)[self.inputs[tensor]]

        return vanishes(at, profile_of("float64").u)

    def right(self, tensor: str, shown: Mapping[str, Array]) -> bool:
        """Within the allowance, or a convention at a kink."""
        return self.tensors[tensor].holds(shown[tensor]) or self.convention(tensor, shown)

    @cached_property
    def _jumps(self) -> Jumps:
        gradients = {name: self.tensors[gradient] for gradient, name in self.inputs.items()}
        return Jumps(self, gradients)


def _part(array: Array, *, name: str, parts: Parts) -> Array:
    return parted(array, parts)[name]
