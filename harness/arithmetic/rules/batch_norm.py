"""Rules of BatchNorm: those of a LayerNorm over the batch, and what its kernels and running statistics have besides.

mean         sum / n; nobody runs it
h            xh g + b as a LayerNorm, or x a + (b - m a), a = r g (torch's kernels): its products of x and m are in the
             LayerNorm's union; b - m a rounds u |b| more
dx           as a LayerNorm's, g multiplied in first or last
dg           sum dh (x - m) r, r multiplied in first or last. A channel has one m and one r, so that all terms share
             what these are off: |m' - m| r |sum dh| + |r' / r - 1| |dg|, where the sum of the errors of each xh would
             see nothing in a large batch. Besides, roundings of terms and sums
evaluation   h with m and v as given: r off by E_v / (2 (v + eps - E_v)) and by its own roundings, x - m by one, and
             x a - m a by 2 (X + M) r |g| u
variance     of two passes, running or fast, as a LayerNorm's

Sources: torch's aten/src/ATen/native/cpu/batch_norm_kernel.cpp (batch_norm_cpu_collect_linear_and_constant_terms,
batch_norm_cpu_backward_contiguous_impl) and Normalization.cpp (2.13); flax/linen/normalization.py; the unions are
derived here and in `rules.rows`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from harness.arithmetic.rules.layer_norm import affine, times_xh, vjp
from harness.arithmetic.rules.rows import rows_of, size_of, spread_of, xh_of
from harness.arithmetic.rules.sums import compounded, partial_sum
from impls.hand.layers.batch_norm import (
    batch_norm,
    batch_norm_gain_vjp,
    batch_norm_vjp,
    evaluated_batch_norm,
    variance,
)


@rule_for(batch_norm, terms=2)
def batch_norm_(x: Bounded, g: Bounded, b: Bounded, eps: float) -> Bounded:
    return affine(rows_of(x, eps, running=False), x, g, b, besides=1)


@rule_for(batch_norm_vjp, terms=3)
def batch_norm_vjp_(dh: Bounded, x: Bounded, g: Bounded, eps: float) -> Bounded:
    return vjp(rows_of(x, eps, running=False), dh, x, g)


@rule_for(batch_norm_gain_vjp)
def batch_norm_gain_vjp_(dh: Bounded, x: Bounded, eps: float) -> Bounded:
    rows, n = rows_of(x, eps, running=False), x.shape[-1]
    R, spreads, upstream = rows.R[..., 0], (rows.own, rows.moved), (dh.value, dh.as_summand)
    far = in_blocks(_farthest, rows.x, rows.bound, rows.m, rows.m_error, *spreads)
    largest = in_blocks(size_of, *upstream)
    value = in_blocks(times_xh, dh.value, rows.x, rows.m, rows.r).sum(axis=-1)
    magnitude = (largest * far).sum(axis=-1) * R
    own = in_blocks(_moved, *upstream, rows.x, rows.bound, rows.m, rows.r, rows.R, *spreads).sum(axis=-1)
    through_mean = rows.m_error[..., 0] * R * (np.abs(dh.value.sum(axis=-1)) + upstream[1].sum(axis=-1))
    through_deviation = (rows.r_error / rows.r)[..., 0] * (np.abs(value) + own + through_mean)
    moved = own + through_mean + through_deviation
    partial = partial_sum(n, rows.u, magnitude, np.abs(value) + moved)
    local = compounded(rows.u, 4) * magnitude + compounded(rows.u, 4, rows.u, n - 1) * partial
    reach = np.where(magnitude * n <= x.context.profile.largest, 0.0, np.inf)
    underflows = n * (1 + largest.max(axis=-1)) * (1 + far.max(axis=-1)) * (1 + R)
    return x.context.rounded(
        value, (moved + local) * (1 + 4 * n * UNIT_ROUNDOFF_64) + reach, 2.0, underflows=underflows
    )


def _farthest(x: Any, x_bound: Any, m: Any, m_error: Any, own: float, moved: Any) -> Any:
    """The largest |x - m| of a member."""
    return np.abs(x - m) + spread_of(x_bound, own, moved) + m_error


def _moved(dh: Any, dh_bound: Any, x: Any, x_bound: Any, m: Any, r: Any, R: Any, own: float, moved: Any) -> Any:
    """What the bounds of an entry do to its term."""
    return dh_bound * np.abs(xh_of(x, m, r)) + size_of(dh, dh_bound) * spread_of(x_bound, own, moved) * R


@rule_for(evaluated_batch_norm, terms=2)
def evaluated_batch_norm_(x: Bounded, g: Bounded, b: Bounded, m: Bounded, v: Bounded, eps: float) -> Bounded:
    profile = x.context.profile
    u = profile.u + UNIT_ROUNDOFF_64
    working, double = profile.constants, profile_of("float64").constants
    root = max(max(c["rsqrt"], c["sqrt"] + c["divide"]) for c in (working, double))
    s = v.value + eps
    s_error = v.bound + compounded(u, 2) * (s + v.bound) + 3 * profile.eta
    least = np.where(s > s_error, s - s_error, 0.0)
    r = 1 / np.sqrt(s)
    r_error = np.where(least > 0, r * (np.sqrt(s / least) - 1), np.inf)
    r_error = r_error + compounded(u / (1 - 2 * u), root) * (r + r_error)
    d, sizes = x.value - m.value, np.abs(x.value) + x.as_summand + np.abs(m.value) + m.bound
    d_error = x.as_summand + m.bound
    d_error = d_error + u * (np.abs(d) + d_error)
    xh, R = d * r, r + r_error
    xh_error = np.abs(d) * r_error + d_error * R + u * (np.abs(d) + d_error) * R + 2 * u * sizes * R
    gain, shift = np.abs(g.value) + g.bound, np.abs(b.value) + b.bound
    propagated = xh_error * gain + np.abs(xh) * g.bound + b.bound
    local = compounded(u, 3) * (np.abs(xh) + xh_error) * gain + compounded(u, 2) * shift
    underflows = 4 * (1 + gain) * (1 + R) + 4 * sizes  # (x - m) r is multiplied by g, or r g by x and m
    return x.context.rounded(xh * g.value + b.value, propagated + local, 0.0, underflows=underflows)


@rule_for(variance)
def variance_(x: Bounded, less: int) -> Bounded:
    rows, n = rows_of(x, 1.0, running=False), x.shape[-1]
    factor = n / (n - less) if n > less else np.nan  # one entry has no unbiased variance
    v, error = (part[..., 0] * factor for part in (rows.v, rows.v_error))
    underflows = n * (1 + np.abs(x.value).max(axis=-1) + x.bound.max(axis=-1))
    return x.context.rounded(v, error, 3.0, centre=3.0, underflows=underflows)
