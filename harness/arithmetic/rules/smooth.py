"""Rules of the smooth activations and their derivatives: one bound for all formulas that frameworks use.

s is the sigmoid; c_f is the constant of the elementary function f; A is the largest |z| of a member. What
E_z can do to f(z) is E_z (|f'(Z)| + C E_z / 2), and to f'(z) it is C E_z, with C = max |f''|.

sigmoid'   da a (1 - a), multiplied in any order: 1 - a and two products, 3 u.

tanh'      torch: g (1 - a^2)             u |g| (a^2 + 2 (1 - a^2))
           JAX:   (g + g a)(1 - a)        u |g| (|a| (1 - a) + 3 (1 - a^2))
           union: u |g| (max(a^2, |a| (1 + |a|)) + 3 (1 - a^2))
           g + g a may overflow where a is near 1, and is then multiplied by 0

elu'       torch: g alpha exp(z)          (c_exp + 3) u |g| alpha e^z
           JAX:   g alpha (expm1(z) + 1)  u |g| alpha (c_expm1 (1 - e^z) + 3 e^z): absolute, far left
           union: u |g| alpha (c_expm1 (1 - e^z) + (c_exp + 3) e^z); g itself right of 0

softplus   max(z, 0) + log1p(e^-|z|)      NumPy, JAX (logaddexp), torch's -logsigmoid(-z)
           log1p(e^z)                     torch's softplus up to its threshold
           union: u (c_exp s + (c_log1p + 1) f): a relative error d of e^z moves log1p(e^z) by d s

softplus'  g s(z), g e^z / (1 + e^z), and 1 - e^-z / (1 + e^-z) right of 0; the second is torch's up to its
                                          threshold, and there g e^z may overflow
                                          max(c_sigmoid + 1, c_exp + c_divide + 4) u |g| s
           JAX: g exp(z - f)              u |g| s (|z - f| + c_exp s + (c_log1p + 1) f + c_exp + 1)

silu       z s(z), z / (1 + e^-z)         (max(c_sigmoid, c_exp + 1 + c_divide) + 1) u |f| =: (c_s + 1) u |f|
           where e^-z overflows, or s is flushed to 0, f is off by at most A eta

silu'      g s (1 + z (1 - s)), g s + (g z)(s (1 - s))
           the term s is off by c_s u s; z s (1 - s) by u A s ((1 - s)(c_s + 5) + c_s s), since 1 - s has the
           absolute error of s; the sum is rounded: u |g| (s (c_s + 4) + A s ((1 - s)(c_s + 5) + c_s s))
           JAX multiplies g z first, which may overflow where s, and with it the result, is 0

Sources: formulas as in torch's derivatives.yaml and ATen's CPU kernels (Elu.h, Activation.cpp, UnaryOps), jax.nn
and jax.lax; the unions are derived here. max |softplus''| = 1/4 at 0, max |silu''| = 1/2 at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, Context, Floats, rounded_bound, rule_for
from harness.arithmetic.loops import where as either
from harness.arithmetic.profile import profile_of
from harness.arithmetic.rules.elementwise import greater, propagated_by_factors, where
from impls.hand.activations.sigmoidal import sigmoid, sigmoid_vjp, tanh_vjp
from impls.hand.activations.smooth import elu_vjp, silu, silu_vjp, softplus, softplus_vjp

Constants = Mapping[str, float]


def both(context: Context, error: Callable[[float, Constants], Any]) -> Any:
    """The error of a member plus that of the float64 centre, which is computed by the same formulas.

    `error` gives it to first order in u; a chain of fewer than 64 roundings exceeds that by less than 64 u
    of itself.
    """
    working, double = context.profile, profile_of("float64")
    return error(working.u, working.constants) * (1 + 64 * working.u) + error(double.u, double.constants) * (1 + 1e-14)


def moved_by_argument(bound: Any, slope: Any, curvature: float, steepest: float) -> Any:
    """How far f(x) can be from f(X), entry by entry: slope is |f'(X)|, the others are max |f''| and max |f'|."""
    return np.minimum(bound * (slope + curvature / 2 * bound), steepest * bound)


def times_slope(
    da: Bounded, slope: Floats, moved: Floats, local: Floats, underflows: Floats, *, first: Any = 1.0
) -> Bounded:
    """da f'(z): `moved` is what z's bound does to f', `local` the error of f' computed alone.

    `first` is the largest factor of f' that may be multiplied with da first: where that product overflows,
    nothing is bounded, however small the others are.
    """
    most = da.context.profile.largest
    propagated = in_blocks(propagated_by_slope, da.value, da.bound, slope, moved, local, first, most)
    lost = in_blocks(flushed, da.value, da.bound, underflows)
    return da.context.rounded(da.value * slope, propagated, 1.0, centre=2.0, underflows=lost)


def propagated_by_slope(da: Any, da_bound: Any, slope: Any, moved: Any, local: Any, first: Any, most: float) -> Any:
    """What the bounds of da and f' do to their product, and the error of f', entry by entry, see `times_slope`."""
    largest = np.abs(da) + da_bound
    propagated = propagated_by_factors(da, slope, da_bound, moved)
    return either(largest * first <= most, propagated + largest * local, np.inf)


def flushed(da: Any, da_bound: Any, underflows: Any) -> Any:
    return (1 + (np.abs(da) + da_bound)) * underflows


def sigmoid_at(z: Floats) -> Floats:
    """The sigmoid in float64."""
    return sigmoid.body(z)  # type: ignore[attr-defined]


def sigmoid_error(c: Constants) -> float:
    """c_s: the largest of the sigmoid's constant and of 1 / (1 + exp(-z)) by itself, in u."""
    return max(c["sigmoid"], c["exp"] + 1 + c["divide"])


