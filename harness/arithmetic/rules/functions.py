"""Rules of 1 / sqrt(z), its derivative and a quotient's by the divisor: one bound for all formulas that frameworks use.

rsqrt    1 / sqrt(z), rsqrt(z)                     sqrt(Z / (Z - E)) - 1, and max(c_rsqrt, c_sqrt + c_div) itself =: c
rsqrt'   -1/2 a^3 (torch), -1/2 a / z (JAX), a the function's own value, and the hand code's -1/2 / (z sqrt z)
         (Z / (Z - E))^(3/2) - 1; of roundings 3 c from a^3 and at most 5 more of products and the quotient

         Where -1/2 z^(-3/2) overflows, so does one of their parts, and nothing is bounded.

log      a compiler makes z of log(exp(z)) (XLA's algebraic simplifier): the logarithm of what exp gives before its
         constant c_exp, which moves log by c_exp u

z^c      a power function, within c_exp u; for whole c |c| - 1 products in any order, and for c below 0 a quotient.
         A c that the dtype lacks is rounded first: |c ln z| u more. 1/z^|c| is infinite where z^|c| underflows
         exp(c x) where z is exp(x) (XLA's algebraic simplifier): c_exp (|c| + 1) and |c ln z| u more
(z^c)'   c z^(c-1) in any order; c - 1 may be of the rounded c

p^q      as z^c: what q and p can be moves q log p, by which the power is off; exactly 0 where p is and q is above 0

-ds p / q^2    ds (p / q) / q (torch) and ds p / q / q, a product and two quotients; (ds q^-2) p (JAX), three products
         and a quotient. Where q^2 underflows, or any part overflows, nothing is bounded. A part that is flushed is
         multiplied by what is left, which rounds by c_div + 1 more at most:
         p / q       eta |ds / q|        p / q / q, p q^-2    eta |ds|
         q^-2        eta |ds p|          ds q^-2              eta |p|
         and what is left of ds p and of ds p / q the hand code bounds, which has them itself

Sources: torch's derivatives.yaml and FunctionsManual.cpp (div_tensor_other_grad), jax/_src/lax/lax.py (rsqrt_p, div_p,
pow_p, integer_pow_p), XLA's algebraic simplifier (pow); the unions are derived here. Largest seen of a power function
in float32, of NumPy, torch and JAX on 24 million points: 1.76 u.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.arithmetic.bounded import INFLATION, Bounded, Floats, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from harness.arithmetic.rules.smooth import Constants, both, times_slope
from harness.arithmetic.rules.sums import compounded
from impls.hand.layers.broadcasting import divisor_vjp, raised
from impls.hand.layers.functions import Erf, log, power, power_vjp, rsqrt, rsqrt_vjp


def root_error(c: Constants) -> float:
    """c, the largest of rsqrt's own constant and of a quotient and a root, in u."""
    return max(c["rsqrt"], c["sqrt"] + c["divide"])


def _moved(z: Bounded, power: float) -> Floats:
    """How far z^-power can be moved by z's bound, relative to it."""
    least = z.value - z.bound
    return np.where(least > 0, np.power(z.value / least, power) - 1, np.inf)


def _power_error(z: Bounded, c: float, moved: float) -> Callable[[float, Constants], Floats]:
    """Error of a member's z^c, relative; `moved` is what its c is off."""
    low, high = np.maximum(np.abs(z.value) - z.bound, 0.0), np.abs(z.value) + z.bound
    logarithm = np.maximum(np.abs(np.log(low)), np.abs(np.log(high))) if moved else 0.0

    def error(u: float, constants: Constants) -> Floats:
        products = abs(c) - 1 + (constants["divide"] if c < 0 else 0.0) if c == int(c) else 0.0
        flushed = (c < 0) & (c == int(c)) & (low ** abs(c) < z.context.profile.eta)
        return np.where(flushed, np.inf, np.expm1(u * max(constants["exp"], products) + moved * logarithm))

    return error


def _power_moved(z: Bounded, c: float) -> Floats:
    """How far z's bound can move z^c."""
    low, high = np.maximum(np.abs(z.value) - z.bound, 0.0), np.abs(z.value) + z.bound
    steepest = abs(c) * np.maximum(np.power(low, c - 1), np.power(high, c - 1))
    return np.where(z.bound > 0, np.where((low > 0) | (c >= 1), steepest * z.bound, np.inf), 0.0)


def _of_exp(z: Bounded, exponent: float | Floats) -> Floats:
    """Relative error of exp(c ln z) in place of z^c, ln z being what exp gave z of before it rounded."""
    p, largest = z.context.profile, np.abs(z.value)
    logarithm, size = np.abs(np.log(np.where(largest > 0, largest, 1.0))), np.abs(exponent)
    return (0.0 if p.eager else p.u) * (p.constants["exp"] * (size + 1) + 2 * size * logarithm)


