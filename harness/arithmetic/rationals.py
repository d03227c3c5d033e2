"""Exact rational numbers: python-flint's fmpq, or fractions.Fraction where flint is not installed.

Sums, products, quotients and comparisons of rationals are rational and exact, and so is the whole gradient of a network
that is made of nothing else: Dense layers, relu, leaky relu, hard sigmoid and identity, and losses that grow with the
square or the amount of the error. A function that leaves the rationals raises `IrrationalError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np

from harness.arithmetic.bounded import Floats
from harness.arithmetic.entries import OPERATORS, Numbers, Objects, as_objects


class IrrationalError(TypeError):
    """A function was evaluated whose values are not rational; `function` is its name."""

    def __init__(self, function: str) -> None:
        super().__init__(f"Cannot evaluate {function} on rationals, because its values are irrational; use balls.")
        self.function = function


def _rule(function: Any, operands: int) -> Any:
    return np.frompyfunc(function, operands, 1)


def _truth(x: Any, holds: bool) -> Any:
    """1 or 0, of the kind of x: Python's integers would not divide exactly."""
    return type(x)(int(holds))


RULES: Mapping[Any, Callable[..., Any]] = {
    **OPERATORS,
    np.power: _rule(lambda x, n: x ** int(n), 2),
    np.square: _rule(lambda x: x * x, 1),
    np.maximum: _rule(max, 2),
    np.minimum: _rule(min, 2),
    np.sign: _rule(lambda x: _truth(x, x > 0) - _truth(x, x < 0), 1),
    np.greater: _rule(lambda x, y: _truth(x, x > y), 2),
    np.greater_equal: _rule(lambda x, y: _truth(x, x >= y), 2),
    np.less: _rule(lambda x, y: _truth(x, x < y), 2),
    np.less_equal: _rule(lambda x, y: _truth(x, x <= y), 2),
    np.equal: _rule(lambda x, y: _truth(x, x == y), 2),
    np.where: _rule(lambda mask, x, y: x if mask else y, 3),
}


class Rationals(Numbers):
    """Exact rationals, which leave nothing undecided.

    Attributes:
        flint: whether entries are python-flint's; else they are Fractions.
    """

    rules = RULES

    def __init__(self, *, flint: bool | None = None) -> None:
        self.flint = find_spec("flint") is not None if flint is None else flint
        self._fraction: Any = Fraction
        if self.flint:
            from flint import fmpq, fmpq_mat

            self._fraction, self._matrix = fmpq, fmpq_mat

    def number(self, value: Any) -> Any:
        """A number as a fraction; an infinite one raises IrrationalError, and NaN ValueError."""
        try:
            return self._fraction(*value.as_integer_ratio())
        except OverflowError:
            raise IrrationalError("infinity") from None

    def product(self, x: Objects, y: Objects) -> Objects:
        """Through fmpq_mat, or sum by sum."""
        if not self.flint:
            return x @ y
        *_, inner = x.shape
        rows, columns = x.size // inner, y.shape[1]
        product = self._matrix(rows, inner, x.ravel().tolist()) * self._matrix(inner, columns, y.ravel().tolist())
        return as_objects(product.entries(), (*x.shape[:-1], columns))

    def radii(self, entries: Objects) -> Floats:
        """They are 0."""
        return np.zeros(entries.shape)

    def midpoint(self, entry: Any) -> Fraction:
        """The entry itself."""
        return Fraction(int(entry.numerator), int(entry.denominator))

    def missing(self, function: Any) -> Any:
        """Raise IrrationalError."""
        raise IrrationalError(function.__name__)


class Operations(Rationals):
    """Rationals that multiply no matrices out: which operations there are is all that is asked of them."""

    def product(self, x: Objects, y: Objects) -> Objects:
        """Ones, of the shape of the product."""
        return np.full((*x.shape[:-1], y.shape[-1]), self.number(1))
