"""Rules of softmax, log-softmax and softmax': one bound for all formulas that frameworks use.

softmax      exp(s_i) / sum exp(s), and exp(log-softmax), with s = a - max(a).
log-softmax  s_i - log sum exp(s).
             The shift cancels, so a bound on the logarithm, R_i, serves all of them: perturbing logits by
             at most E changes log p_i by at most
                 R_i = E_i + log sum p_j e^E_j,
             upwards as downwards, where the last is -log sum p_j e^-E_j: by Cauchy and Schwarz it is no more.
             Roundings, relative, in units of u: exp(s_j) is off by L_j (its argument's subtraction,
             L_j >= |s_j| of any member) plus exp's constant; the sum by the p-weighted mean of these
             plus n - 1. With t_j for that of a member, its mean is at most sum p_j e^R_j expm1(t_j), and
                 expm1(t) = t e^(t/2) sinh(t/2) / (t/2) <= t e^(t/2 + t^2/24),    sinh(x)/x <= e^(x^2/6),
             (2k + 1)! in the series being at least 6^k k!. The centre's log-sum is off by what the mean |s_j| is, an
             entropy less the log-sum: at most log n.
expm1        up to t = 1/4 no more than t + t^2/2 + 8/45 t^3: what follows t^3/6 is t/4 of it at most each time.

softmax'     p (g - S), S = sum p g      the hand code, torch and JAX for g - S computed first
             p g - p S                   torch (one kernel of two) and JAX for the products first
             S is a dot product of n terms: n u sum |p g|. With the products first each is rounded, and so
             is the difference: p (u |S| + u |g|) more than that and one rounding of the result.
             e (g r - sum (g r2) e)    JAX, differentiating e / D as XLA rewrites it: e = exp(s), D = sum e,
             r = 1/D, r2 = 1/D^2, p = e r. With e_i r = p_i (1 + d_i) and D^2 r2 / (D r)^2 within 4 u of 1,
             e_i r2 e_j is within 6 u of p_i p_j, and two products are rounded, so n + 7 instead of n for S,
             and 2 u |g|. Where p underflows and is shown as 0, e may not have underflowed: off by eta there.
             Where g - S overflows nothing is bounded, however small p is.

Sources: formulas as in torch's derivatives.yaml and ATen kernels, jax.lax and jax.nn; error of shifted
softmax: Blanchard, D. Higham and N. Higham, "Accurately computing the log-sum-exp and softmax
functions", IMA J. Numer. Anal. 41 (2021), section 4; the unions are derived here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, Floats, rounded_bound, rule_for
from harness.arithmetic.loops import Formula, where
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from impls.hand.activations.softmax import log_softmax, softmax, softmax_vjp

NEAR = 1 / 4
"""Up to there a polynomial is an upper bound of expm1."""


class Shifted(NamedTuple):
    """Softmax of rows in float64, what bounds of the logits may do to it, and what rounding may do to its parts."""

    shifted: Floats  # s = a - max(a), (N, K)
    p: Floats  # softmax, (N, K)
    log_sum: Floats  # log sum exp(s), (N, 1)
    uncertain: Floats | float  # E, (N, K)
    farthest: Floats | float  # the largest E, (N, 1)
    moved: Floats | float  # log sum p e^E, (N, 1)
    own: float  # of 1 + |s|, what log p of the centre may be off by
    denominator: Floats  # relative error of a member's sum of exponentials, (N, 1)

    @property
    def log_sum_moved(self) -> Any:
        """How far the logarithm of a sum of exp(a) is from the centre's, beyond what rounding does to a member's."""
        return self.moved + self.own * (1 + math.log(self.p.shape[-1]))


def shift(a: Bounded, seen: Any = None) -> Shifted:
    """Where an entry is not seen it weighs nothing, whatever it is."""
    profile, classes = a.context.profile, a.shape[-1]
    visible = a.value if seen is None else np.where(seen, a.value, -np.inf)
    shifted = a.value - visible.max(axis=-1, keepdims=True)
    if seen is not None:
        shifted = np.where(seen, shifted, 0.0)
    p = np.exp(shifted)
    if seen is not None:
        p *= seen
    total = np.maximum(p.sum(axis=-1, keepdims=True), 1.0)  # as it is, where anything is seen
    p /= total
    uncertain, farthest, moved = _moved_by_bounds(a, seen, p)
    own = (16 + classes) * UNIT_ROUNDOFF_64
    rows = moved + own, profile.u * (farthest + profile.constants["exp"])
    growth = _growth(_exponent_of_weight, farthest, shifted, uncertain, *rows, own, profile.u)
    weights = in_blocks(_weight, p, growth, shifted, uncertain, *rows, own, profile.u)
    weighted = weights.sum(axis=-1, keepdims=True)
    accumulated = (classes - 1) * profile.u_sum * (1 + weighted) + classes * profile.eta
    return Shifted(shifted, p, np.log(total), uncertain, farthest, moved, own, weighted + accumulated)


def _moved_by_bounds(a: Bounded, seen: Any, p: Floats) -> tuple[Any, Any, Any]:
    """E, its largest of each row and log sum p e^E: none where every program knows every logit."""
    if a.known_unrounded:
        return 0.0, 0.0, 0.0
    uncertain = a.as_summand if seen is None else np.where(seen, a.as_summand, 0.0)  # the shift is a sum
    farthest = uncertain.max(axis=-1, keepdims=True)
    growth = None if farthest.max(initial=0.0) <= NEAR else np.expm1(uncertain)
    grown = in_blocks(_grown, p, uncertain, growth).sum(axis=-1, keepdims=True)
    return uncertain, farthest, np.log1p(grown)


def _growth(exponent: Formula, farthest: Any, shifted: Floats, uncertain: Any, *others: Any) -> Any:
    """expm1 of what a formula gives that grows with |s| and with E; None where `_grown` need not be told."""
    if np.max(exponent(shifted.min(initial=0.0), farthest, *others), initial=0.0) <= NEAR:
        return None
    return np.expm1(in_blocks(exponent, shifted, uncertain, *others))


def _grown(p: Any, exponent: Any, growth: Any) -> Any:
    """p expm1(exponent), which its growth is, or up to `NEAR` a little more."""
    if growth is not None:
        return p * growth
    return p * (exponent * (1 + exponent * (1 / 2 + 8 / 45 * exponent)))


def _exponent_of_weight(s: Any, uncertain: Any, moved: Any, exp: Any, own: float, u: float) -> Any:
    reach = uncertain - s
    return _exponent(uncertain, own * reach + moved, u * reach + exp)


def _exponent(uncertain: Any, moved: Any, t: Any) -> Any:
    return uncertain + moved + t * (1 / 2 + t / 24)


def _weight(p: Any, growth: Any, s: Any, uncertain: Any, moved: Any, exp: Any, own: float, u: float) -> Any:
    """What an entry adds to the relative error of a member's sum of exponentials."""
    reach = uncertain - s
    t = u * reach + exp
    exponent = 0.0 if growth is not None else _exponent(uncertain, own * reach + moved, t)
    return t * (p + _grown(p, exponent, growth))


