"""Rules of RMSNorm and GroupNorm: one bound for all formulas that frameworks use.

In units of u, n entries in a row, X = |x| + E the largest of a member, to first order, and computed with every order:

mean square  sum x^2 / n                             (n + 4) mean X^2; nothing cancels
rstd         as a LayerNorm's                        rho, relative
RMSNorm h    (x r) g (torch), x (r g) (flax)         rho + 2; of x r, times g, or of r g, times x: (G + X) eta
RMSNorm dg   sum dh (x r) (torch), (dh x) r (JAX)    rho + 2 of each row; of x r, or dh x: (|dh| + R) eta
RMSNorm dx   r (t - xh mean(t xh))                   the hand code; t = dh g
             r t - x (r^3 / n) sum(t x)              torch and JAX, differentiating x r
             both are r t and x r^3 b, b = mean(t x), but for roundings: rho and 3 u of the first, 3 rho and 8 u of the
             second, and b by (n + 5) mean |t| X, whatever the order
             Torch, too, adds both to the rest of a gradient, one after the other: u of the rest more, and of one of
             them, for which there is room: torch's own have 2 and 4 u, what divides by n being counted in b

GroupNorm h  xh g + b as a LayerNorm, or x a + (b - m a), a = r g (torch): u |b| more, as of a BatchNorm
GroupNorm dg sum dh xh, or (sum dh x - m sum dh) r of a channel (torch): both sums may cancel, so that each of their
             additions may be off by u of (|x| + |m|) |dh| r

Sources: torch's aten/src/ATen/native/cpu/group_norm_kernel.cpp (GroupNormKernelImplInternal, ComputeInternalGradients,
GammaBackward), layer_norm.cpp (rms_norm_composite) and derivatives.yaml (mul, rsqrt, pow), 2.13;
flax/linen/normalization.py; derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, Profile, profile_of
from harness.arithmetic.rules.layer_norm import affine
from harness.arithmetic.rules.rows import deviation, mean_of, rows_of, size_of
from harness.arithmetic.rules.sums import compounded
from impls.hand.layers.group_norm import group_norm, group_norm_gain_vjp
from impls.hand.layers.rms_norm import rms_norm, rms_norm_gain_vjp, rms_norm_vjp


def _of_mean(profile: Profile, products: float, n: int) -> float:
    """How far a mean of n products may be off, in units of what they add up to: so many roundings each, and a sum."""
    divided = max(each.constants["divide"] for each in (profile, profile_of("float64")))
    u, w = profile.u + UNIT_ROUNDOFF_64, profile.u_sum + UNIT_ROUNDOFF_64
    return compounded(u, products + divided + float(w < u), w, n - 1)


def _root(x: Bounded, eps: float) -> tuple[float, Floats, Floats]:
    """u of a member and the centre together, r, and how far r may be off, relative to it."""
    u, n = x.context.profile.u + UNIT_ROUNDOFF_64, x.shape[-1]
    size, bound = np.abs(x.value), x.as_summand
    q, moved = mean_of(np.square(size)), mean_of(bound * (2 * size + bound))
    q_error = moved + _of_mean(x.context.profile, 1, n) * (q + moved) + 3 * x.context.profile.eta  # squares, sum, mean
    r, r_error = deviation(x.context.profile, q, q_error, eps)
    largest = (size + bound).max(axis=-1, keepdims=True)
    return u, r, np.where(n * np.square(largest) <= x.context.profile.largest, r_error / r, np.inf)


@rule_for(rms_norm)
def rms_norm_(x: Bounded, g: Bounded, eps: float) -> Bounded:
    u, r, rho = _root(x, eps)
    X, G = np.abs(x.value) + x.as_summand, np.abs(g.value) + g.bound
    xh_error = np.abs(x.value) * r * rho + x.as_summand * r * (1 + rho)
    propagated = xh_error * G + np.abs(x.value) * r * g.bound
    propagated = np.where(r * (1 + rho) * G <= x.context.profile.largest, propagated, np.inf)  # r g may overflow
    return x.context.rounded(x.value * r * g.value, propagated, 2 + u, centre=3.0, underflows=2 + G + X)


@rule_for(rms_norm_gain_vjp)
def rms_norm_gain_vjp_(dh: Bounded, x: Bounded, eps: float) -> Bounded:
    u, r, rho = _root(x, eps)
    value, D = dh.value * x.value * r, np.abs(dh.value) + dh.as_summand
    propagated = np.abs(value) * rho + (D * x.as_summand + dh.as_summand * np.abs(x.value)) * r * (1 + rho)
    each = x.context.rounded(value, propagated, 2 + u, centre=3.0, underflows=1 + D + r * (1 + rho))
    reach = np.where(D * (np.abs(x.value) + x.as_summand) <= x.context.profile.largest, 0.0, np.inf)
    return each.widened(reach).sum(axis=0)


@rule_for(rms_norm_vjp, terms=2)
def rms_norm_vjp_(dh: Bounded, x: Bounded, g: Bounded, eps: float) -> Bounded:
    u, r, rho = _root(x, eps)
    n, t, X = x.shape[-1], dh.value * g.value, np.abs(x.value) + x.as_summand
    t_error = np.abs(dh.value) * g.bound + dh.as_summand * (np.abs(g.value) + g.bound)
    T = np.abs(t) + t_error
    b = mean_of(t * x.value)
    b_error = mean_of(t_error * X + np.abs(t) * x.as_summand) + _of_mean(x.context.profile, 2, n) * mean_of(T * X)
    R, B = r * (1 + rho), np.abs(b) + b_error
    cubed = 1 + 3 * rho * (1 + rho) + rho**3
    direct = t_error * R + T * r * rho + compounded(u, 3) * T * R
    through = X * r**3 * ((np.abs(b) * (cubed - 1) + b_error * cubed) + compounded(u, 8) * B * cubed)
    through = through + x.as_summand * r**3 * np.abs(b)
    value = r * (t - x.value * r * r * b)
    # What overflows, or is flushed, is multiplied by all that follows, in any order.
    D, G = np.abs(dh.value) + dh.as_summand, np.abs(g.value) + g.bound
    dh_most, gain_most, most = (each.max(axis=-1, keepdims=True) for each in (D, G, X))
    summed = n * (D * np.maximum(G, 1) * X).max(axis=-1, keepdims=True) * (1 + X)
    reach = np.maximum(summed, np.maximum(gain_most, 1)) * (1 + R) ** 3
    bound = np.where(reach <= dh.context.profile.largest, direct + through, np.inf)
    underflows = (n + 8) * (1 + dh_most) * (1 + gain_most) * (1 + most) ** 2 * (1 + R) ** 3
    result = dh.context.rounded(value, bound, 2.0, centre=8.0, underflows=underflows)
    # Of numbers narrower than float32 torch adds both in float32, and sends back one part.
    profile = dh.context.profile
    result.terms = profile.meeting if profile.u_met == profile.u_acc else 0
    return result


@rule_for(group_norm, terms=2)
def group_norm_(x: Bounded, g: Bounded, b: Bounded, eps: float) -> Bounded:
    return affine(rows_of(x, eps), x, g, b, besides=1)


@rule_for(group_norm_gain_vjp)
def group_norm_gain_vjp_(dh: Bounded, x: Bounded, eps: float) -> Bounded:
    rows, terms = rows_of(x, eps), dh.shape[2]
    result = group_norm_gain_vjp.body(dh, x, eps)  # type: ignore[attr-defined]
    sizes = (rows.sizes * rows.R).reshape(dh.shape)
    cancelled = compounded(rows.u, 4, rows.u, terms) * in_blocks(_terms, dh.value, dh.as_summand, sizes).sum(
        axis=(0, 2)
    )
    # sum dh x of a channel may be flushed, and is then multiplied by r.
    R = np.broadcast_to(rows.R, x.shape).reshape(dh.shape).sum(axis=(0, 2))
    return result.widened(cancelled * (1 + 2 * dh.size * UNIT_ROUNDOFF_64) + 2 * x.context.profile.eta * R)


def _terms(dh: Any, dh_bound: Any, sizes: Any) -> Any:
    return size_of(dh, dh_bound) * sizes
