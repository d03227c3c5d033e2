"""Formats: the floating-point numbers that there are, a line each.

    a number is +-m 2^(e - p + 1), with p bits of m and least <= e <= most

A format with bounds is one that programs may compute in (`DTYPES`): its elementary functions have constants in
harness/arithmetic/constants.toml. The others are known so that a program that computes in them can be told.

Sources: IEEE 754 (2019), table 3.5; bfloat16 as float32 cut to 8 bits.
"""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """One kind of floating-point number.

    Attributes:
        digits: bits of the significand, the hidden one included.
        least, most: exponents of the smallest normal and of the largest number.
        bounds: whether there are bounds for programs that compute in it.
    """

    digits: int
    least: int
    most: int
    bounds: bool = False

    @property
    def u(self) -> float:
        """Unit roundoff: half the distance from 1 to the next number."""
        return 2.0**-self.digits

    @property
    def smallest(self) -> float:
        """The smallest normal number."""
        return 2.0**self.least

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2 - 2.0 ** (1 - self.digits)) * 2.0**self.most


FORMATS = {
    "float32": Format(digits=24, least=-126, most=127, bounds=True),
    "float64": Format(digits=53, least=-1022, most=1023, bounds=True),
    "float16": Format(digits=11, least=-14, most=15),
    "bfloat16": Format(digits=8, least=-126, most=127),
}
DTYPES = tuple(name for name, format_ in FORMATS.items() if format_.bounds)
"""Dtypes that there are bounds for."""
