"""Rounding to fewer digits than an array has room for; the range is not narrowed."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.bounded import Bounded
from harness.formats import FORMATS


def rounded(tensor: Any, digits: int) -> Any:
    """A tensor rounded to nearest to so many bits; its range is not narrowed.

    Rounding is monotone: the ends of a bounded entry, rounded, bound what any member is rounded to. Where both are the
    same number, which is nearly everywhere, every member is rounded to that number.
    """
    if isinstance(tensor, Bounded):
        value = _to_nearest(tensor.value, digits)
        low = _to_nearest(np.nextafter(tensor.value - tensor.bound, -np.inf), digits)
        high = _to_nearest(np.nextafter(tensor.value + tensor.bound, np.inf), digits)
        exact = tensor.bound == 0
        bound = np.where(exact, 0.0, np.maximum(high - value, value - low))
        return Bounded(value, np.where(np.isnan(bound), np.inf, bound), tensor.context)
    array = np.asarray(tensor)
    return tensor if array.dtype.kind != "f" else _to_nearest(array.astype(np.float64), digits)


def holds(array: Any, dtype: str) -> bool:
    """Whether every entry is exactly a number of that dtype, but for its range."""
    entries = np.asarray(array, np.float64)
    return bool(np.all(_to_nearest(entries, FORMATS[dtype].digits) == entries))


def _to_nearest(array: Any, digits: int) -> Any:
    mantissa, exponent = np.frexp(array)
    return np.ldexp(np.rint(np.ldexp(mantissa, digits)), exponent - digits)
