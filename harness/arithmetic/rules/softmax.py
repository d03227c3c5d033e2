"""Rules of softmax and of the cross-entropies on logits: one bound for all formulas that frameworks use.

softmax      exp(s_i) / sum exp(s), and exp(log-softmax), with s = a - max(a).
log-softmax  s_i - log sum exp(s).
             The shift cancels, so a bound on the logarithm, R_i, serves all of them: perturbing logits by
             at most E changes log p_i by at most
                 R_i = E_i + max(log sum p_j e^E_j, -log sum p_j e^-E_j).
             Roundings, relative, in units of u: exp(s_j) is off by L_j (its argument's subtraction,
             L_j >= |s_j| of any member) plus exp's constant; the sum by the p-weighted mean of these
             plus n - 1.

softmax'     p (g - S), S = sum p g      the hand code, torch and JAX for g - S computed first
             p g - p S                   torch (one kernel of two) and JAX for the products first
             S is a dot product of n terms: n u sum |p g|. With the products first each is rounded, and so
             is the difference: p (u |S| + u |g|) more than that and one rounding of the result.
             e (g r - sum (g r2) e)    JAX, differentiating e / D as XLA rewrites it: e = exp(s), D = sum e,
             r = 1/D, r2 = 1/D^2, p = e r. With e_i r = p_i (1 + d_i) and D^2 r2 / (D r)^2 within 4 u of 1,
             e_i r2 e_j is within 6 u of p_i p_j, and two products are rounded, so n + 7 instead of n for S,
             and 2 u |g|. Where p underflows and is shown as 0, e may not have underflowed: off by eta there.

cross-entropy'   (p sum y - y)/N, p sum y/N - y/N, and the frameworks' g - exp(log p) sum g with g = -y/N.

weighted         q and D are sums and products of weights, in any order: 5 u q, n u D of n rows

Sources: formulas as in torch's derivatives.yaml and ATen kernels, jax.lax and jax.nn; error of shifted
softmax: Blanchard, D. Higham and N. Higham, "Accurately computing the log-sum-exp and softmax
functions", IMA J. Numer. Anal. 41 (2021), section 4; the unions are derived here.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from impls.hand.activations.softmax import log_softmax, softmax, softmax_vjp
from impls.hand.losses.cross_entropy import one_hot_cross_entropy_vjp, softmax_cross_entropy_vjp
from impls.hand.losses.weighted import over_weights, soft_targets


class Shifted(NamedTuple):
    """Softmax of a row in float64, and what rounding may do to its parts."""

    shifted: Floats  # s = a - max(a), (N, K)
    p: Floats  # softmax, (N, K)
    log_sum: Floats  # log sum exp(s), (N, 1)
    moved: Floats  # R, how far log p can be moved by the logits' bounds, (N, K)
    argument: Floats  # largest |s| of any member, L, (N, K)
    denominator: Floats  # relative error of a member's sum of exponentials, (N, 1)


def shift(a: Bounded, seen: Any = True) -> Shifted:
    """Where an entry is not seen it weighs nothing, whatever it is."""
    profile = a.context.profile
    classes = a.shape[-1]
    shifted = np.where(seen, a.value - np.where(seen, a.value, -np.inf).max(axis=-1, keepdims=True), 0.0)
    powers = np.exp(shifted) * seen
    total = powers.sum(axis=-1, keepdims=True)
    p = powers / total
    uncertain = np.where(seen, a.as_summand, 0.0)  # the shift is a sum
    up = np.log((p * np.exp(uncertain)).sum(axis=-1, keepdims=True))
    down = -np.log((p * np.exp(-uncertain)).sum(axis=-1, keepdims=True))
    own = (16 + classes) * UNIT_ROUNDOFF_64 * (1 + np.abs(shifted))
    moved = uncertain + np.maximum(np.maximum(up, down), 0) + own
    argument = np.abs(shifted) + uncertain + uncertain.max(axis=-1, keepdims=True)
    term = np.expm1(profile.u * (argument + profile.constants["exp"]))
    weighted = (p * np.exp(moved) * term).sum(axis=-1, keepdims=True)
    accumulated = (classes - 1) * profile.u_sum * (1 + weighted) + classes * profile.eta
    return Shifted(shifted, p, np.log(total), moved, argument, weighted + accumulated)


def log_sum_error(a: Bounded, s: Shifted) -> Floats:
    """Absolute error of a member's log sum exp(s), beyond what the logits' bounds do."""
    denominator = np.where(s.denominator < 1, -np.log1p(-s.denominator), np.inf)
    log_sum = s.log_sum + s.moved.max(axis=-1, keepdims=True) + denominator
    return denominator + a.context.profile.constants["log"] * a.context.profile.u * log_sum


def _log_softmax_error(a: Bounded, s: Shifted) -> Floats:
    """Absolute error of a member's log-softmax beyond what the logits' bounds do."""
    u = a.context.profile.u
    before = u * s.argument + log_sum_error(a, s)
    result = np.abs(s.shifted - s.log_sum) + s.moved + before
    return before + u * result


@rule_for(log_softmax)
def log_softmax_(a: Bounded) -> Bounded:
    s = shift(a)
    value = s.shifted - s.log_sum
    centre = 2 * profile_of("float64").constants["exp"]
    return a.context.rounded(value, s.moved + _log_softmax_error(a, s), 0.0, centre=centre)


def bounded_softmax(a: Bounded, seen: Any = True) -> tuple[Floats, Floats]:
    """Softmax and its bound, for exp(s)/sum and for exp(log-softmax), over the entries that are seen."""
    s = shift(a, seen)
    profile = a.context.profile
    u, constants = profile.u, profile.constants
    quotient = u * (s.argument + constants["exp"] + constants["divide"]) + s.denominator
    logarithm = _log_softmax_error(a, s) + u * constants["exp"]
    error = np.maximum(quotient * (1 + 4 * quotient), logarithm)
    bound = s.p * np.expm1(s.moved + error) + (a.shape[-1] + 2) * profile.eta
    return s.p, bound


@rule_for(softmax)
def softmax_(a: Bounded) -> Bounded:
    p, bound = bounded_softmax(a)
    return a.context.rounded(p, bound, 0.0, centre=profile_of("float64").constants["exp"])


@rule_for(softmax_vjp, terms=2)
def softmax_vjp_(da: Bounded, p: Bounded) -> Bounded:
    profile, classes = da.context.profile, p.shape[-1]
    value = softmax_vjp.body(da.value, p.value)  # type: ignore[attr-defined]
    eager, size = profile.eager, np.abs(p.value)
    uncertain = p.bound if eager else np.where(size < profile.eta, np.maximum(p.bound, profile.eta), p.bound)
    g, a = np.abs(da.value) + da.bound, size + uncertain
    # S, its magnitude in any member, and how far a member's is from the centre's.
    magnitude = (g * a).sum(axis=-1, keepdims=True)
    moved = (da.bound * a + np.abs(da.value) * uncertain).sum(axis=-1, keepdims=True)
    summed = classes * (profile.u_sum * magnitude * (1 + classes * profile.u_sum) + profile.eta)
    gap = np.abs(da.value - (da.value * p.value).sum(axis=-1, keepdims=True))
    propagated = a * (da.as_summand + moved) + uncertain * gap
    products = g + magnitude if eager else 2 * g + 7 * magnitude
    local = a * (summed + profile.u * (products + summed))
    own = (classes + 3) * UNIT_ROUNDOFF_64 * a * (g + magnitude)
    total = (propagated + local + own) * (1 + 4 * profile.u)
    return da.context.rounded(value, total, 2.0, centre=0.0, underflows=2 * (1 + classes))


@rule_for(soft_targets)
def soft_targets_(a: Bounded, q: Any) -> Bounded:
    return a.context.constant(q).widened(5 * a.context.profile.u * np.abs(q))


@rule_for(over_weights)
def over_weights_(total: Bounded, weight: float, rows: int) -> Bounded:
    return total / total.context.constant(weight).widened(rows * total.context.profile.u_sum * weight)


@rule_for(softmax_cross_entropy_vjp)
def softmax_cross_entropy_vjp_(a: Bounded, y: Any) -> Bounded:
    target = (np.arange(a.shape[-1]) == np.expand_dims(y, -1)).astype(np.float64)
    return one_hot_cross_entropy_vjp_(a, Bounded(target, np.zeros(a.shape), a.context))


@rule_for(one_hot_cross_entropy_vjp)
def one_hot_cross_entropy_vjp_(a: Bounded, y: Bounded) -> Bounded:
    *rows_along, classes = a.shape
    rows = prod(rows_along)
    p, bound = bounded_softmax(a)
    target = np.abs(y.value) + y.bound
    total = target.sum(axis=-1, keepdims=True)
    value = (p * y.value.sum(axis=-1, keepdims=True) - y.value) / rows
    propagated = (bound * total + (p + bound) * y.bound.sum(axis=-1, keepdims=True) + y.bound) / rows
    # In units of u: p/N takes part in sum g (n - 1), in exp(log p) * sum g, a division and a product; y's
    # share is rounded once or divided by a reciprocal; the difference is rounded, and divided where the
    # division comes last.
    share = ((classes + 4) * (p + bound) * total + 4 * target) / rows
    result = 4 * (np.abs(value) + propagated)
    local = a.context.profile.u * (share + result)
    centre = UNIT_ROUNDOFF_64 * (profile_of("float64").constants["exp"] + classes) * (p * total + target) / rows
    return a.context.rounded(value, propagated + local + centre, 0.0, underflows=4.0)
