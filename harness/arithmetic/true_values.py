"""True values: of tensors, known exactly or within a ball, and of the elementary functions, to measure a library by.

    truth = value + tail ± radius

`value` is the float64 nearest to the midpoint, `tail` what it lacks of the midpoint (itself rounded, so that value and
tail hold some 106 bits of it), `radius` the radius of the ball about the midpoint, never rounded down. Of rationals the
radius is 0. Where a ball is unbounded nothing is known: value is NaN or infinite and radius infinite.

Elementary functions, where the radius is called doubt:

    float32    the value that NumPy (erf, erfc: SciPy) computes in float64. It is itself within the float64
               constant of the truth, which is 2^-29 times that many u of float32, and charged.
    float64    ball arithmetic (python-flint's arb) at 160 bits. A value and its tail hold 2^-105 of it.

Points at which nothing is known are NaN: outside the domain, or a ball wider than 2^-100 of its value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.bounded import TINY_64, Floats
from harness.arithmetic.entries import Entries
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from impls.hand.activations.sigmoidal import sigmoid


class TrueTensor:
    """The true value of one tensor, from an array of rationals or balls."""

    def __init__(self, exact: Entries) -> None:
        self._exact, self._numbers = exact, exact.numbers

    shape = property(lambda self: self._exact.shape)

    @cached_property
    def value(self) -> Floats:
        """The float64 nearest to each midpoint."""
        return _nearest(self._exact)

    @cached_property
    def tail(self) -> Floats:
        """Midpoint minus value, which is 0 where the value is not finite."""
        known = np.isfinite(self.value)
        return np.where(known, _nearest(self._exact - np.where(known, self.value, 0.0)), 0.0)

    @cached_property
    def radius(self) -> Floats:
        """An upper bound on how far the truth may be from the midpoint."""
        return self._numbers.radii(self._exact.entries)

    def distance(self, actual: NDArray[Any]) -> Floats:
        """|actual - truth|, at most, up to a few roundings of float64."""
        with np.errstate(all="ignore"):
            return np.abs(np.asarray(actual, np.float64) - self.value - self.tail) + self.radius

    def far_below(self, bound: Floats) -> NDArray[np.bool_]:
        """Where the radius is at most 2^-53 of a bound, or nothing is bounded.

        Then it is no larger than what comparing a difference with that bound in float64 may round away, and the ball
        is as good as its midpoint. Below 2^-1074, the least that float64 tells from 0, nothing is asked of a radius.
        """
        with np.errstate(all="ignore"):
            far = (2.0**53 * self.radius <= bound) | ((self.radius <= TINY_64) & (bound > 0))
        return far | ~np.isfinite(bound)

    def digits(self, index: Any, n: int) -> str:
        """One entry as decimal text, at most n significant digits, as Python prints a float.

        A digit of which the ball is not sure, up to one unit of it, is left out; what cannot be told from 0 is "0".

        >>> from harness.arithmetic.rationals import Rationals
        >>> TrueTensor(Rationals().exact([0.1, -2e-7])).digits(0, 22)
        '0.1000000000000000055511'
        """
        entry, radius = self._exact[index].entries.item(), float(self.radius[index])
        if math.isinf(radius):
            return "nan"
        if radius and entry.contains(0):
            return "0"
        if radius and not 0 < abs(self.value[index]) < math.inf:
            return str(entry.str(n, radius=False))  # far outside float64: a fraction might be very long
        middle = self._numbers.midpoint(entry)
        if radius:
            n = min(n, max(1, math.floor(_log10(abs(middle) / Fraction(radius)))))
        return decimal(middle, n)

    def text_radius(self, index: Any) -> str:
        """The radius of one entry as decimal text, one digit, rounded up: ``3e-31``; ``0`` where it is exact."""
        radius = float(self.radius[index])
        if radius == 0 or math.isinf(radius):
            return "inf" if radius else "0"
        exponent = math.floor(math.log10(radius))
        leading = math.ceil(Fraction(radius) / Fraction(10) ** exponent)
        return f"{leading}e{exponent:+03d}" if leading < 10 else f"1e{exponent + 1:+03d}"


def decimal(x: Fraction, n: int) -> str:
    """A fraction to n significant digits, rounded to nearest, in the form that Python's ``g`` has.

    >>> decimal(Fraction(2, 3), 5), decimal(Fraction(1, 3 * 10**9), 3), decimal(Fraction(5, 2), 8)
    ('0.66667', '3.33e-10', '2.5000000')
    """
    if x == 0:
        return "0"
    exponent = math.floor(_log10(abs(x)))  # itself rounded, so that it may be off by one
    exponent += int(abs(x) >= Fraction(10) ** (exponent + 1)) - int(abs(x) < Fraction(10) ** exponent)
    scaled = round(abs(x) * Fraction(10) ** (n - 1 - exponent))
    if scaled == 10**n:
        scaled, exponent = 10 ** (n - 1), exponent + 1
    digits, sign = str(scaled), "-" if x < 0 else ""
    if -5 < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    if 0 <= exponent < n:
        return sign + ".".join(filter(None, [digits[: exponent + 1], digits[exponent + 1 :]]))
    return f"{sign}{'.'.join(filter(None, [digits[0], digits[1:]]))}e{exponent:+03d}"


def _log10(x: Fraction) -> float:
    """Of a fraction of any size."""
    return math.log10(x.numerator) - math.log10(x.denominator)


def _nearest(exact: Entries) -> Floats:
    """The float64 nearest to each midpoint."""
    flat = exact.entries.ravel().tolist()
    try:
        values = np.fromiter(map(float, flat), float, len(flat))
    except OverflowError:  # of a rational; a ball's midpoint becomes infinite
        values = np.array([_or_infinite(entry) for entry in flat], np.float64)
    return values.reshape(exact.shape)


def _or_infinite(entry: Any) -> float:
    try:
        return float(entry)
    except OverflowError:
        return math.inf if entry > 0 else -math.inf


INSTALL = "pip install 'backprop-harness[exact]'"


class NoTruthError(Exception):
    """What computes true values is not installed; the message says what to install."""


@dataclass(frozen=True)
class TrueValues:
    """f(x) = value + tail, known up to `doubt`: relative, or absolute where the constant is."""

    value: Floats
    tail: Floats
    doubt: float


def _scipy(name: str, x: Floats) -> Floats:
    try:
        from scipy import special
    except ModuleNotFoundError:
        raise NoTruthError(f"{name} needs SciPy's float64 value; pip install scipy") from None
    return getattr(special, name)(x)


FLOAT64: dict[str, Callable[..., Floats]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": lambda x: _scipy("erf", x),
    "erfc": lambda x: _scipy("erfc", x),
    "sin": np.sin,
    "cos": np.cos,
    "divide": np.divide,
}
"""Every function that can be measured, by its name in the constants table."""

BALLS: dict[str, Callable[..., Any]] = {
    "exp": lambda x: x.exp(),
    "expm1": lambda x: x.expm1(),
    "log": lambda x: x.log(),
    "log1p": lambda x: x.log1p(),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "sqrt": lambda x: x.sqrt(),
    "rsqrt": lambda x: x.rsqrt(),
    "erf": lambda x: x.erf(),
    "erfc": lambda x: x.erfc(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "divide": lambda x, y: x / y,
}


def true_values(function: str, *x: Any) -> TrueValues:
    """f at every point of `x`, arrays of one dtype; the second operand of ``divide`` may be 0-dimensional.

    Raises:
        NoTruthError: something needed is not installed.
    """
    operands = [np.asarray(operand, np.float64) for operand in x]
    with np.errstate(all="ignore"):
        if x[0].dtype != np.float64:
            value = FLOAT64[function](*operands)
            return TrueValues(value, np.zeros_like(value), profile_of("float64").constants[function] * UNIT_ROUNDOFF_64)
        return _with_balls(function, operands)


def _with_balls(function: str, operands: list[Floats]) -> TrueValues:
    try:
        from flint import arb, ctx
    except ModuleNotFoundError:
        raise NoTruthError(f"true values in float64 need python-flint; {INSTALL}") from None
    ball, points = BALLS[function], np.broadcast_arrays(*operands)
    values, tails = [], []
    with ctx.workprec(160):
        for point in zip(*[operand.ravel().tolist() for operand in points], strict=True):
            exact = ball(*map(arb, point))
            sure = exact.rel_accuracy_bits() >= 100
            values.append(float(exact) if sure else np.nan)
            tails.append(float(exact - values[-1]) if np.isfinite(values[-1]) else 0.0)
    value, tail = np.reshape(values, points[0].shape), np.reshape(tails, points[0].shape)
    # Balls know no infinity at a pole; NumPy's limit there is exact.
    limit = FLOAT64[function](*operands)
    return TrueValues(np.where(np.isinf(limit) & np.isnan(value), limit, value), tail, 2.0**-100)