@rule_for(power)
def power_(z: Bounded, exponent: float) -> Bounded:
    value, moved = np.power(z.value, exponent), _power_moved(z, exponent)
    error = _power_error(z, exponent, float(z.context.constant(exponent).bound))
    local = (both(z.context, error) + _of_exp(z, exponent)) * (np.abs(value) + moved)
    return z.context.rounded(value, moved + local, 0.0)


@rule_for(power_vjp)
def power_vjp_(da: Bounded, z: Bounded, exponent: float) -> Bounded:
    constant, less = z.context.constant(exponent), z.context.constant(exponent - 1)
    slope, moved = exponent * np.power(z.value, exponent - 1), abs(exponent) * _power_moved(z, exponent - 1)
    error = _power_error(z, exponent - 1, float(constant.bound + less.bound))
    local = both(z.context, lambda u, c: error(u, c) + 2 * u) + constant.bound / abs(exponent)
    local = local + _of_exp(z, exponent - 1)
    local = local * (np.abs(slope) + moved)
    reach = np.abs(slope) + moved + local
    local = np.where(reach <= z.context.profile.largest, local, np.inf)
    return times_slope(da, slope, moved, local, np.asarray(2 * (1 + abs(exponent))))


@rule_for(raised)
def raised_(p: Bounded, q: Bounded) -> Bounded:
    value, middle = np.power(p.value, q.value), q.value * np.log(p.value)
    ends = [np.log(np.maximum(p.value + side * p.bound, 0.0)) for side in (-1, 1)]
    corners = [(q.value + side * q.bound) * end for side in (-1, 1) for end in ends]
    far: Floats = np.max([np.abs(corner - middle) for corner in corners], axis=0)
    far = far + np.where(far > 0, 4 * UNIT_ROUNDOFF_64 * np.abs(middle), 0.0)
    local = both(p.context, lambda u, c: u * c["exp"] + 0 * far) + _of_exp(p, q.value)
    bound = np.abs(value) * np.expm1(far + local)
    zero = (p.value == 0) & (p.bound == 0) & (q.value - q.bound > 0)
    result = p.context.rounded(value, np.where(np.isnan(bound), np.inf, bound), 0.0)
    return Bounded(value, np.where(zero, 0.0, result.bound), p.context)


@rule_for(rsqrt)
def rsqrt_(z: Bounded) -> Bounded:
    value = 1 / np.sqrt(z.value)
    centre = root_error(profile_of("float64").constants)
    return z.context.rounded(value, value * _moved(z, 0.5), root_error(z.context.profile.constants), centre=centre)


@rule_for(rsqrt_vjp)
def rsqrt_vjp_(da: Bounded, z: Bounded) -> Bounded:
    slope = -0.5 / (z.value * np.sqrt(z.value))
    moved = np.abs(slope) * _moved(z, 1.5)
    local = both(z.context, lambda u, c: u * (3 * root_error(c) + 5) * (np.abs(slope) + moved))
    first = np.where(4 * (np.abs(slope) + moved) <= da.context.profile.largest, 1.0, np.inf)
    return times_slope(da, slope, moved, local, 4 * (1 + np.abs(slope)), first=first)


@rule_for(Erf.dz)
def erf_vjp(layer: Erf, da: Bounded, z: Bounded) -> Bounded:
    """Either factor of the slope may be multiplied in first, and the product be a subnormal number."""
    made: Bounded = Erf.dz.body(layer, da, z)  # type: ignore[attr-defined]
    return made.widened(2 / math.sqrt(math.pi) * da.context.profile.eta)


@rule_for(log)
def log_(z: Bounded) -> Bounded:
    of_exp = z.context.profile.constants["exp"] * z.context.profile.u if z.contracted else 0.0
    return np.log(z).widened(of_exp)


@rule_for(divisor_vjp)
def divisor_vjp_(ds: Bounded, p: Bounded, q: Bounded) -> Bounded:
    profile, result = ds.context.profile, divisor_vjp.body(ds, p, q)  # type: ignore[attr-defined]
    D, P, low = np.abs(ds.value) + ds.bound, np.abs(p.value) + p.bound, np.abs(q.value) - q.bound
    least, most = np.square(low), np.square(np.abs(q.value) + q.bound)
    # Of (p / q) / q and ds q^-2 each may overflow, and is then multiplied by what makes it small again.
    first = np.maximum(D, P) * np.maximum(1.0, 1 / least)
    within = (least > profile.eta) & (most <= profile.largest) & (first <= profile.largest)
    left = INFLATION * (1 + compounded(profile.u, profile.constants["divide"] + 1)) * (D / low + D + D * P + P)
    return result.with_bound(np.where(within, result.bound + left * profile.eta, np.inf))
