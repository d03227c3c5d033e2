"""True errors: how far a tensor is from the truth, as a share of what is allowed and in units in the last place.

    error = |value - truth|           used = error / allowed          ulp: error / ulp(truth)

An ulp is the distance between neighbouring numbers of the implementation's dtype where the truth lies: with p bits and
a smallest exponent e_min, ulp(t) = 2^(max(e, e_min) - (p - 1)) for 2^e <= |t| < 2^(e + 1). So it is never 0: below the
normal numbers it is the distance of subnormal ones. t is the float64 nearest to the truth. Entries whose truth is 0, or
cannot be told from it, have no error in ulp: they are counted apart.

Source: Muller et al., "Handbook of Floating-Point Arithmetic" (2018), definition 2.6 (Goldberg's ulp, on all reals).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.arithmetic import enclosure
from harness.arithmetic.bounded import Floats
from harness.arithmetic.true_tensor import TrueTensor
from harness.comparison.judge import finite, largest
from harness.formats import FORMATS


class TrueError(msgspec.Struct, frozen=True, array_like=True):
    """How far one tensor of one implementation is from the truth at one step.

    ``error``, ``allowed``, ``used`` and ``ulp`` belong to the same entry, the one with the largest share, at ``index``
    (counted from 0). A number that does not exist is None.

    Attributes:
        gradient: name of the tensor: dW1, dz1, also z1, a1 and loss.
        against: name of the implementation, or ``centre`` for the hand code's bounded float64 value.
        dtype: in which it was computed, and in which its ulp is measured.
        median_ulp, largest_ulp: over the entries whose truth is not 0.
        zeros: entries whose truth is 0.
    """

    gradient: str
    against: str
    dtype: str
    step: int
    error: float | None = None
    allowed: float | None = None
    used: float | None = None
    ulp: float | None = None
    index: tuple[int, ...] | None = None
    median_ulp: float | None = None
    largest_ulp: float | None = None
    entries: int = 0
    zeros: int = 0


def ulp(truth: Floats, dtype: str) -> Floats:
    """The distance between neighbouring numbers of a dtype where each true value lies.

    >>> float(ulp(np.array(1.5), "float32")) == 2.0**-23, float(ulp(np.array(0.0), "float64"))
    (True, 5e-324)
    """
    of = FORMATS[dtype]
    _, exponent = np.frexp(truth)  # |truth| = m 2^exponent with 1/2 <= m < 1
    exponent = np.where(truth == 0, of.least, np.clip(exponent - 1, of.least, of.most))
    return np.ldexp(1.0, np.where(np.isfinite(truth), exponent, of.most) - (of.digits - 1))


def true_error(
    gradient: str, against: str, step: int, actual: NDArray[Any], truth: TrueTensor, allowed: Floats
) -> TrueError:
    """Measure one tensor, of the truth's shape, in its own dtype."""
    dtype = str(actual.dtype)
    with np.errstate(all="ignore"):
        error = truth.distance(actual)
        bounded = enclosure.bounded(truth.value, allowed)
        used = np.where((error == 0) | ~bounded, 0.0, error / allowed)
        flat = int(used.argmax())  # the first NaN, if there is one
        ulps = error / ulp(truth.value, dtype)
        told = np.abs(truth.value) > truth.radius
    index = tuple(int(i) for i in np.unravel_index(flat, used.shape))
    sized = np.sort(ulps[told])
    return TrueError(
        gradient,
        against,
        dtype,
        step,
        finite(error[index]),
        finite(allowed[index]),
        finite(used[index]),
        finite(ulps[index]) if told[index] else None,
        index,
        finite(sized[len(sized) // 2]) if len(sized) else None,
        finite(sized[-1]) if len(sized) else None,
        actual.size,
        actual.size - len(sized),
    )


def worst_error(errors: Iterable[TrueError]) -> TrueError:
    """One for many steps: the largest share, and of the medians and largest in ulp the largest."""
    errors = list(errors)
    gravest = max(errors, key=lambda e: math.inf if e.used is None else e.used)
    return replace(
        gravest,
        median_ulp=largest([e.median_ulp for e in errors]),
        largest_ulp=largest([e.largest_ulp for e in errors]),
        entries=sum(e.entries for e in errors),
        zeros=sum(e.zeros for e in errors),
    )
