"""Losses made of another: times a constant, which scales every gradient alike.

    L = by L_inner             da = by da_inner

Used with a power of two it changes no rounding, short of underflow and overflow, and moves gradients of a
narrow dtype away from underflow.

Source: Micikevicius et al., "Mixed precision training" (2018), section 3.2.
"""

from __future__ import annotations

from typing import Any

from impls.graph.primitive import Array
from impls.hand.parts import Loss, positive


class OfAnother(Loss):
    """A loss made of another, which reads what that one reads."""

    def __init__(self, loss: Any) -> None:
        if isinstance(loss, type) or not hasattr(loss, "check_targets"):
            raise ValueError(f"Cannot use {loss!r} in a loss, because it is none; give one, such as SumSquaredError().")
        self.loss: Any = loss
        self.labels, self.unit_targets, self.output_activation = loss.labels, loss.unit_targets, loss.output_activation
        self.derivative, self.by = loss.derivative, loss.by

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        self.loss.check_targets(shape, y)


class Scaled(OfAnother):
    def __init__(self, loss: Any, by: float) -> None:
        if isinstance(loss, OfAnother):
            raise ValueError(
                f"Cannot scale {loss!r} again, because one factor says it all; scale {loss.loss!r} by the product."
                if isinstance(loss, Scaled) else
                f"Cannot scale {loss!r}, because a penalty is added to the scaled loss; scale {loss.loss!r}."
            )  # fmt: skip
        super().__init__(loss)
        self.by = positive("by", by, "it scales the loss")
        self.derivative = loss.derivative and f"{self.by:g}·{loss.derivative}"

    def times(self, inner: Array, a: Array) -> Array:  # noqa: ARG002  (a factor may depend on the batch)
        return self.by * inner

    def forward(self, a: Array, y: Array) -> Array:
        return self.times(self.loss.forward(a, y), a)

    def da(self, a: Array, y: Array) -> Array:
        return self.times(self.loss.da(a, y), a)

    def one_sided(self, a: Array, y: Array) -> tuple[Array, Array, Array] | None:
        sides = self.loss.one_sided(a, y)
        return sides and (sides[0], self.times(sides[1], a), self.times(sides[2], a))

    def formula(self, output: str, outputs: int) -> str:
        return f"{self.loss.formula(output, outputs)}, times {self.by:g}"


def taken_apart(part: Any) -> tuple[Any, dict[str, Any]]:
    """A loss without what scales it and is added to it, and the parameters that say these; any other part as it is.

    >>> from impls.hand import Huber
    >>> taken_apart(Scaled(Huber(), 0.5))
    (Huber(delta=1.0), {'by': 0.5})
    """
    outer: dict[str, Any] = {}
    while isinstance(part, OfAnother):
        outer = {name: value for name, value in part.parameters().items() if name != "loss"} | outer
        part = part.loss
    return part, outer


def bare(loss: Any) -> Any:
    """A loss without what scales it, and without what is added to it."""
    return taken_apart(loss)[0]
