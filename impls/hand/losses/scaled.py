"""Losses made of another: times a constant, which scales every gradient alike.

    L = by L_inner             da = by da_inner

The constant is a number, or text with N, the number of rows: "N" makes a sum of a mean over the rows, "N/2" half of it.

Used with a power of two it changes no rounding, short of underflow and overflow, and moves gradients of a
narrow dtype away from underflow.

Source: Micikevicius et al., "Mixed precision training" (2018), section 3.2.
"""

from __future__ import annotations

import ast
from copy import copy
from fractions import Fraction
from typing import Any

from impls.graph.primitive import Array, primitive
from impls.hand.parts import Loss, positive

SCALES = "it scales the loss"
WRITTEN = "give a number above 0, or a product or quotient of numbers and N, the number of rows: N, 1/N, N/2"


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

    def times(self, inner: Array, a: Array) -> Array:
        scaled: Array = self.loss.times(inner, a)
        return scaled


class Scaled(OfAnother):
    def __init__(self, loss: Any, by: float | str) -> None:
        if isinstance(loss, OfAnother):
            raise ValueError(
                f"Cannot scale {loss!r} again, because one factor says it all; scale {loss.loss!r} by the product."
                if isinstance(loss, Scaled) else
                f"Cannot scale {loss!r}, because a penalty is added to the scaled loss; scale {loss.loss!r}."
            )  # fmt: skip
        super().__init__(loss)
        self.power = power_in(by)
        number = samples_in(by)[0] if isinstance(by, str) else positive("by", by, SCALES)
        self.by: Any = by if self.power else number
        self.derivative = loss.derivative and f"{factor_text(self.by)}·{loss.derivative}"

    def at(self, rows: int) -> Fraction:
        """The constant for so many rows."""
        return constant_at(self.by, rows)

    def times(self, inner: Array, a: Array) -> Array:
        """Multiplied and divided one after the other, so that the bound covers a product with the quotient as well."""
        if not self.power:
            return self.by * inner
        exact = self.at(len(a))
        product = inner if exact.numerator == 1 else float(exact.numerator) * inner
        return product if exact.denominator == 1 else product / float(exact.denominator)

    def forward(self, a: Array, y: Array) -> Array:
        return self.times(self.loss.forward(a, y), a)

    @primitive
    def da(self, a: Array, y: Array) -> Array:
        return self.times(self.loss.da(a, y), a)

    def one_sided(self, a: Array, y: Array) -> tuple[Array, Array, Array] | None:
        sides = self.loss.one_sided(a, y)
        return sides and (sides[0], self.times(sides[1], a), self.times(sides[2], a))

    def formula(self, output: str, outputs: int) -> str:
        return f"{self.loss.formula(output, outputs)}, times {factor_text(self.by)}"


def samples_in(by: str) -> tuple[float, int]:
    """A constant written with N: its number, and the power of N.

    >>> samples_in("N/2"), samples_in("1/N"), samples_in("0.1*N")
    ((0.5, 1), (1.0, -1), (0.1, 1))

    Raises:
        ValueError: it is no product or quotient of numbers and N.
    """
    try:
        number, power = _samples(ast.parse(by.replace("·", "*"), mode="eval").body)
        return positive("by", float(number), SCALES), power
    except (SyntaxError, ZeroDivisionError, OverflowError, RecursionError):
        raise ValueError(f"Cannot use by={by[:80]!r}, because {SCALES}; {WRITTEN}.") from None


def _samples(node: ast.expr) -> tuple[Fraction, int]:
    match node:
        case ast.Name(id="N"):
            return Fraction(1), 1
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return Fraction(value), 0
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
            (one, power), (other, more) = _samples(left), _samples(right)
            return (one * other, power + more) if isinstance(op, ast.Mult) else (one / other, power - more)
        case _:
            raise SyntaxError


def constant_at(by: float | str, rows: int) -> Fraction:
    """What a loss is multiplied by where there are so many rows."""
    number, power = samples_in(by) if isinstance(by, str) else (by, 0)
    return Fraction(number) * Fraction(rows) ** power


def power_in(by: float | str) -> int:
    """The power of N in it."""
    return samples_in(by)[1] if isinstance(by, str) else 0


def factor_text(by: float | str) -> str:
    """What a loss is multiplied by, as people write it."""
    return by if isinstance(by, str) else f"{by:g}"


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


def around(loss: Any, inner: Any) -> Any:
    """A loss with another one in its innermost place.

    >>> from impls.hand import Huber, SumSquaredError
    >>> around(Scaled(Huber(), 0.5), SumSquaredError())
    Scaled(loss=SumSquaredError(), by=0.5)
    """
    if not isinstance(loss, OfAnother):
        return inner
    outer = copy(loss)
    outer.loss = around(loss.loss, inner)
    return outer
