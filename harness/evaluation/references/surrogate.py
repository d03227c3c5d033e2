"""A surrogate: where the gradient that is meant is no derivative of what is computed, but that of another function.

    straight-through   forward round(x), backward as of x
    gradient reversal  forward x, backward as of -x
    a spiking neuron   forward 1 where x > 0, backward as of a sigmoid

Source: Bengio, Leonard and Courville, "Estimating or propagating gradients through stochastic neurons" (2013),
section 4; Neftci, Mostafa and Zenke, "Surrogate gradient learning in spiking neural networks", IEEE Signal Process.
Mag. 36 (2019).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.arithmetic import Bounded
from harness.evaluation.references.reference import Reference
from harness.inputs.outputs import Parts
from harness.usage import UsageError
from impls.contract import Array


class SurrogateReference:
    """The output of one reference, the gradients of another."""

    def __init__(self, function: Reference, surrogate: Reference) -> None:
        self.function, self.surrogate = function, surrogate
        self.name = f"{function.name} with the derivative of {surrogate.name}"
        self.measured = surrogate.measured or function.measured
        self.inputs, self.differentiable = surrogate.inputs, surrogate.differentiable

    def parts(self, inputs: Mapping[str, Array]) -> Parts:
        """The shape of each output.

        Raises:
            UsageError: the two functions have outputs of other shapes.
        """
        parts, others = self.function.parts(inputs), self.surrogate.parts(inputs)
        if list(parts.values()) != list(others.values()):
            raise UsageError(
                f"Cannot use the derivative of {self.surrogate.name}, because its output has shape "
                f"{', '.join(map(str, others.values()))} where {self.function.name} gives "
                f"{', '.join(map(str, parts.values()))}; give a surrogate with outputs of the same shapes."
            )
        return parts

    def output(self, inputs: Mapping[str, Array], dtype: str) -> Bounded:
        """That of the function itself."""
        return self.function.output(inputs, dtype)

    def gradients(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Bounded]:
        """Those of the surrogate."""
        return self.surrogate.gradients(inputs, upstream, dtype)

    def values(self, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
        """Those of the surrogate in float64."""
        return self.surrogate.values(inputs, upstream)
