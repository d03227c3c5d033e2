"""Loss scaling: another loss times a constant, which scales every gradient alike.

    L = by L_inner             da = by da_inner

Used with a power of two it changes no rounding, short of underflow and overflow, and moves gradients of a
narrow dtype away from underflow.

Source: Micikevicius et al., "Mixed precision training" (2018), section 3.2.
"""

from __future__ import annotations

from typing import Any

from impls.graph.primitive import Array
from impls.hand.parts import Loss, positive


class Scaled(Loss):
    def __init__(self, loss: Any, by: float) -> None:
        if isinstance(loss, Scaled):
            raise ValueError(
                f"Cannot scale {loss!r} again, because one factor says it all; scale {loss.loss!r} by the product."
            )
        self.loss: Any = loss
        self.by = positive("by", by, "it scales the loss")
        self.labels, self.unit_targets = loss.labels, loss.unit_targets
        self.output_activation = loss.output_activation
        self.derivative = loss.derivative and f"{self.by:g}·{loss.derivative}"

    def forward(self, a: Array, y: Array) -> Array:
        return self.by * self.loss.forward(a, y)

    def da(self, a: Array, y: Array) -> Array:
        return self.by * self.loss.da(a, y)

    def one_sided(self, a: Array, y: Array) -> tuple[Array, Array, Array] | None:
        sides = self.loss.one_sided(a, y)
        return sides and (sides[0], self.by * sides[1], self.by * sides[2])

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        self.loss.check_targets(shape, y)

    def formula(self, output: str, outputs: int) -> str:
        return f"{self.loss.formula(output, outputs)}, times {self.by:g}"
