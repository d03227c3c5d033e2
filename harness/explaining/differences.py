"""The central difference: a derivative from two values of the loss, with the best step and its own error estimate.

    D(h) = (L(w + h) - L(w - h)) / 2h = dL/dw + h^2/6 L''' + ...

    error(h) ~ |D(4h) - D(h)| / 15  +  E / h

The first term is the truncation: D(4h) has 16 times that of D(h). The second is rounding: both losses are
within E of their true value, E being the derived bound of the loss. Steps are tried a factor 4 apart, and the one with the
smallest error is taken. It is an estimate, not a bound: the truncation has further terms.

Source: Press et al., "Numerical Recipes" (2007), section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

STEPS = range(0, -42, -2)
"""Exponents of two of the steps tried, as shares of the larger of 1 and |w|."""


class Difference(NamedTuple):
    """A central difference, its step h, and the estimate of its error."""

    value: float
    step: float
    error: float


def central_difference(loss: Callable[[float], float], at: float, rounding: float) -> Difference | None:
    """The derivative of `loss` at a point, whose losses are within `rounding` of the truth; None if none is finite."""
    best: Difference | None = None
    wider: float | None = None
    scale = float(np.exp2(np.ceil(np.log2(max(1.0, abs(at))))))
    with np.errstate(all="ignore"):
        for exponent in STEPS:
            step = scale * 2.0**exponent
            high, low = at + step, at - step
            value = (loss(high) - loss(low)) / (high - low)  # the step that was taken, not the one that was meant
            if wider is not None and np.isfinite(value) and np.isfinite(wider):
                error = abs(wider - value) / 15 + 2 * rounding / (high - low)
                if best is None or error < best.error:
                    best = Difference(value, step, error)
            wider = value
    return best
