"""Rules of erf, and of GELU and its tanh form with their derivatives: absolute where no relative error exists.

c_f is the constant of the elementary function f, erfc's an absolute one; A is the largest |z| of a member.

erf        2/sqrt(pi) exp(-y^2) E at the point of [Y - E, Y + E] nearest to 0, where the slope is largest

Phi        1/2 (1 + erf(z / sqrt 2))      torch, the hand code
           1/2 erfc(-z / sqrt 2)          JAX
           The argument's two roundings move Phi by 2 u |z| phi(z) <= 0.484 u. Then, in units of u, absolute:
               P = 0.484 + 1/2 max(c_erf |erf| + (1 + erf), c_erfc)
gelu       z Phi: u (A P + 2 |f|)

gelu'      Phi + z phi. The exponent z^2/2 is off by at most 5 u of itself (JAX squares z / sqrt 2), which moves
           z phi by 5/2 u |z|^3 phi <= 1.16 u; exp's constant, phi's own, three products and a sum:
               u (P + 1.16 + 0.242 (c_exp + 6) + |f'|),    |z| phi <= 0.242, |z|^3 phi <= 0.4626

gelu tanh  t is off by at most 8 u of itself, since z and z^3 have one sign; that moves tanh t by
           8 u |t| sech^2 t <= 3.6 u. With T = tanh t,
               Q = c_tanh |T| + 3.6          the error of T
               f = z/2 (1 + T): u (A/2 (Q + 1 + |T|) + 2 |f|)

gelu tanh' 1/2 (1 + T) + z/2 (1 - T^2) t', t' off by 6 u of itself; 1 - T^2 by 2 Q and by the union of
           tanh' (see smooth.py), max(T^2, |T| (1 + |T|)) + 3 (1 - T^2):
               u (1/2 (Q + 1 + |T|) + A/2 t' (2 Q + 2 + 13 (1 - T^2)) + |f'|)
           which is absolute and grows with t', as z^2: where T is close to 1 nothing is left of 1 - T^2.
           Where z^2, or 3 z^2 in JAX, overflows, the formulas give 0 times infinity.

JAX multiplies g z first in both derivatives, and g erfc, before it is halved, in the first: these may overflow
where the result does not.

Sources: torch's ATen/native/cpu/Gelu.h and Activation.cpp, jax.nn.gelu; the unions are derived here.
max |gelu''| = 2 phi(0) < 0.8 at 0; of the tanh form it is the same to three digits, found numerically: < 0.81.
Both derivatives lie between -0.13 and 1.13.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, Floats, rounded_bound, rule_for
from harness.arithmetic.loops import where
from harness.arithmetic.profile import profile_of
from harness.arithmetic.rules.smooth import (
    Constants,
    both,
    flushed,
    moved_by_argument,
    propagated_by_slope,
    times_slope,
)
from impls.hand.activations.gelu import CUBIC, ROOT_TWO_OVER_PI, erf, gelu, gelu_tanh, gelu_tanh_vjp, gelu_vjp

CURVATURE, STEEPEST, RANGE = 0.81, 1.13, 1.26


@rule_for(erf)
def erf_(y: Bounded) -> Bounded:
    nearest = np.maximum(np.abs(y.value) - y.bound, 0.0)
    slope = 2 / math.sqrt(math.pi) * np.exp(-nearest * nearest) * (1 + 1e-14)
    value = erf.body(y.value)  # type: ignore[attr-defined]
    p = y.context.profile
    besides = slope * y.bound + p.besides.get("erf", 0.0) * p.u
    return y.context.rounded(value, besides, p.constants["erf"], centre=profile_of("float64").constants["erf"])


def _slope_of_gelu(z: Floats) -> Floats:
    return gelu_vjp.body(np.ones_like(z), z)  # type: ignore[attr-defined]


def _normal_distribution_error(reach: Floats, c: Constants) -> Floats:
    """P: the absolute error of Phi in units of u."""
    largest = erf.body(reach * math.sqrt(0.5))  # type: ignore[attr-defined]
    return 0.484 + 0.5 * np.maximum(c["erf"] * largest + 2, c["erfc"])


@rule_for(gelu)
def gelu_(z: Bounded) -> Bounded:
    value, reach = gelu.body(z.value), np.abs(z.value) + z.bound  # type: ignore[attr-defined]
    propagated = moved_by_argument(z.bound, np.abs(_slope_of_gelu(z.value)), CURVATURE, STEEPEST)
    largest = np.abs(value) + propagated
    local = both(z.context, lambda u, c: u * (reach * _normal_distribution_error(reach, c) + 2 * largest))
    # z (1 + erf) may be halved last.
    local = np.where(2 * reach <= z.context.profile.largest, local, np.inf)
    return z.context.rounded(value, propagated + local, 0.0, underflows=2 + reach)


@rule_for(gelu_vjp, terms=2)
def gelu_vjp_(da: Bounded, z: Bounded) -> Bounded:
    reach = np.abs(z.value) + z.bound

    def error(u: float, c: Constants) -> Floats:
        return u * (_normal_distribution_error(reach, c) + 1.16 + 0.242 * (c["exp"] + 6) + STEEPEST)

    moved = np.minimum(CURVATURE * z.bound, RANGE)
    return times_slope(
        da, _slope_of_gelu(z.value), moved, both(da.context, error), 4 * (1 + reach), first=np.maximum(reach, 2.0)
    )


def _tanh_error(c: Constants) -> float:
    """Q: the absolute error of T in units of u."""
    return c["tanh"] + 3.6


def _tanh(z: Bounded) -> Floats:
    """T, which the rules of both read."""
    return z.context.once("tanh", z, lambda each: np.tanh(in_blocks(_inner, each.value)))


def _inner(z: Any) -> Any:
    """t, in the order of the hand code."""
    return z * (ROOT_TWO_OVER_PI + ROOT_TWO_OVER_PI * CUBIC * (z * z))


def _inner_nearest(z: Any, z_bound: Any) -> Any:
    """t of the member nearest to 0."""
    return _inner(np.maximum(np.abs(z) - z_bound, 0.0))


def _slope(z: Any, T: Any) -> Any:
    """gelu tanh'; where z^3 overflows T is 1, and what is left is 0 or 1."""
    near = np.minimum(np.maximum(z, -50.0), 50.0)
    slope = (ROOT_TWO_OVER_PI + 3 * ROOT_TWO_OVER_PI * CUBIC * (near * near)) * (1 - T * T) * near
    return 0.5 * (slope + 1 + T)


