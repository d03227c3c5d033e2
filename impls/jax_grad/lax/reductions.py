"""Primitives that add up or choose along axes: reductions, windows, products, convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from impls.captured import Row, Rule
from impls.hand.operations import (
    convolution,
    extremes,
    products,
    reductions,
)
from impls.jax_grad.lax.table import Arguments, row


def _along(layer: Callable[[Sequence[int]], Any]) -> Row:
    return lambda a: a.reading(layer(tuple(a.axes)))


row("reduce_sum")(_along(reductions.Sum))
row("reduce_max")(_along(reductions.Max))
row("reduce_min")(_along(reductions.Min))


@row("cumsum")
def _(a: Arguments) -> Rule:
    return a.reading(reductions.CumulativeSum(a.axis, a.reverse))


def _of_windows(layer: Callable[..., Any]) -> Row:
    return lambda a: a.reading(
        layer(a.window_dimensions, a.window_strides, a.padding, a.base_dilation, a.window_dilation)
    )


row("reduce_window_sum")(_of_windows(extremes.SumOfWindows))
row("reduce_window_max")(_of_windows(extremes.MaxOfWindows))


@row("dot_general")
def _(a: Arguments) -> Rule:
    summed, batch = a.dimension_numbers
    return a.reading(products.Contraction(summed, batch))


@row("conv_general_dilated")
def _(a: Arguments) -> Rule | None:
    d, kernel = a.dimension_numbers, a.operands[1].shape
    if len(kernel) not in (3, 4) or a.batch_group_count != 1 or 0 in (*a.shape, *kernel):
        return None
    frame = [(*pair, gap - 1) for pair, gap in zip(a.padding, a.lhs_dilation, strict=True)]
    orders = (d.lhs_spec, d.rhs_spec, d.out_spec)
    layer = convolution.Convolution(
        kernel, orders, a.window_strides, frame, a.rhs_dilation, groups=a.feature_group_count
    )
    return a.reading(layer)
