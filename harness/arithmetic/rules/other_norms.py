"""Rules of RMSNorm and GroupNorm: one bound for all formulas that frameworks use.

In units of u, n entries in a row, X = |x| + E the largest of a member:

mean square  sum x^2 / n                             (n + 3) mean X^2; nothing cancels
rstd         as a LayerNorm's                        rho, relative
xh           x r                                     rho + 1
RMSNorm dx   r (t - xh mean(t xh))                   the hand code; t = dh g
             r t - x (r^3 / n) sum(t x)              torch and JAX, differentiating x r
             both are r t and x r^3 b, b = mean(t x), but for roundings: rho and 3 u of the first, 3 rho and 8 u of the
             second, and b by (n + 3) mean |t| X, whatever the order

GroupNorm h  xh g + b as a LayerNorm, or x a + (b - m a), a = r g (torch): u |b| more, as of a BatchNorm
GroupNorm dg sum dh xh, or (sum dh x - m sum dh) r of a channel (torch): both sums may cancel, so that each of their
             additions may be off by u of (|x| + |m|) |dh| r

Sources: torch's aten/src/ATen/native/cpu/group_norm_kernel.cpp (GroupNormKernelImplInternal, ComputeInternalGradients,
GammaBackward) and layer_norm.cpp (rms_norm_composite), 2.13; flax/linen/normalization.py; derived here.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64
from harness.arithmetic.rules.layer_norm import affine, deviation, rows_of
from impls.hand.layers.group_norm import group_norm, group_norm_gain_vjp
from impls.hand.layers.rms_norm import rms_norm_vjp, rms_scaled


def _mean(values: Floats) -> Floats:
    return values.mean(axis=-1, keepdims=True)


def _root(x: Bounded, eps: float) -> tuple[float, Floats, Floats]:
    """u of a member and the centre together, r, and how far r may be off, relative to it."""
    u, n = x.context.profile.u + UNIT_ROUNDOFF_64, x.shape[-1]
    size, bound = np.abs(x.value), x.as_summand
    q, moved = _mean(np.square(size)), _mean(bound * (2 * size + bound))
    q_error = moved + (n + 3) * u * (q + moved) + 2 * x.context.profile.eta  # squares may underflow
    r, r_error = deviation(x.context.profile, q, q_error, eps)
    largest = (size + bound).max(axis=-1, keepdims=True)
    return u, r, np.where(n * np.square(largest) <= x.context.profile.largest, r_error / r, np.inf)


@rule_for(rms_scaled)
def rms_scaled_(x: Bounded, eps: float) -> Bounded:
    _, r, rho = _root(x, eps)
    value = x.value * r
    propagated = np.abs(value) * rho + x.as_summand * r * (1 + rho)
    return x.context.rounded(value, propagated, underflows=2 * (1 + r))


@rule_for(rms_norm_vjp, terms=2)
def rms_norm_vjp_(dh: Bounded, x: Bounded, g: Bounded, eps: float) -> Bounded:
    u, r, rho = _root(x, eps)
    n, t, X = x.shape[-1], dh.value * g.value, np.abs(x.value) + x.as_summand
    t_error = np.abs(dh.value) * g.bound + dh.as_summand * (np.abs(g.value) + g.bound)
    T = np.abs(t) + t_error
    b = _mean(t * x.value)
    b_error = _mean(t_error * X + np.abs(t) * x.as_summand) + (n + 3) * u * _mean(T * X)
    R, B = r * (1 + rho), np.abs(b) + b_error
    cubed = 1 + 3 * rho * (1 + rho) + rho**3
    direct = t_error * R + T * r * rho + 3 * u * T * R
    through = X * r**3 * ((np.abs(b) * (cubed - 1) + b_error * cubed) + 8 * u * B * cubed)
    through = through + x.as_summand * r**3 * np.abs(b)
    value = r * (t - x.value * r * r * b)
    reach = np.maximum(n * (T * X).max(axis=-1, keepdims=True) * (1 + X), 1.0) * (1 + R) ** 3
    bound = np.where(reach <= dh.context.profile.largest, direct + through, np.inf)
    return dh.context.rounded(value, bound, 2.0, centre=8.0, underflows=(n + 8) * (1 + T) * (1 + X) ** 2 * (1 + R) ** 3)


@rule_for(group_norm, terms=2)
def group_norm_(x: Bounded, g: Bounded, b: Bounded, eps: float) -> Bounded:
    shift = x.context.profile.u * (np.abs(b.value) + b.bound)
    return affine(rows_of(x, eps), x, g, b).widened(shift)


@rule_for(group_norm_gain_vjp)
def group_norm_gain_vjp_(dh: Bounded, x: Bounded, eps: float) -> Bounded:
    rows, terms = rows_of(x, eps), dh.shape[2]
    result = group_norm_gain_vjp.body(dh, x, eps)  # type: ignore[attr-defined]
    sizes = np.broadcast_to(rows.sizes * (rows.r + rows.r_error), x.shape).reshape(dh.shape)
    cancelled = (terms + 4) * rows.u * ((np.abs(dh.value) + dh.as_summand) * sizes).sum(axis=(0, 2))
    return result.widened(cancelled * (1 + 2 * dh.size * UNIT_ROUNDOFF_64))
