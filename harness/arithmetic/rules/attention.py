"""Rules of attention: scores scaled before or after the product, and a softmax that does not see every entry.

scaled product   (x / c) y, (x y) / c, (x y) fl(1/c)     fl(c) and one operation, on the result or on every factor
                 (x / sqrt c) (y / sqrt c)               the same of both factors: 4 u M, M as in `rules.dot_products`
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

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import INFLATION, Bounded, Floats, rounded_bound, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64
from harness.arithmetic.rules.dot_products import carried_by, matrix_product, scaled_back, summed_bound
from harness.arithmetic.rules.softmax import softmax_
from impls.hand.layers.attention import causal_softmax, scaled_product
from impls.hand.layers.masking import masked_softmax
from impls.hand.layers.rotary import partner, turned


@rule_for(scaled_product)
def scaled_product_(x: Bounded, y: Bounded, by: float) -> Bounded:
    context = x.context
    profile, terms = context.profile, x.shape[-1]
    product = matrix_product(x, y)
    roundings = max(4.0, 1 + profile.constants["divide"])
    scaling = roundings * (profile.u + UNIT_ROUNDOFF_64)
    if block := profile.block:  # what is scaled first is no longer a number of the format that is read
        scaling += block.operand * (2 + block.operand)
    x_size, y_size = _largest(x), _largest(y)
    underflows = 2 * terms + x_size.sum(axis=-1, keepdims=True) + y_size.sum(axis=-2, keepdims=True)
    bound = in_blocks(
        _bound_of_scaled_product, *product, 1 / by, scaling * (1 + terms * profile.u), underflows, context.rounding(0.0)
    )
    return Bounded(product.value / by, bound, context)


def _largest(x: Bounded) -> Floats:
    """Magnitudes in any member."""
    size = x.context.operands.magnitude(x.value)
    return size if x.known else size + x.bound


def _bound_of_scaled_product(
    product: Any,
    exact: Any,
    of_y: Any,
    of_x: Any,
    scales: tuple[float, ...],
    rooms: tuple[float, ...],
    coefficients: tuple[float, ...],
    inverse: float,
    scaling: float,
    underflows: Any,
    rounding: tuple[Any, ...],
) -> Any:
    magnitude = scaled_back(exact, scales[0], rooms[0]) + carried_by(of_y, of_x, scales, rooms)
    scaled = summed_bound(product, exact, of_y, of_x, scales, rooms, coefficients) + scaling * magnitude
    return rounded_bound(product * inverse, scaled * inverse, underflows, *rounding)


@rule_for(causal_softmax)
def causal_softmax_(z: Bounded) -> Bounded:
    return masked_softmax_(z, np.tri(z.shape[-1], dtype=bool))


@rule_for(masked_softmax)
def masked_softmax_(z: Bounded, seen: Any) -> Bounded:
    result = softmax_(z, seen)
    finite = np.isfinite(z.value).all(axis=-1, keepdims=True)
    if not z.known:
        finite &= np.isfinite(z.bound).all(axis=-1, keepdims=True)
    hidden = np.where(finite, 0.0, np.inf)  # 0 times what is not finite is no 0
    return Bounded(result.value, np.where(seen, result.bound, hidden), z.context)


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
