"""Matrix products, convolutions, pooling, and recurrent layers that are one operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from impls.captured import Rule
from impls.hand.layers.adaptive_pooling import AdaptiveAvgPool2d
from impls.hand.layers.convolution import Conv2d
from impls.hand.layers.matrix_product import MatrixProduct
from impls.hand.layers.other_convolutions import Conv1d, ConvTranspose2d
from impls.hand.layers.pooling import AvgPool2d, MaxPool2d
from impls.hand.operations import products, recurrence
from impls.torch_autograd.arrays import array_of
from impls.torch_autograd.aten.table import Arguments, row


@row("mm", "bmm")
def _(a: Arguments) -> Rule:
    other = a.mat2
    return Rule(layer=MatrixProduct(), reads={"p": a.self, "q": other})


@row("addmm")
def _(a: Arguments) -> Rule:
    layer = products.AffineProduct(float(a.beta), float(a.alpha))
    return Rule(layer=layer, reads={"b": a.self, "x": a.mat1, "W": a.mat2})


@row("baddbmm")
def _(a: Arguments) -> Rule:
    layer = products.AffineProduct(float(a.beta), float(a.alpha))
    return Rule(layer=layer, reads={"b": a.self, "x": a.batch1, "W": a.batch2})


@row("mv")
def _(a: Arguments) -> Rule:
    return Rule(layer=products.VectorProduct(), reads={"p": a.self, "q": a.vec})


@row("dot")
def _(a: Arguments) -> Rule:
    return Rule(layer=products.VectorProduct(), reads={"p": a.self, "q": a.tensor})


@row("convolution")
def _(a: Arguments) -> Rule | None:
    weight, x = a.shape_of("weight"), a.value_of("input")
    transposed, spatial = a.transposed, len(weight) - 2
    if spatial not in (1, 2) or x.ndim != len(weight) or (transposed and spatial == 1):
        return None

    def each(sizes: Sequence[int]) -> Any:
        return list(sizes) * (2 // len(sizes)) if spatial == 2 else sizes[0]

    kernel = each(weight[2:])
    options = {"stride": each(a.stride), "padding": each(a.padding), "dilation": each(a.dilation)}
    if transposed:
        layer: Any = ConvTranspose2d(
            weight[0], weight[1] * a.groups, kernel, **options, output_padding=each(a.output_padding),
            groups=a.groups, bias=a.bias is not None,
        )  # fmt: skip
    else:
        kind = Conv2d if spatial == 2 else Conv1d
        layer = kind(weight[1] * a.groups, weight[0], kernel, **options, groups=a.groups, bias=a.bias is not None)
    return Rule(layer=layer, reads={"x": a.input, "W": a.weight, "b": a.bias})


@row("max_pool2d_with_indices")
def _(a: Arguments) -> Rule | None:
    if a.value_of("self").ndim != 4 or set(a.dilation) != {1} or a.ceil_mode:
        return None
    layer = MaxPool2d(list(a.kernel_size), list(a.stride or a.kernel_size), _of_two(a.padding))
    return Rule(layer=layer, reads={"x": a.self})


@row("avg_pool2d")
def _(a: Arguments) -> Rule | None:
    if a.value_of("self").ndim != 4 or a.ceil_mode or a.divisor_override:
        return None
    layer = AvgPool2d(
        list(a.kernel_size), list(a.stride or a.kernel_size), _of_two(a.padding),
        count_include_pad=a.count_include_pad,
    )  # fmt: skip
    return Rule(layer=layer, reads={"x": a.self})


@row("_adaptive_avg_pool2d")
def _(a: Arguments) -> Rule | None:
    if a.value_of("self").ndim != 4:
        return None
    return Rule(layer=AdaptiveAvgPool2d(list(a.output_size)), reads={"x": a.self})


def _of_two(sizes: Sequence[int]) -> list[int]:
    return [sizes[0], sizes[-1]]


LONG_SHORT_TERM = 2
"""The mode of oneDNN's recurrent layers that is an LSTM (ideep::rnn_kind)."""


@row("mkldnn_rnn_layer")
def _(a: Arguments) -> Rule | None:
    if a.mode != LONG_SHORT_TERM or a.batch_sizes:
        return None
    biases = {"b": a.weight2, "d": a.weight3} if a.has_biases else {"b": None, "d": None}
    reads = {"x": a.input, "W": a.weight0, "U": a.weight1, **biases, "h": a.hx_, "c": a.cx_}
    reads["ran"] = array_of(a.outputs[0])
    return Rule(layer=recurrence.LongShortTermMemory(a.reverse), reads=reads, gives=(0, 1, 2))
