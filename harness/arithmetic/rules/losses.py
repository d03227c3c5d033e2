"""Rules of the losses' named primitives: one bound for all formulas that frameworks use.

huber      r^2/2 up to delta, then delta (|r| - delta/2)     torch, the hand code
           q^2/2 + delta (|r| - q), q = min(|r|, delta)      optax
           All terms are positive, delta/2 is at most half of |r|, and delta is rounded wherever it stands:
           at most 6 u of the result. The slope is at most min(|r|, delta).

huber'     r clipped to delta                                torch, the hand code
           delta + (q - delta), times the sign of r          JAX, differentiating optax's form
           The latter rounds delta, q - delta and their sum: u (2 delta + |result|), absolute, however small r is.

sign       of a - y: undecided where |a - y| is within the bounds of a and y, or within eta, where XLA flushes
           it to 0; at an exact tie it is 0 here, and what frameworks take instead is a convention.

logit cross-entropy    max(a, 0) - a y + l, l = log1p(e^-|a|)        the hand code
                       (1 - y) a - logsigmoid(a)                     torch
                       y f(-a) + (1 - y) f(a), f = softplus          optax
           Each is a sum of a few terms of magnitude |a| or l, with factors y or 1 - y. l is off by
           c_exp s(-|a|) + c_log1p l, and there are never more than four roundings on a term:
               u (|y| + |1 - y| + 1) (c_exp s(-|a|) + c_log1p l + 4 (|a| + l))

logit cross-entropy'   s(a) - y                                      torch, the hand code: c_s u s(a)
                       (1 - y) f'(a) - y f'(-a)                      optax, with 1 - y and two products rounded:
                                        |1 - y| s(a) (k(a) + 3 u) + |y| s(-a) (k(-a) + 3 u), k of softplus' (smooth.py)
                       the larger of the two, and u |result|

reciprocal  of the probability of each row's class, 0 elsewhere: one division. Elsewhere a program may multiply by
             0, so that nothing is bounded where a may not be finite.

scaled      by (k / n), or (by / n) k as differentiation has it, of a mean of n terms: by / n may be a subnormal number
             of float16, off by eta, and is then multiplied by k: eta n |k / n| more. The product may be one as well,
             and is then divided by a probability (torch and JAX, -(1/n y) / p), eta / p more; or by a row's length, or
             by its square and multiplied by the row twice (see `rules.cosine`).

Sources: torch's ATen/native/Loss.cpp and BinaryOps kernels; optax/losses/_regression.py, _classification.py, read
at the pinned versions; the bounds are derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.rules.elementwise import divide, subtract
from harness.arithmetic.rules.smooth import Constants, both, sigmoid_at, sigmoid_error, softplus_slope_error
from impls.hand.losses.binary import BinaryCrossEntropy, logit_cross_entropy, logit_cross_entropy_vjp
from impls.hand.losses.categorical import CategoricalCrossEntropy, chosen_reciprocal
from impls.hand.losses.cosine import CosineDistance
from impls.hand.losses.scaled import Scaled
from impls.hand.losses.squared import clipped_difference, huber, sign_of_difference
from impls.hand.parts import Loss


@rule_for(huber)
def huber_(r: Bounded, delta: float) -> Bounded:
    value = huber.body(r.value, delta)  # type: ignore[attr-defined]
    slope = np.minimum(np.abs(r.value) + r.bound, delta)
    return r.context.rounded(value, r.bound * slope, 6.0, centre=6.0, underflows=4 * (1 + delta))


@rule_for(clipped_difference)
def clipped_difference_(a: Bounded, y: Bounded, delta: float) -> Bounded:
    r = subtract(a, y)
    value = np.clip(r.value, -delta, delta)
    return a.context.rounded(value, r.bound + 2 * a.context.profile.u * delta, 2.0, underflows=4 * (1 + delta))


@rule_for(sign_of_difference)
def sign_of_difference_(a: Bounded, y: Bounded) -> Bounded:
    difference = a.value - y.value
    bound = a.as_summand + y.as_summand
    reach = np.where(difference != 0, bound + a.context.profile.eta, bound)
    undecided = ~(np.abs(difference) > reach) & (reach != 0)  # what is NaN decides nothing
    a.context.undecided += int((undecided & (bound != 0)).sum())
    sign = np.sign(difference)
    room = np.where(np.isfinite(bound), 1 + np.abs(sign), np.inf)  # a member may be NaN
    return Bounded(sign, np.where(undecided, room, 0.0), a.context)


@rule_for(logit_cross_entropy)
def logit_cross_entropy_(a: Bounded, y: Bounded) -> Bounded:
    value = logit_cross_entropy.body(a.value, y.value)  # type: ignore[attr-defined]
    reach = np.abs(a.value) + a.bound
    slope = np.abs(sigmoid_at(a.value) - y.value) + a.bound / 8
    propagated = a.bound * slope + y.bound * reach
    weight = np.abs(y.value) + np.abs(1 - y.value) + 1 + 2 * y.bound
    nearest = np.maximum(np.abs(a.value) - a.bound, 0)
    tail = np.log1p(np.exp(-nearest))

    def error(u: float, c: Constants) -> Floats:
        return u * weight * (c["exp"] * sigmoid_at(-nearest) + c["log1p"] * tail + 4 * (reach + tail))

    return a.context.rounded(value, propagated + both(a.context, error), 1.0, underflows=4 * weight)


@rule_for(logit_cross_entropy_vjp)
def logit_cross_entropy_vjp_(a: Bounded, y: Bounded) -> Bounded:
    value = sigmoid_at(a.value) - y.value
    high, low = a.value + a.bound, a.bound - a.value
    yes, no = np.abs(y.value) + y.bound, np.abs(1 - y.value) + y.bound

    def error(u: float, c: Constants) -> Floats:
        def relative(z: Floats) -> Floats:
            return softplus_slope_error(z, u, c) + 3 * u

        up = no * sigmoid_at(high) * np.maximum(relative(high), relative(-low))
        down = yes * sigmoid_at(low) * np.maximum(relative(low), relative(-high))
        return np.maximum(u * sigmoid_error(c) * sigmoid_at(high), up + down)

    underflows = 4 * (yes + no) * a.context.profile.lost_reciprocal
    return a.context.rounded(value, a.bound / 4 + y.bound + both(a.context, error), 1.0, underflows=underflows)


def _in_any_order(scaled: Bounded, inner: Bounded, loss: Loss, a: Bounded, by: float = 1.0) -> Bounded:
    """A mean, times a constant, whose factors a program may multiply in any order.

    It may have underflowed before it was multiplied by the largest of them, and overflow where it is multiplied by the
    constant before it is divided by how many there are, or where the constant is multiplied by the largest factor.
    """
    profile, magnified = scaled.context.profile, loss.magnified(a)
    largest: Any = np.abs(magnified.value) + magnified.bound if isinstance(magnified, Bounded) else magnified
    constant = loss.terms(a) * (np.abs(inner.value) + inner.bound)
    bound = scaled.bound + profile.eta * (constant + largest)
    fits = (by * constant <= profile.largest) & (by * largest <= profile.largest) if by > 1 else True
    return Bounded(scaled.value, np.where(fits, bound, np.inf), scaled.context)


@rule_for(Scaled.da)
def of_a_scaled_loss(scaled: Scaled, a: Bounded, y: Any) -> Bounded:
    inner = scaled.loss.da(a, y)
    by = float(scaled.at(len(a.value))) if scaled.power else scaled.by
    return _in_any_order(scaled.times(inner, a), inner, scaled.loss, a, by)


@rule_for(BinaryCrossEntropy.da, CategoricalCrossEntropy.da, CosineDistance.da)
def of_a_mean_of_quotients(loss: Loss, a: Bounded, y: Bounded) -> Bounded:
    da = type(loss).da.body(loss, a, y)  # type: ignore[attr-defined]
    return _in_any_order(da, da, loss, a)


@rule_for(chosen_reciprocal)
def chosen_reciprocal_(a: Bounded, y: Any) -> Bounded:
    chosen = (*np.indices(y.shape), y)
    reciprocal = divide(a.context.constant(1.0), a[chosen])
    value = np.zeros(a.shape)
    bound = np.where(np.isfinite(a.value) & np.isfinite(a.bound), 0.0, np.inf)  # 0 times what is not finite is no 0
    value[chosen], bound[chosen] = reciprocal.value, reciprocal.bound
    return Bounded(value, bound, a.context)
