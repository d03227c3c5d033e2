"""Rules of BatchNorm: those of a LayerNorm over the batch, and what its kernels and running statistics have besides.

h            xh g + b as a LayerNorm, or x a + (b - m a), a = r g (torch's kernels): its products of x and m are in the
             LayerNorm's union; b - m a rounds u |b| more
evaluation   the same with m and v as given: r off by E_v / (2 (v + eps - E_v)) and by its own roundings, x - m by one,
             and x a - m a by 2 (X + M) r |g| u
variance     of two passes, running or fast, as a LayerNorm's

Sources: torch's aten/src/ATen/native/cpu/batch_norm_kernel.cpp (batch_norm_cpu_collect_linear_and_constant_terms) and
Normalization.cpp (2.13); flax/linen/normalization.py; the unions are derived here and in `rules.layer_norm`.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic.bounded import Bounded, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from harness.arithmetic.rules.layer_norm import layer_norm_, rows_of
from impls.hand.layers.batch_norm import batch_norm, evaluated_batch_norm, variance


@rule_for(batch_norm)
def batch_norm_(x: Bounded, g: Bounded, b: Bounded, eps: float) -> Bounded:
    shift = x.context.profile.u * (np.abs(b.value) + b.bound)
    return layer_norm_(x, g, b, eps).widened(shift)


@rule_for(evaluated_batch_norm)
def evaluated_batch_norm_(x: Bounded, g: Bounded, b: Bounded, m: Bounded, v: Bounded, eps: float) -> Bounded:
    profile = x.context.profile
    u = profile.u + UNIT_ROUNDOFF_64
    working, double = profile.constants, profile_of("float64").constants
    root = max(max(c["rsqrt"], c["sqrt"] + c["divide"]) for c in (working, double))
    s = v.value + eps
    s_error = v.bound + u * (2 * s + v.bound)
    least = np.where(s > s_error, s - s_error, 0.0)
    r = 1 / np.sqrt(s)
    r_error = np.where(least > 0, r * (np.sqrt(s / least) - 1), np.inf)
    r_error = r_error + root * u * (r + r_error)
    d, sizes = x.value - m.value, np.abs(x.value) + x.as_summand + np.abs(m.value) + m.bound
    d_error = x.as_summand + m.bound
    d_error = d_error + u * (np.abs(d) + d_error)
    xh, R = d * r, r + r_error
    xh_error = np.abs(d) * r_error + d_error * R + u * (np.abs(d) + d_error) * R + 2 * u * sizes * R
    gain, shift = np.abs(g.value) + g.bound, np.abs(b.value) + b.bound
    propagated = xh_error * gain + np.abs(xh) * g.bound + b.bound
    local = u * (3 * (np.abs(xh) + xh_error) * gain + 2 * shift)
    return x.context.rounded(xh * g.value + b.value, propagated + local, 0.0, underflows=4 * (1 + gain) * (1 + R))


@rule_for(variance)
def variance_(x: Bounded, less: int) -> Bounded:
    rows, n = rows_of(x, 1.0), x.shape[-1]
    v, error = (part[..., 0] * (n / (n - less)) for part in (rows.v, rows.v_error))
    underflows = n * (1 + np.abs(x.value).max(axis=-1) + x.bound.max(axis=-1))
    return x.context.rounded(v, error, 3.0, centre=3.0, underflows=underflows)
