"""The central difference: a derivative from two values of the loss, with the best step and its own error estimate.

    D(h) = (L(w + h) - L(w - h)) / 2h = dL/dw + T(h),    T(h) = h^2/6 L''' + ...

    error(h) ~ max(|D(4h) - D(h)| / 15, |D(16h) - D(4h)| / 240)  +  sqrt 2 sigma / h

The first term estimates the truncation T(h), twice, since a kink near by can make either difference small by chance:
D(4h) has 16 times the truncation of D(h). The second is rounding: two standard deviations of D(h) if each loss is off
by sigma. That is measured, from fourth differences of losses close together, of which only noise is left. Steps are
tried a factor 4 apart; the one with the smallest error is taken. It is an estimate, not a bound: what lies beyond
h^2 is not in it, nor a kink closer than h.

Sources: Press et al., "Numerical Recipes" (2007), section 5.7; More and Wild, "Estimating computational noise", SIAM
J. Sci. Comput. 33 (2011), equation (2.4), for sigma.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

STEPS = range(0, -42, -2)
"""Exponents of two of the steps tried, as shares of the power of two at or above 1 and |w|."""

APART = 2.0**-20
"""Between the losses whose noise is measured, as such a share: their fourth differences are 2^-80 L''''."""


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
        sigma = noise(loss, at, scale * APART)
        for exponent in STEPS:
            step = scale * 2.0**exponent
            rounding = math.sqrt(2) * sigma / step
            if best is not None and rounding >= best.error:
                break  # it only grows from here on
            high, low = at + step, at - step
            value = (loss(high) - loss(low)) / (high - low)  # by the step that was taken, not the one that was meant
            if len(wider) > 1:
                truncation = max(abs(wider[0] - value) / 15, abs(wider[1] - wider[0]) / 240)
                error = truncation + rounding
                if np.isfinite(error) and (best is None or error < best.error):
                    best = Difference(value, step, error)
            wider.insert(0, value)
    return best


def noise(loss: Callable[[float], float], at: float, apart: float) -> float:
    """The standard deviation of the loss's rounding near a point, from nine losses at a distance from each other.

    The variance of a fourth difference is 8! / (4!)^2 = 70 times that of a loss.
    """
    losses = np.array([loss(at + place * apart) for place in range(-4, 5)])
    sigma = np.sqrt(np.mean(np.square(np.diff(losses, 4))) / 70)
    # At least that of the last rounding, which is uniform.
    return float(max(sigma, np.spacing(np.max(np.abs(losses))) / np.sqrt(12)))