def softplus_error(z: Floats, u: float, c: Constants) -> Floats:
    """Local error of softplus at z."""
    return u * (c["exp"] * sigmoid_at(z) + (c["log1p"] + 1) * np.logaddexp(z, 0))


def softplus_slope_error(z: Floats, u: float, c: Constants) -> Floats:
    """Local error of softplus' at z, relative to it: the union, the product with g apart."""
    f = np.logaddexp(z, 0)
    direct = u * max(c["sigmoid"], c["exp"] + c["divide"] + 3)
    of_jax = np.expm1(u * np.abs(z - f) + softplus_error(z, u, c)) + u * c["exp"]
    return np.maximum(direct, of_jax)


@rule_for(sigmoid_vjp)
def sigmoid_vjp_(da: Bounded, a: Bounded) -> Bounded:
    value = in_blocks(_times_sigmoid_slope, da.value, a.value)
    rounding = da.context.rounding(3.0, 4.0)
    bound = in_blocks(_bound_of_sigmoid_vjp, value, da.value, da.bound, a.value, a.bound, rounding)
    return Bounded(value, bound, da.context)


def _times_sigmoid_slope(da: Any, a: Any) -> Any:
    return da * (a * (1 - a))


def _bound_of_sigmoid_vjp(value: Any, da: Any, da_bound: Any, a: Any, a_bound: Any, rounding: tuple[Any, ...]) -> Any:
    moved = a_bound * (np.abs(1 - 2 * a) + a_bound)
    propagated = propagated_by_factors(da, a * (1 - a), da_bound, moved)
    return rounded_bound(value, propagated, flushed(da, da_bound, 3.0), *rounding)


@rule_for(tanh_vjp)
def tanh_vjp_(da: Bounded, a: Bounded) -> Bounded:
    context = da.context
    value = in_blocks(_times_tanh_slope, da.value, a.value)
    limits = context.profile.u, context.profile.largest
    rounding = context.rounding(0.0, 4.0)
    bound = in_blocks(_bound_of_tanh_vjp, value, da.value, da.bound, a.value, a.bound, limits, rounding)
    return Bounded(value, bound, context)


def _times_tanh_slope(da: Any, a: Any) -> Any:
    return da * ((1 - a) * (1 + a))


def _bound_of_tanh_vjp(
    value: Any, da: Any, da_bound: Any, a: Any, a_bound: Any, limits: tuple[float, float], rounding: tuple[Any, ...]
) -> Any:
    u, most = limits
    moved = a_bound * (2 * np.abs(a) + a_bound)
    output, largest = np.abs(a) + a_bound, np.abs(da) + da_bound
    slope = np.abs((1 - a) * (1 + a)) + moved
    propagated = da_bound * slope + np.abs(da) * moved
    local = u * largest * (np.maximum(output * output, output * (1 + output)) + 3 * slope) * (1 + 8 * u)
    sum_of_jax = largest * (1 + output) * (1 + 2 * u)
    local = either(sum_of_jax <= most, local, np.inf)
    return rounded_bound(value, propagated + local, 4 * (1 + largest), *rounding)