def log_sum_error(a: Bounded, s: Shifted) -> Floats:
    """Absolute error of a member's log sum exp(s), beyond what the logits' bounds do."""
    denominator = np.where(s.denominator < 1, -np.log1p(-s.denominator), np.inf)
    log_sum = s.log_sum + s.farthest + s.log_sum_moved + denominator
    return denominator + a.context.profile.constants["log"] * a.context.profile.u * log_sum


def _error_of_log_softmax(a: Bounded, s: Shifted) -> tuple[Any, float]:
    """Absolute error of a member's log-softmax beyond what the logits' bounds do: of a row, and of E + |s|.

    The shift is off by u L, and the result by u of its magnitude, |s| + log sum exp(s) and what both are off by.
    """
    u = a.context.profile.u
    before = u * s.farthest + log_sum_error(a, s)
    return before + u * (s.log_sum + s.moved + s.own + before), u * (2 + s.own + u)


@rule_for(log_softmax)
def log_softmax_(a: Bounded) -> Bounded:
    s, context = shift(a), a.context
    value = s.shifted - s.log_sum
    of_row, of_reach = _error_of_log_softmax(a, s)
    rounding = context.rounding(0.0, 2 * profile_of("float64").constants["exp"])
    bound = in_blocks(
        _bound_of_log_softmax, value, s.shifted, s.uncertain, s.moved + s.own + of_row, s.own + of_reach, rounding
    )
    return Bounded(value, bound, context)


def _bound_of_log_softmax(
    value: Any, s: Any, uncertain: Any, of_row: Any, of_reach: float, rounding: tuple[Any, ...]
) -> Any:
    return rounded_bound(value, uncertain + of_reach * (uncertain - s) + of_row, 1.0, *rounding)


