"""Rules of the cosine distance: one bound for all formulas that frameworks use.

x / |x|    a root and a quotient (torch), or x rsqrt(sum x^2) (XLA's algebraic simplifier): by how much c_rsqrt + 1 is
           above c_sqrt + c_div

gradient   (a c / |a| - v) / |a|, v = y / |y|, c = sum a v / |a|: the hand code
           g v / |a| + a d / |a|, d = -sum g v a / |a| / |a|                       torch, through the norm
           g v / |a| + 2 a (d / (2 |a|)), d = -sum g v a |a|^-2                    JAX, through square and root
           Besides the lengths and v, which have their own roundings in all of them, and the sum, in any order: the
           hand code has 3 quotients and 3 roundings on its first term and a quotient and one on its second, JAX 2 and
           7, with |a| by rsqrt, a rounding more, up to three times; on its second 3 more. So no formula is further off
           than the hand code's by more than 8 u of both terms' magnitudes. In JAX's |a|^-2 may overflow, and g v |a|^-2
           be flushed before it is multiplied by a.

Sources: torch's derivatives.yaml (linalg_vector_norm, clamp_min, div);
optax/losses/_regression.py (cosine_similarity) and jax/_src/lax/lax.py (sqrt_p, div_p, integer_pow_p), read at the
pinned versions; the unions are derived here.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic.bounded import Bounded, rule_for
from harness.arithmetic.rules.smooth import both
from impls.hand.losses.cosine import cosine_vjp, length, of_length_one


@rule_for(of_length_one)
def of_length_one_(x: Bounded, eps: float) -> Bounded:
    result = of_length_one.body(x, eps)  # type: ignore[attr-defined]
    more = both(x.context, lambda u, c: np.asarray(u * max(0.0, c["rsqrt"] + 1 - c["sqrt"] - c["divide"])))
    return result.widened(more * (np.abs(result.value) + result.bound))


@rule_for(cosine_vjp)
def cosine_vjp_(a: Bounded, y: Bounded, eps: float) -> Bounded:
    result = cosine_vjp.body(a, y, eps)  # type: ignore[attr-defined]
    r, v = length(a, eps), of_length_one_(y, eps)
    least = np.maximum(r.value - r.bound, eps)
    a_size, v_size = np.abs(a.value) + a.bound, np.abs(v.value) + v.bound
    terms = (a_size * (a_size * v_size).sum(axis=-1, keepdims=True) / np.square(least) + v_size) / least
    p = a.context.profile
    lost = p.eta * a_size.sum(axis=-1, keepdims=True) * a_size / least
    overflows = np.where(p.largest * np.square(least) >= 1, 0.0, np.inf)
    return result.widened(both(a.context, lambda u, _: 8 * u * terms) + lost + overflows)