@rule_for(gelu_tanh)
def gelu_tanh_(z: Bounded) -> Bounded:
    T, context = _tanh(z), z.context
    value = in_blocks(_gelu_tanh, z.value, T)
    errors = both(context, lambda u, c: u * (_tanh_error(c) + 2) / 2), both(context, lambda u, _: 2 * u)
    bound = in_blocks(_bound_of_gelu_tanh, value, z.value, z.bound, T, errors, context.rounding(0.0))
    return Bounded(value, bound, context)


def _gelu_tanh(z: Any, T: Any) -> Any:
    return (T + 1) * (0.5 * z)


def _bound_of_gelu_tanh(
    value: Any, z: Any, z_bound: Any, T: Any, errors: tuple[Any, Any], rounding: tuple[Any, ...]
) -> Any:
    of_reach, of_result = errors
    reach = np.abs(z) + z_bound
    propagated = moved_by_argument(z_bound, np.abs(_slope(z, T)), CURVATURE, STEEPEST)
    local = reach * of_reach + (np.abs(value) + propagated) * of_result
    return rounded_bound(value, propagated + local, 2 + reach, *rounding)


@rule_for(gelu_tanh_vjp, terms=3)
def gelu_tanh_vjp_(da: Bounded, z: Bounded) -> Bounded:
    T, context = _tanh(z), da.context
    nearest = T if z.known else np.tanh(in_blocks(_inner_nearest, z.value, z.bound))
    errors = (
        both(context, lambda u, c: u * (0.5 * (_tanh_error(c) + 2) + STEEPEST)),
        both(context, lambda u, c: u * (_tanh_error(c) + 1)),
        both(context, lambda u, _: u * 6.5),
    )
    value = in_blocks(_times_slope, da.value, z.value, T)
    bound = in_blocks(
        _bound_of_gelu_tanh_vjp, value, da.value, da.bound, z.value, z.bound, T, nearest, errors,
        context.profile.largest, context.rounding(1.0, 2.0),
    )  # fmt: skip
    return Bounded(value, bound, context)


def _times_slope(da: Any, z: Any, T: Any) -> Any:
    return da * _slope(z, T)


def _bound_of_gelu_tanh_vjp(
    value: Any,
    da: Any,
    da_bound: Any,
    z: Any,
    z_bound: Any,
    T: Any,
    nearest: Any,
    errors: tuple[Any, Any, Any],
    most: float,
    rounding: tuple[Any, ...],
) -> Any:
    """`nearest` is T of the member nearest to 0."""
    flat, steep, tail = errors
    reach = np.abs(z) + z_bound
    inner = ROOT_TWO_OVER_PI * (1 + 3 * CUBIC * (reach * reach))
    local = flat + reach * inner * (steep + tail * (1 - nearest * nearest))
    moved = np.minimum(CURVATURE * z_bound, RANGE)
    first = where(3 * reach * reach <= most, reach, np.inf)
    propagated = propagated_by_slope(da, da_bound, _slope(z, T), moved, local, first, most)
    return rounded_bound(value, propagated, flushed(da, da_bound, 4 * (1 + reach * inner)), *rounding)
