"""Factors that people put before a loss, or leave out: 1/2, N, 1/N, the number of outputs, a constant of their own.

A factor is read off as a quotient, which is known to within rounding only. Of the numbers that it may be, those with a
name are meant first; of all others the simplest fraction. N is the number of samples of whatever batch it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from harness.arithmetic import Bounded

NAMED_POWERS = {Fraction(1, 2): -1, Fraction(2): 1, Fraction(1): 0}
"""Constants with a name, by the power of 2."""
LARGEST_DENOMINATORS = (10, 100, 1000, 10**4, 10**6, 10**9)
LARGEST_COMMON = 100
"""The largest denominator of a constant that people choose, and not one that a number of samples is."""
LARGEST_SHOWN = 1000
NEAR_ONE = 1e-3
"""Nobody multiplies a loss by what is nearer to 1: something else makes the difference."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A constant times a power of the number of samples.

    Attributes:
        constant: exact.
        samples: the power of N: 0, 1 or −1.
        text: as people write it.
    """

    constant: Fraction
    samples: int
    text: str

    def at(self, rows: int) -> float:
        """Its value for so many samples."""
        return float(self.constant * Fraction(rows) ** self.samples)

    def times(self, tensor: Any, rows: int, *, inverse: bool = False) -> Any:
        """A tensor times the factor, or divided by it, on plain and bounded arrays.

        Multiplied and divided one after the other, so that the bound covers a product with the quotient as well.
        """
        exact = self.constant * Fraction(rows) ** self.samples
        exact = 1 / exact if inverse else exact
        above, below = float(exact.numerator), float(exact.denominator)
        product = tensor if above == 1 else above * tensor
        return product if below == 1 else product / below


def factors_of(number: float, off: float, rows: int, outputs: int) -> Iterator[Factor]:
    """What a positive number may be that is known to within `off`, names first; nothing if it is nearly 1."""
    if not number > off or abs(number - 1) <= max(off, NEAR_ONE):
        return
    found = named_at(number, off, rows, outputs)
    yield from found
    if all(factor.samples for factor in found):  # a constant may be what N is here
        denominators = (most for most in LARGEST_DENOMINATORS if not found or most <= LARGEST_COMMON)
        simplest = (Fraction(number).limit_denominator(most) for most in denominators)
        fitting = next((fraction for fraction in simplest if abs(float(fraction) - number) <= off), None)
        if fitting is not None:
            yield Factor(constant=fitting, samples=0, text=fraction_text(fitting))


def named_at(number: float, off: float, rows: int, outputs: int) -> list[Factor]:
    """The factors with a name that a number may be which is known to within `off`."""
    return [factor for factor in named(outputs) if abs(factor.at(rows) - number) <= off]


def named(outputs: int) -> list[Factor]:
    """Factors that have a name, those without N first, then the shorter ones, for a network with so many outputs."""
    found: dict[tuple[Fraction, int], Factor] = {}
    powers = product((0, -1, 1), NAMED_POWERS, (0, -1, 1) if outputs > 1 else (0,))
    for samples, constant, power in sorted(powers, key=_length):
        exact = constant * Fraction(outputs) ** power
        if samples or exact != 1:
            parts = {"2": NAMED_POWERS[constant], "N": samples, "K": power}
            text = _quotient([part for part in parts if parts[part] > 0], [part for part in parts if parts[part] < 0])
            found.setdefault((exact, samples), Factor(constant=exact, samples=samples, text=text))
    return list(found.values())


def _length(powers: tuple[int, Fraction, int]) -> tuple[bool, int]:
    samples, constant, power = powers
    return samples != 0, abs(NAMED_POWERS[constant]) + abs(power)


def _quotient(above: list[str], below: list[str]) -> str:
    if not below:
        return "·".join(above)
    bottom = "·".join(below)
    return f"{'·'.join(above) or '1'}/{bottom if len(below) == 1 else f'({bottom})'}"


def fraction_text(number: Fraction) -> str:
    """A decimal where it is a short one, else a quotient; six digits of what is neither.

    >>> fraction_text(Fraction(37, 100)), fraction_text(Fraction(1, 3))
    ('0.37', '1/3')
    """
    decimal = f"{float(number):.6g}"
    short = Fraction(decimal) == number or number.denominator > LARGEST_SHOWN
    return decimal if short else f"{number.numerator}/{number.denominator}"


def either(one: Any, other: Any) -> Any:
    """What a program may give that computes one of two forms of one function; of plain arrays the first."""
    return one.widened(abs(one.value - other.value) + other.bound) if isinstance(one, Bounded) else one
