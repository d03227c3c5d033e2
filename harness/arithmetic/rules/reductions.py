"""Rules of variance, log-sum-exp, the largest of a row, and their derivatives: one bound for all formulas.

n entries in a row, d = x - m, e the error of a member's mean besides what the bounds of x do to d (`rules.rows`):

variance     of two passes (NumPy, JAX) or running (torch), as a LayerNorm's
variance'    2 ds d / n (torch: (2/n ds) d)          d off by e, four roundings
             JAX differentiates the mean too, which adds -(mean of 2 ds d / n): 0 but for e and the sum's rounding,
             2 |ds| (e + (n + 6) u mean |d|) / n; ds / n may be flushed, or subnormal, and is multiplied by 2 d
             afterwards: 4 |d| eta with the mean of these
log-sum-exp  m + log sum exp(x - m), m the largest   as a log-softmax's, and u |s| for the last sum
log-sum-exp' ds exp(x - m) / sum (JAX)               as a softmax's
             ds exp(x - s) (torch)                   s is rounded as it is shown: u |s| more, which is much far from 0
pool'        ds / n, or ds / rows / columns (torch's adaptive pool): off by eta after the first, and half of that, where
             there are columns to divide by, after the second
largest      1 where no other entry can be larger, evenly shared where several are exactly equal; anything from 0 to 1
             where members may differ in which it is, which is counted

Sources: torch's derivatives.yaml (var, logsumexp, amax) and aten/src/ATen/native/SharedReduceOps.h (WelfordOps), 2.13;
jax/_src/numpy/reductions.py and jax/_src/ops/special.py; the unions are derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.bounded import Bounded, rule_for
from harness.arithmetic.rules.elementwise import divide, multiply
from harness.arithmetic.rules.rows import rows_of
from harness.arithmetic.rules.softmax import bounded_softmax, log_sum_error, shift
from harness.arithmetic.rules.sums import compounded
from impls.hand.layers.adaptive_pooling import shared_out
from impls.hand.layers.reductions import (
    largest_shares,
    log_sum_exp,
    log_sum_exp_vjp,
    row_variance,
    row_variance_vjp,
)


@rule_for(row_variance)
def row_variance_(x: Bounded, less: int) -> Bounded:
    rows, n = rows_of(x, 1.0), x.shape[-1]
    v, error = (part * (n / (n - less)) for part in (rows.v, rows.v_error))
    underflows = n * (1 + np.abs(x.value).max(axis=-1, keepdims=True) + x.bound.max(axis=-1, keepdims=True))
    overflows = n * np.square(np.abs(x.value) + x.bound).max(axis=-1, keepdims=True) > x.context.profile.largest
    return x.context.rounded(v, np.where(overflows, np.inf, error), 3.0, centre=3.0, underflows=underflows)


@rule_for(row_variance_vjp, terms=2)
def row_variance_vjp_(ds: Bounded, x: Bounded, less: int) -> Bounded:
    rows, n = rows_of(x, 1.0), x.shape[-1]
    d = x.value - x.value.mean(axis=-1, keepdims=True)
    d_error = (rows.spread + rows.m_error) * (1 + rows.u) + rows.u * np.abs(d)
    terms = compounded(rows.u, 8, rows.w, n) * (np.abs(d) + d_error).mean(axis=-1, keepdims=True)
    through_mean = (rows.m_error + terms) * (n > 1)
    farthest = (np.abs(d) + d_error).max(axis=-1, keepdims=True)
    factor, largest = 2 / (n - less), np.abs(ds.value) + ds.as_summand
    propagated = factor * (ds.as_summand * np.abs(d) + largest * (d_error + through_mean))
    # 2 ds (x - m) may overflow before it is divided, and so may the sum of all that comes through the mean.
    propagated = np.where(n * factor * largest * farthest <= ds.context.profile.largest, propagated, np.inf)
    return ds.context.rounded(
        factor * ds.value * d, propagated, 7.0, centre=6.0, underflows=6 + 4 * (farthest + largest)
    )


@rule_for(shared_out)
def shared_out_(ds: Bounded, counts: Any) -> Bounded:
    return divide(ds, ds.context.constant(counts)).widened(ds.context.profile.eta / 2)


@rule_for(log_sum_exp)
def log_sum_exp_(x: Bounded) -> Bounded:
    s = shift(x)
    value = x.value.max(axis=-1, keepdims=True) + s.log_sum
    return x.context.rounded(value, s.log_sum_moved + log_sum_error(x, s), centre=4.0)


@rule_for(log_sum_exp_vjp)
def log_sum_exp_vjp_(ds: Bounded, x: Bounded) -> Bounded:
    p, bound = bounded_softmax(x)
    size = log_sum_exp_(x)
    shown = x.context.profile.u * (np.abs(size.value) + size.bound)
    return multiply(ds, x.context.rounded(p, bound + (p + bound) * np.expm1(shown), 0.0, centre=8.0))


@rule_for(largest_shares)
def largest_shares_(x: Bounded) -> Bounded:
    low = (x.value - x.bound).max(axis=-1, keepdims=True)
    able = x.value + x.bound >= low
    several = able.sum(axis=-1, keepdims=True) > 1
    exact = np.where(able, x.bound == 0, True).all(axis=-1, keepdims=True)
    open_ = able & several & ~exact
    x.context.undecided += int(open_.sum())
    shares = largest_shares.body(x.value)  # type: ignore[attr-defined]
    divided = x.context.rounded(shares, 0.0, x.context.profile.constants["divide"]).bound
    return Bounded(shares, np.where(open_, 1.0, np.where(able & several, divided, 0.0)), x.context)
