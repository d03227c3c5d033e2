"""Rules of attention: scores scaled before or after the product, and a softmax that does not see every entry.

scaled product   (x / c) y, (x y) / c, (x y) fl(1/c)     fl(c) and one operation, on the result or on every factor
                 (x / sqrt c) (y / sqrt c)               the same of both factors: 4 u M, M as in `rules.sums`
                 A dot product of n terms, each off by 4 u: its own bound and 4 u M, both divided by c.
                 A factor that is scaled first may be flushed to 0, which is then multiplied by the other: eta |x|
                 and eta |y| for each of the terms.

causal softmax   As the softmax over the entries that are seen. The others are 0 in every program: exp of minus
                 infinity, of a number so small that it underflows, or nothing at all.

masked softmax   Likewise; where nothing is seen every program gives 0. A row of scores that are not all finite is
                 bounded nowhere, since a program may multiply what it hides by 0.

turned           x cos + x~ sin, two products and their sum, with cos and sin rounded once; or, where a gradient is
                 added up, either product by itself and the rest: the larger one in place of their sum

Sources: torch's aten/src/ATen/native/transformers/attention.cpp, which scales both factors by a root; jax.nn.
dot_product_attention, which scales the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.bounded import INFLATION, Bounded, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from harness.arithmetic.rules.softmax import bounded_softmax
from impls.hand.layers.attention import causal_softmax, scaled_product
from impls.hand.layers.masking import masked_softmax
from impls.hand.layers.rotary import partner, turned


@rule_for(scaled_product)
def scaled_product_(x: Bounded, y: Bounded, by: float) -> Bounded:
    context = x.context
    product = x @ y
    x_size, y_size = np.abs(x.value) + x.bound, np.abs(y.value) + y.bound
    magnitude = x_size @ y_size
    roundings = max(4.0, 1 + context.profile.constants["divide"])
    scaled = roundings * (context.profile.u + UNIT_ROUNDOFF_64) * magnitude * (1 + x.shape[-1] * context.profile.u)
    if block := context.profile.block:  # what is scaled first is no longer a number of the format that is read
        scaled = scaled + block.operand * (2 + block.operand) * magnitude * (1 + x.shape[-1] * context.profile.u)
    underflows = 2 * x.shape[-1] + x_size.sum(axis=-1, keepdims=True) + y_size.sum(axis=-2, keepdims=True)
    return context.rounded(product.value / by, (product.bound + scaled) / by, 0.0, underflows=underflows)


@rule_for(causal_softmax)
def causal_softmax_(z: Bounded) -> Bounded:
    return masked_softmax_(z, np.tri(z.shape[-1], dtype=bool))


@rule_for(masked_softmax)
def masked_softmax_(z: Bounded, seen: Any) -> Bounded:
    p, bound = bounded_softmax(z, seen)
    result = z.context.rounded(p, bound, 0.0, centre=profile_of("float64").constants["exp"])
    finite = (np.isfinite(z.value) & np.isfinite(z.bound)).all(axis=-1, keepdims=True)
    hidden = np.where(finite, 0.0, np.inf)  # 0 times what is not finite is no 0
    return Bounded(np.where(seen, p, 0.0), np.where(seen, result.bound, hidden), z.context)


@rule_for(turned, terms=2)
def turned_(x: Bounded, cos: Any, sin: Any, pairs: str) -> Bounded:
    """Torch, too, adds both products to what else there is of a gradient, one by one.

    What is rounded then is not their sum, but that of one of them and the rest, which may be larger where they cancel.
    """
    profile = x.context.profile
    result = turned.body(x, cos, sin, pairs)  # type: ignore[attr-defined]
    alone = np.maximum(np.abs(x.value * cos), np.abs(partner(x.value, pairs) * sin))
    result.bound = result.bound + INFLATION * profile.u_met * np.maximum(alone - np.abs(result.value), 0.0)
    result.terms = profile.meeting
    return result
