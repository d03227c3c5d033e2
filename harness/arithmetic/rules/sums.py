"""Rules of sums, dot products and matrix products, valid for any order of summation.

    sum of n        sum E + (n - 1) u_acc sum A + n eta
    dot product     M - N + n u_acc M + 2 n eta,   M = A(X) A(Y), N = |X| |Y|  (matrix products)

in any order, blocked, split or fused. M - N = |X| E_Y + E_X |Y| + E_X E_Y is what the operands' bounds
can do. The float64 centre is such a sum too: n 2^-53 N.

No higher-order term is missing: |fl(sum) - sum| <= (n - 1) u sum |x_i| holds for any n and any order
(Rump, "Error estimation of floating-point summation and dot product", BIT 52 (2012)), and n u for dot
products (Jeannerod and Rump, "Improved error bounds for inner products in floating-point arithmetic",
SIAM J. Matrix Anal. Appl. 34 (2013)).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.bounded import INFLATION, Bounded, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64


@rule_for(np.sum)
def sum_(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    context, p = x.context, x.context.profile
    value = np.sum(x.value, axis=axis, keepdims=keepdims)
    terms = x.size // max(value.size, 1)
    magnitude = np.sum(np.abs(x.value), axis=axis, keepdims=keepdims)
    propagated = np.sum(x.bound, axis=axis, keepdims=keepdims)
    local = (terms - 1) * p.u_acc * (magnitude + propagated)
    own = terms * UNIT_ROUNDOFF_64 * magnitude
    # The sums of magnitudes are float64 sums of positive terms, so up to n roundings too small.
    slack = 1 + 2 * terms * UNIT_ROUNDOFF_64
    bound = (propagated + local + own) * slack
    return context.rounded(value, bound, 0.0, underflows=terms)


@rule_for(np.max)
def max_(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    value = np.max(x.value, axis=axis, keepdims=keepdims)
    low = np.max(x.value - x.bound, axis=axis, keepdims=keepdims)
    high = np.max(x.value + x.bound, axis=axis, keepdims=keepdims)
    return Bounded(value, np.maximum(high - value, value - low) * INFLATION, x.context)


@rule_for(np.matmul)
def matmul(x: Bounded, y: Bounded) -> Bounded:
    context, p, terms = x.context, x.context.profile, x.shape[-1]
    value = x.value @ y.value
    x_abs, y_abs = np.abs(x.value), np.abs(y.value)
    exact = x_abs @ y_abs
    largest, propagated = exact, np.zeros_like(exact)
    if x.bound.any() or y.bound.any():
        largest = (x_abs + x.bound) @ (y_abs + y.bound)
        # M - N is a difference of float64 matrix products, each with up to n roundings.
        propagated = np.maximum(largest - exact, 0) + 2 * terms * UNIT_ROUNDOFF_64 * largest
    slack = 1 + 2 * terms * UNIT_ROUNDOFF_64
    local = terms * p.u_acc * largest + terms * UNIT_ROUNDOFF_64 * exact
    result = context.rounded(value, propagated + local * slack, 0.0, underflows=2 * terms)
    result.terms = terms
    return result