@rule_for(elu_vjp)
def elu_vjp_(da: Bounded, z: Bounded, alpha: float) -> Bounded:
    context, a = da.context, da.context.constant(alpha)
    left = np.minimum(z.value, 0)
    power = np.exp(left)
    slope = a.value * power
    # The largest e^z of a member, and what moves it: e^Z expm1(E), and never beyond 1.
    moved = np.minimum(power * np.expm1(z.bound), 1.0) * (a.value + a.bound) + a.bound * power

    def error(u: float, c: Constants) -> Floats:
        largest = np.minimum(power * np.exp(z.bound), 1.0)
        return u * a.value * (c["expm1"] * (1 - power * np.exp(-z.bound)) + (c["exp"] + 2) * largest)

    below = times_slope(da, slope, moved, both(context, error), np.asarray(4.0))
    undecided = (np.abs(z.value) <= z.bound) & (z.bound > 0)
    context.undecided += int(undecided.sum()) if alpha != 1 else 0
    above = z.value > 0
    gap = np.abs(da.value - below.value)
    bound = np.where(above, da.bound, below.bound)
    other = gap + np.where(above, below.bound, da.bound)
    return Bounded(
        np.where(above, da.value, below.value), np.where(undecided, np.maximum(bound, other), bound), context
    )


@rule_for(softplus)
def softplus_(z: Bounded) -> Bounded:
    value = softplus.body(z.value)  # type: ignore[attr-defined]
    top = z.value + z.bound
    local = both(z.context, lambda u, c: softplus_error(top, u, c))
    return z.context.rounded(value, sigmoid_at(top) * z.bound + local, 1.0, underflows=3.0)


@rule_for(softplus_vjp)
def softplus_vjp_(da: Bounded, z: Bounded, threshold: float | None = None) -> Bounded:
    slope, top = sigmoid_at(z.value), z.value + z.bound
    moved = np.minimum(z.bound / 4, slope * np.expm1(z.bound))

    def error(u: float, c: Constants) -> Floats:
        relative = np.maximum(softplus_slope_error(top, u, c), softplus_slope_error(z.value - z.bound, u, c))
        return sigmoid_at(top) * relative

    first = 1.0 if threshold is None else np.exp(np.clip(top, 0, max(threshold, 0)))
    underflows = np.asarray(4 * da.context.profile.lost_reciprocal)
    smooth = times_slope(da, slope, moved, both(da.context, error), underflows, first=first)
    return smooth if threshold is None else where(greater(z, z.context.constant(threshold)), da, smooth)


@rule_for(silu)
def silu_(z: Bounded) -> Bounded:
    s = sigmoid_at(z.value)
    value, reach = z.value * s, np.abs(z.value) + z.bound
    propagated = moved_by_argument(z.bound, np.abs(s * (1 + z.value * (1 - s))), 0.5, 1.1)
    largest = np.abs(value) + propagated
    local = both(z.context, lambda u, c: u * (sigmoid_error(c) + 1) * largest)
    return z.context.rounded(value, propagated + local, 0.0, underflows=(2 + reach) * z.context.profile.lost_reciprocal)


@rule_for(silu_vjp, terms=2)
def silu_vjp_(da: Bounded, z: Bounded) -> Bounded:
    s = sigmoid_at(z.value)
    slope, reach = s * (1 + z.value * (1 - s)), np.abs(z.value) + z.bound
    high, low = sigmoid_at(z.value + z.bound), sigmoid_at(z.bound - z.value)  # of s, and of 1 - s

    def error(u: float, c: Constants) -> Floats:
        c_s = sigmoid_error(c)
        return u * (high * (c_s + 4) + reach * high * (low * (c_s + 5) + c_s * high))

    moved = np.minimum(0.5 * z.bound, 1.3)  # silu' lies between -0.1 and 1.1
    underflows = 4 * (1 + reach) * da.context.profile.lost_reciprocal
    return times_slope(da, slope, moved, both(da.context, error), underflows, first=reach)