def softmax_and_errors(a: Bounded, seen: Any = None) -> tuple[Any, ...]:
    """Softmax of the entries that are seen, and what else `bound_of_softmax` is told."""
    s, profile = shift(a, seen), a.context.profile
    u, constants = profile.u, profile.constants
    quotient = u * (s.farthest + constants["exp"] + constants["divide"]) + s.denominator
    of_row, of_reach = _error_of_log_softmax(a, s)
    operands = s.moved + s.own, quotient, of_row + u * constants["exp"], (s.own, u, of_reach)
    growth = _growth(_error_of_softmax, s.farthest, s.shifted, s.uncertain, *operands)
    return s.p, growth, (a.shape[-1] + 2) * profile.eta, s.shifted, s.uncertain, *operands


def _error_of_softmax(
    s: Any, uncertain: Any, moved: Any, quotient: Any, logarithm: Any, of_reach: tuple[float, float, float]
) -> Any:
    """How far a member's log p may be from the centre's, for exp(s)/sum and for exp(log-softmax)."""
    own, of_quotient, of_logarithm = of_reach
    reach = uncertain - s
    relative = of_quotient * reach + quotient
    error = np.maximum(relative * (1 + 4 * relative), of_logarithm * reach + logarithm)
    return uncertain + own * reach + moved + error


def bound_of_softmax(p: Any, growth: Any, underflows: float, *operands: Any) -> Any:
    """Entry by entry, of exact probabilities."""
    return _grown(p, _error_of_softmax(*operands), growth) + underflows


def _rounded_bound_of_softmax(rounding: tuple[Any, ...], p: Any, *others: Any) -> Any:
    return rounded_bound(p, bound_of_softmax(p, *others), 1.0, *rounding)


def bounded_softmax(a: Bounded) -> tuple[Floats, Floats]:
    """Softmax and its bound before the centre's rounding."""
    p, *others = softmax_and_errors(a)
    return p, in_blocks(bound_of_softmax, p, *others)


@rule_for(softmax)
def softmax_(a: Bounded, seen: Any = None) -> Bounded:
    p, *others = softmax_and_errors(a, seen)
    rounding = a.context.rounding(0.0, profile_of("float64").constants["exp"])
    return Bounded(p, in_blocks(_rounded_bound_of_softmax, rounding, p, *others), a.context)


@rule_for(softmax_vjp, terms=2)
def softmax_vjp_(da: Bounded, p: Bounded) -> Bounded:
    context, classes = da.context, p.shape[-1]
    profile, own = context.profile, (classes + 3) * UNIT_ROUNDOFF_64
    u, lost = profile.u, 0.0 if profile.eager else profile.eta
    of_S, of_g = (u, u) if profile.eager else (7 * u, 2 * u)
    summed = classes * profile.u_sum * (1 + classes * profile.u_sum) * (1 + u)
    S = (da.value * p.value).sum(axis=-1, keepdims=True)
    off = in_blocks(_off_by, da.value, da.bound, p.value, p.bound, lost, summed + of_S + own)
    off_S = off.sum(axis=-1, keepdims=True) + classes * profile.eta * (1 + u)
    value = in_blocks(_softmax_vjp, da.value, p.value, S)
    bound = in_blocks(
        _bound_of_softmax_vjp, value, da.value, da.bound, da.as_summand, p.value, p.bound, S, off_S,
        (lost, of_g + own, 1 + 4 * u, 2 * (1 + classes), profile.largest), context.rounding(2.0, 0.0),
    )  # fmt: skip
    return Bounded(value, bound, context)


def _softmax_vjp(da: Any, p: Any, S: Any) -> Any:
    return p * (da - S)


def _uncertain(p: Any, p_bound: Any, lost: float) -> Any:
    """What is shown as 0 may not have underflowed."""
    return where(np.abs(p) < lost, np.maximum(p_bound, lost), p_bound)


def _off_by(da: Any, da_bound: Any, p: Any, p_bound: Any, lost: float, rounding: float) -> Any:
    """What an entry adds to how far a member's S is from the centre's: bounds, and so much of S's magnitude."""
    size, uncertain = np.abs(da), _uncertain(p, p_bound, lost)
    a = np.abs(p) + uncertain
    return da_bound * a + size * uncertain + rounding * ((size + da_bound) * a)


def _bound_of_softmax_vjp(
    value: Any, g: Any, g_bound: Any, read: Any, p: Any, p_bound: Any, S: Any, off_S: Any, constants: Any, rounding: Any
) -> Any:
    lost, of_g, inflated, underflows, largest = constants
    uncertain = _uncertain(p, p_bound, lost)
    off = read + off_S + of_g * (np.abs(g) + g_bound)
    gap = np.abs(g - S)
    total = where(gap + off <= largest, (np.abs(p) + uncertain) * off + uncertain * gap, np.inf)
    return rounded_bound(value, total * inflated, underflows, *rounding)
