"""Rules of 1 / sqrt(z), its derivative and a quotient's by the divisor: one bound for all formulas that frameworks use.

rsqrt    1 / sqrt(z), rsqrt(z)                     sqrt(Z / (Z - E)) - 1, and max(c_rsqrt, c_sqrt + c_div) itself =: c
rsqrt'   -1/2 a^3 (torch), -1/2 a / z (JAX), a the function's own value, and the hand code's -1/2 / (z sqrt z)
         (Z / (Z - E))^(3/2) - 1; of roundings 3 c from a^3 and at most 5 more of products and the quotient

         Where -1/2 z^(-3/2) overflows, so does one of their parts, and nothing is bounded.

log      a compiler makes z of log(exp(z)) (XLA's algebraic simplifier): the logarithm of what exp gives before its
         constant c_exp, which moves log by c_exp u

-ds p / q^2    ds (p / q) / q (torch) and ds p / q / q, a product and two quotients; ds p q^-2 (JAX), where q^2 may
         underflow or overflow: nothing is bounded there

Sources: torch's derivatives.yaml, jax/_src/lax/lax.py (rsqrt_p, div_p); the unions are derived here.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.profile import profile_of
from harness.arithmetic.rules.smooth import Constants, both, times_slope
from impls.hand.layers.broadcasting import divisor_vjp
from impls.hand.layers.functions import log, rsqrt, rsqrt_vjp


def root_error(c: Constants) -> float:
    """c, the largest of rsqrt's own constant and of a quotient and a root, in u."""
    return max(c["rsqrt"], c["sqrt"] + c["divide"])


def _moved(z: Bounded, power: float) -> Floats:
    """How far z^-power can be moved by z's bound, relative to it."""
    least = z.value - z.bound
    return np.where(least > 0, np.power(z.value / least, power) - 1, np.inf)


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


@rule_for(log)
def log_(z: Bounded) -> Bounded:
    of_exp = z.context.profile.constants["exp"] * z.context.profile.u if z.contracted else 0.0
    return np.log(z).widened(of_exp)


@rule_for(divisor_vjp)
def divisor_vjp_(ds: Bounded, p: Bounded, q: Bounded) -> Bounded:
    profile, result = ds.context.profile, divisor_vjp.body(ds, p, q)  # type: ignore[attr-defined]
    least, most = np.square(np.abs(q.value) - q.bound), np.square(np.abs(q.value) + q.bound)
    result.bound = np.where((least > profile.eta) & (most <= profile.largest), result.bound, np.inf)
    return result
