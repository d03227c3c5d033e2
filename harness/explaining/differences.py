"""The central difference: a derivative from two values of the loss, with the best step and its own error estimate.

    D(h) = (L(w + h) - L(w - h)) / 2h = dL/dw + T(h),    T(h) = h^2/6 L''' + ...

    error(h) ~ max(|D(4h) - D(h)| / 15, |D(16h) - D(4h)| / 240)  +  noise / h

The first term estimates the truncation T(h), twice, since a kink near by can make either difference small by chance:
D(4h) has 16 times the truncation of D(h). The second is rounding: noise is how far apart losses are at points a few
roundings from w, where the true loss is the same. Steps are tried a factor 4 apart; the one with the smallest error
is taken. It is an estimate, not a bound: what lies beyond h^2 is not in it, nor a kink closer than h.

Sources: Press et al., "Numerical Recipes" (2007), section 5.7; More and Wild, "Estimating derivatives of noisy
simulations" (2012), for measuring the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

STEPS = range(0, -42, -2)
"""Exponents of two of the steps tried, as shares of the power of two at or above 1 and |w|."""


class Difference(NamedTuple):
    """A central difference, its step h, and the estimate of its error."""

    value: float
    step: float
    error: float


def central_difference(loss: Callable[[float], float], at: float) -> Difference | None:
    """The derivative of `loss` at a point; None where no loss near by is finite."""
    scale = float(np.exp2(np.ceil(np.log2(max(1.0, abs(at))))))
    best: Difference | None = None
    wider: list[float] = []  # D(4h), D(16h), ...
    with np.errstate(all="ignore"):
        rounding = noise(loss, at)
        for exponent in STEPS:
            step = scale * 2.0**exponent
            high, low = at + step, at - step
            value = (loss(high) - loss(low)) / (high - low)  # by the step that was taken, not the one that was meant
            if len(wider) > 1:
                truncation = max(abs(wider[0] - value) / 15, abs(wider[1] - wider[0]) / 240)
                error = truncation + rounding / step
                if np.isfinite(error) and (best is None or error < best.error):
                    best = Difference(value, step, error)
            wider.insert(0, value)
    return best


def noise(loss: Callable[[float], float], at: float) -> float:
    """How far apart losses are within four roundings of a point, and at least half a unit in their last place."""
    apart = np.spacing(abs(at)) if abs(at) > 1 else np.spacing(1.0)
    losses = [loss(at + step * apart) for step in range(-4, 5)]
    return float(max(losses) - min(losses) + np.spacing(max(map(abs, losses))) / 2)
