"""Rules of the named primitives: one bound for all formulas by which frameworks evaluate one function.

sigmoid'     da a (1 - a), multiplied in any order: 1 - a and two products, 3 u.

tanh'        torch: g (1 - a^2)            u |g| (a^2 + 2 (1 - a^2))
             JAX:   (g + g a)(1 - a)       u |g| (|a| (1 - a) + 3 (1 - a^2))
             union: u |g| (max(a^2, |a| (1 + |a|)) + 3 (1 - a^2))

softmax      exp(s_i) / sum exp(s), and exp(log-softmax), with s = a - max(a).
log-softmax  s_i - log sum exp(s).
             The shift cancels, so a bound on the logarithm, R_i, serves all of them: perturbing logits by
             at most E changes log p_i by at most
                 R_i = E_i + max(log sum p_j e^E_j, -log sum p_j e^-E_j).
             Roundings, relative, in units of u: exp(s_j) is off by L_j (its argument's subtraction,
             L_j >= |s_j| of any member) plus exp's constant; the sum by the p-weighted mean of these
             plus n - 1.

cross-entropy'   (p - y)/N, p/N - y/N, and the frameworks' g - exp(log p) sum g with g = -y/N.

Sources: formulas as in torch's derivatives.yaml and ATen kernels, jax.lax and jax.nn; error of shifted
softmax: Blanchard, D. Higham and N. Higham, "Accurately computing the log-sum-exp and softmax
functions", IMA J. Numer. Anal. 41 (2021), section 4; the unions are derived here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from impls.hand.activations import sigmoid_vjp, tanh_vjp
from impls.hand.losses import log_softmax, softmax, softmax_cross_entropy_vjp


@rule_for(sigmoid_vjp)
def sigmoid_vjp_(da: Bounded, a: Bounded) -> Bounded:
    slope = a.value * (1 - a.value)
    moved = a.bound * (np.abs(1 - 2 * a.value) + a.bound)
    largest = np.abs(da.value) + da.bound
    propagated = da.bound * (np.abs(slope) + moved) + np.abs(da.value) * moved
    return da.context.rounded(da.value * slope, propagated, 3.0, centre=4.0, underflows=3 * (1 + largest))


@rule_for(tanh_vjp)
def tanh_vjp_(da: Bounded, a: Bounded) -> Bounded:
    u = da.context.profile.u
    slope = (1 - a.value) * (1 + a.value)
    moved = a.bound * (2 * np.abs(a.value) + a.bound)
    output = np.abs(a.value) + a.bound
    largest = np.abs(da.value) + da.bound
    propagated = da.bound * (np.abs(slope) + moved) + np.abs(da.value) * moved
    cancelled = np.maximum(output * output, output * (1 + output)) + 3 * (np.abs(slope) + moved)
    local = u * largest * cancelled * (1 + 8 * u)
    return da.context.rounded(da.value * slope, propagated + local, 0.0, centre=4.0, underflows=4 * (1 + largest))


class _Shifted(NamedTuple):
    """Softmax of a row in float64, and what rounding may do to its parts."""

    shifted: Floats  # s = a - max(a), (N, K)
    p: Floats  # softmax, (N, K)
    log_sum: Floats  # log sum exp(s), (N, 1)
    moved: Floats  # R, how far log p can be moved by the logits' bounds, (N, K)
    argument: Floats  # largest |s| of any member, L, (N, K)
    denominator: Floats  # relative error of a member's sum of exponentials, (N, 1)


def _shift(a: Bounded) -> _Shifted:
    profile = a.context.profile
    classes = a.shape[1]
    shifted = a.value - a.value.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis=1, keepdims=True)
    p = powers / total
    up = np.log((p * np.exp(a.bound)).sum(axis=1, keepdims=True))
    down = -np.log((p * np.exp(-a.bound)).sum(axis=1, keepdims=True))
    own = (16 + classes) * UNIT_ROUNDOFF_64 * (1 + np.abs(shifted))
    moved = a.bound + np.maximum(np.maximum(up, down), 0) + own
    argument = np.abs(shifted) + a.bound + a.bound.max(axis=1, keepdims=True)
    term = np.expm1(profile.u * (argument + profile.constants["exp"]))
    weighted = (p * np.exp(moved) * term).sum(axis=1, keepdims=True)
    accumulated = (classes - 1) * profile.u_acc * (1 + weighted) + classes * profile.eta
    return _Shifted(shifted, p, np.log(total), moved, argument, weighted + accumulated)


def _log_softmax_error(a: Bounded, s: _Shifted) -> Floats:
    """Absolute error of a member's log-softmax beyond what the logits' bounds do."""
    u, constants = a.context.profile.u, a.context.profile.constants
    denominator = np.where(s.denominator < 1, -np.log1p(-s.denominator), np.inf)
    log_sum = s.log_sum + s.moved.max(axis=1, keepdims=True) + denominator
    before = u * s.argument + denominator + constants["log"] * u * log_sum
    result = np.abs(s.shifted - s.log_sum) + s.moved + before
    return before + u * result


@rule_for(log_softmax)
def log_softmax_(a: Bounded) -> Bounded:
    s = _shift(a)
    value = s.shifted - s.log_sum
    centre = 2 * profile_of("float64").constants["exp"]
    return a.context.rounded(value, s.moved + _log_softmax_error(a, s), 0.0, centre=centre)


def _softmax(a: Bounded) -> tuple[Floats, Floats]:
    """Softmax and its bound, for exp(s)/sum and for exp(log-softmax)."""
    s = _shift(a)
    profile = a.context.profile
    u, constants = profile.u, profile.constants
    quotient = u * (s.argument + constants["exp"] + constants["divide"]) + s.denominator
    logarithm = _log_softmax_error(a, s) + u * constants["exp"]
    error = np.maximum(quotient * (1 + 4 * quotient), logarithm)
    bound = s.p * np.expm1(s.moved + error) + (a.shape[1] + 2) * profile.eta
    return s.p, bound


@rule_for(softmax)
def softmax_(a: Bounded) -> Bounded:
    p, bound = _softmax(a)
    return a.context.rounded(p, bound, 0.0, centre=profile_of("float64").constants["exp"])


@rule_for(softmax_cross_entropy_vjp)
def softmax_cross_entropy_vjp_(a: Bounded, y: Any) -> Bounded:
    rows, classes = a.shape
    p, bound = _softmax(a)
    label = np.zeros_like(p)
    label[np.arange(rows), y] = 1.0
    value = (p - label) / rows
    # In units of u: p/N takes part in sum g (n - 1), exp(log p) * sum g, a division and a product; the
    # label's share -1/N is rounded once or divided by a reciprocal; the difference is rounded, and
    # divided where the division comes last.
    share = ((classes + 4) * (p + bound) + 4 * label) / rows
    result = 4 * (np.abs(value) + bound / rows)
    local = a.context.profile.u * (share + result)
    centre = UNIT_ROUNDOFF_64 * (profile_of("float64").constants["exp"] + classes) * (p + label) / rows
    return a.context.rounded(value, bound / rows + local + centre, 0.0, underflows=4.0)
