"""Formats: the floating-point numbers that there are, a line each, and how a value is rounded to them.

    a number is +-m 2^(e - p + 1), with p bits of m and least <= e <= most; below 2^least, m is shorter (subnormals)

A format with bounds is one that programs may compute in (`DTYPES`): its elementary functions have constants in
harness/arithmetic/constants.toml. The others are what operands are read in, or stored in, and known so that a program
that computes in them can be told.

Sources: IEEE 754 (2019), table 3.5 and section 4.3; bfloat16 as float32 cut to 8 bits; TF32 as float32 with the 10
stored bits that NVIDIA's tensor cores read; Micikevicius et al., "FP8 formats for deep learning" (2022), table 1:
e4m3 there has no infinities and one NaN, and is called float8_e4m3fn (finite, with NaN) as in ml_dtypes and torch.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import ml_dtypes  # noqa: F401  (NumPy knows bfloat16 and float8 by name once it is loaded)
import numpy as np
from numpy.typing import NDArray

Mode = Literal["nearest", "truncated"]
"""To the nearest, of two that are as near to the one whose last bit is 0; or to the next one towards 0."""


class Format(NamedTuple):
    """One kind of floating-point number.

    Attributes:
        digits: bits of the significand, the hidden one included.
        least, most: exponents of the smallest normal and of the largest number.
        bounds: whether there are bounds for programs that compute in it.
        infinite: whether it has infinities; where not, the pattern that would be its largest number is NaN, and so is
            what overflows.
    """

    digits: int
    least: int
    most: int
    bounds: bool = False
    infinite: bool = True

    @property
    def u(self) -> float:
        """Unit roundoff: half the distance from 1 to the next number."""
        return 2.0**-self.digits

    @property
    def smallest_normal(self) -> float:
        """The smallest number of `digits` bits."""
        return 2.0**self.least

    @property
    def smallest_subnormal(self) -> float:
        """The smallest number above 0."""
        return 2.0 ** (self.least - self.digits + 1)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2 - 2.0 ** (1 - self.digits + (not self.infinite))) * 2.0**self.most

    @property
    def overflown(self) -> float:
        """What stands for a value beyond the largest number, with its sign."""
        return np.inf if self.infinite else np.nan


FORMATS = {
    "float32": Format(digits=24, least=-126, most=127, bounds=True),
    "float64": Format(digits=53, least=-1022, most=1023, bounds=True),
    "float16": Format(digits=11, least=-14, most=15, bounds=True),
    "bfloat16": Format(digits=8, least=-126, most=127, bounds=True),
    "tf32": Format(digits=11, least=-126, most=127),
    "float8_e4m3fn": Format(digits=4, least=-6, most=8, infinite=False),
    "float8_e5m2": Format(digits=3, least=-14, most=15),
}
DTYPES = tuple(name for name, format_ in FORMATS.items() if format_.bounds)
"""Dtypes that there are bounds for."""
WIDE = tuple(name for name in DTYPES if FORMATS[name].digits >= FORMATS["float32"].digits)
"""Those of them that programs compute in throughout; what is narrower is accumulated in something else."""


def format_of(name: Any) -> Format:
    """The format of that name.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise ValueError(
            f"Cannot use the format {name!r:.80}, because there is none of that name; choose from {', '.join(FORMATS)}."
        )
    return FORMATS[name]


def rounded_to(array: Any, format_: Format | str, mode: Mode = "nearest") -> NDArray[np.float64]:
    """Numbers rounded to a format, subnormals included, in float64, which holds every format's.

    What rounds to nearest beyond the largest number becomes an infinity, or NaN where the format has none; what is
    truncated stays at the largest. Float64 is rounded once, not by way of float32.

    >>> rounded_to([0.1, 1.00390625, 1e39], "bfloat16").tolist()
    [0.10009765625, 1.0, inf]
    >>> rounded_to([464.0, 465.0], "float8_e4m3fn").tolist()
    [448.0, nan]

    Args:
        array: any shape, of real numbers.
        format_: the format, or its name.

    Raises:
        ValueError: there is no such format, or no such mode.
    """
    of = format_of(format_) if isinstance(format_, str) else format_
    if mode not in _WHOLE:
        raise ValueError(f"Cannot round {mode!r:.80}, because there is no such mode; choose from {', '.join(_WHOLE)}.")
    value = np.asarray(array, np.float64)
    # Of a value in [2^(e-1), 2^e) the last bit is worth 2^(e-p), and never less than that of the subnormals.
    last = np.maximum(np.frexp(value)[1], of.least + 1) - of.digits
    with np.errstate(invalid="ignore", over="ignore"):
        result = np.ldexp(_WHOLE[mode](np.ldexp(value, -last)), last)
        if mode == "truncated":
            result = np.where(np.isfinite(value), np.clip(result, -of.largest, of.largest), result)
        beyond = np.abs(result) > of.largest
        return np.where(beyond, np.copysign(of.overflown, value), result) if beyond.any() else result


_WHOLE = {"nearest": np.rint, "truncated": np.trunc}
