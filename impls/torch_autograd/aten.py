"""ATen operations by the hand rules that they are: a line each.

An operation is called by its name and overload without ``aten.`` and ``.default``. What it read stands under the names
of its schema: a tensor as its `Place`, everything else as it is.

Which kernels these are on a CPU, and which formulas their derivatives have: torch's derivatives.yaml and ATen/native.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from impls.captured import Place, Rule
from impls.hand import activations
from impls.hand.layers import functions
from impls.hand.layers.adaptive_pooling import AdaptiveAvgPool2d
from impls.hand.layers.batch_norm import BatchNorm, BatchNormEvaluation
from impls.hand.layers.convolution import Conv2d
from impls.hand.layers.group_norm import GroupNorm
from impls.hand.layers.other_convolutions import Conv1d, ConvTranspose2d
from impls.hand.layers.pooling import AvgPool2d, MaxPool2d
from impls.hand.operations import arithmetic, losses, moving, products, reductions, rows


class Arguments:
    """What an operation read, by the names of its schema."""

    def __init__(self, op: Any, args: Sequence[Any], kwargs: dict[str, Any], outputs: Sequence[Any]) -> None:
        self._values: dict[str, Any] = {}
        self.placed: list[torch.Tensor] = []
        self.name = str(op)
        self.outputs = outputs
        for place, argument in enumerate(op._schema.arguments):
            given = kwargs.get(argument.name, argument.default_value)
            value = args[place] if place < len(args) and not argument.kwarg_only else given
            self._values[argument.name] = self._placed(value)

    def _placed(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            self.placed.append(value)
            return Place(len(self.placed) - 1)
        return [self._placed(each) for each in value] if isinstance(value, list | tuple) else value

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def value_of(self, name: str) -> torch.Tensor:
        """The tensor of that name."""
        return self.placed[self._values[name].number]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.value_of(name).shape)

    def axis_of(self, name: str, dim: int, new: int = 0) -> int:
        """An axis of it, counted from 0; `new` axes more than it has."""
        return dim % max(self.value_of(name).ndim + new, 1)


Row = Callable[[Arguments], Rule | None]
RULES: dict[str, Row] = {}
"""From the name of an operation to what makes its rule, None where an option has none."""


def row(*names: str) -> Callable[[Row], Row]:
    """Register what makes the rule of these operations."""

    def register(make: Row) -> Row:
        RULES.update(dict.fromkeys(names, make))
        return make

    return register


def rule_of(op: Any, args: Sequence[Any], kwargs: dict[str, Any], outputs: Sequence[Any]) -> Rule | None:
    """The hand rule of an operation, if there is one for its options."""
    name = str(op).removeprefix("aten.").removesuffix(".default")
    make = RULES.get(name) or RULES.get(in_place_of(name))
    if make is None or not str(op).startswith("aten."):
        return None
    return make(Arguments(op, args, kwargs, outputs))


def in_place_of(name: str) -> str:
    """The name of the operation that this one does in place: ``add.Tensor`` of ``add_.Tensor``."""
    first, dot, overload = name.partition(".")
    return f"{first[:-1]}{dot}{overload}" if first.endswith("_") and not first.startswith("_") else name


# Entry by entry, of two.


def _pair(names: str, make: Callable[[Arguments], Any]) -> None:
    @row(*names.split())
    def _(a: Arguments) -> Rule:
        return Rule(layer=make(a), reads={"p": a.self, "q": a.other})


_pair("add.Tensor add.Scalar", lambda a: arithmetic.Add(a.alpha))
_pair("sub.Tensor sub.Scalar", lambda a: arithmetic.Subtract(a.alpha))
_pair("mul.Tensor mul.Scalar", lambda _: arithmetic.Multiply())
_pair("div.Tensor div.Scalar", lambda _: arithmetic.Divide())
_pair("maximum", lambda _: arithmetic.Maximum())
_pair("minimum", lambda _: arithmetic.Minimum())


@row("rsub.Scalar", "rsub.Tensor")
def _(a: Arguments) -> Rule | None:
    return Rule(layer=arithmetic.Subtract(), reads={"p": a.other, "q": a.self}) if a.alpha == 1 else None


@row("where.self")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.Choose(), reads={"c": a.condition, "p": a.self, "q": a.other})


@row("masked_fill.Scalar", "masked_fill.Tensor")
def _(a: Arguments) -> Rule:
    value = a.value if isinstance(a.value, Place) else np.full((), a.value, float)
    return Rule(layer=arithmetic.Choose(), reads={"c": a.mask, "p": value, "q": a.self})


@row("pow.Tensor_Scalar")
def _(a: Arguments) -> Rule | None:
    return Rule(layer=functions.Power(float(a.exponent)), reads={"z": a.self}) if a.exponent else None


@row("pow.Tensor_Tensor")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.PowerOf(), reads={"p": a.self, "q": a.exponent})


@row("reciprocal")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.Divide(), reads={"p": 1.0, "q": a.self})


@row("neg")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.Negative(), reads={"x": a.self})


@row("lerp.Tensor", "lerp.Scalar")
def _(a: Arguments) -> Rule:
    return Rule(layer=arithmetic.Between(), reads={"p": a.self, "q": a.end, "t": a.weight})


@row("addcmul")
def _(a: Arguments) -> Rule:
    layer = arithmetic.AddProduct(float(a.value))
    return Rule(layer=layer, reads={"s": a.self, "p": a.tensor1, "q": a.tensor2})


# Entry by entry, of one.


def _function(name: str, make: Callable[[Arguments], Any]) -> None:
    @row(name)
    def _(a: Arguments) -> Rule:
        return Rule(layer=make(a), reads={"z": a.self})


for _name, _layer in {
    "sigmoid": activations.Sigmoid, "tanh": activations.Tanh, "relu": activations.Relu, "silu": activations.Silu,
    "exp": functions.Exp, "log": functions.Log, "log1p": functions.Log1p, "sqrt": functions.Sqrt,
    "rsqrt": functions.Rsqrt, "abs": functions.Abs, "sin": functions.Sin, "cos": functions.Cos, "erf": functions.Erf,
    "hardsigmoid": activations.HardSigmoid,
}.items():  # fmt: skip
    _function(_name, lambda _, layer=_layer: layer())  # type: ignore[misc]
_function("gelu", lambda a: activations.GeluTanh() if a.approximate == "tanh" else activations.Gelu())
_function("leaky_relu", lambda a: activations.LeakyRelu(float(a.negative_slope)))


@row("elu")
def _(a: Arguments) -> Rule | None:
    usual = a.scale == 1 and a.input_scale == 1
    return Rule(layer=activations.Elu(float(a.alpha)), reads={"z": a.self}) if usual else None


@row("softplus")
def _(a: Arguments) -> Rule | None:
    usual = a.beta == 1 and a.threshold == 20
    return Rule(layer=activations.Softplus(20.0), reads={"z": a.self}) if usual else None


@row("clamp", "hardtanh", "clamp_min", "clamp_max")
def _(a: Arguments) -> Rule | None:
    ends = (getattr(a, "min", None), getattr(a, "max", None))
    low, high = ends if "hardtanh" not in a.name else (a.min_val, a.max_val)
    low, high = (-np.inf if low is None else low), (np.inf if high is None else high)
    if not all(isinstance(end, int | float) for end in (low, high)) or not low < high:
        return None
    return Rule(layer=arithmetic.Clamp(float(low), float(high)), reads={"z": a.self})


# What only moves entries.


def _moved(a: Arguments, move: moving.Move, back: moving.Move | None = None, what: str = "self") -> Rule:
    return Rule(layer=moving.Moved(move, back), reads={"x": getattr(a, what)})


@row(
    "view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "squeeze.dim", "squeeze.dims", "clone", "alias",
    "detach", "_reshape_alias", "contiguous", "view_as", "lift_fresh",
)  # fmt: skip
def _(a: Arguments) -> Rule:
    shape = tuple(a.outputs[0].shape)
    return _moved(a, lambda x: x.reshape(shape), lambda ds: ds)


@row("_to_copy")
def _(a: Arguments) -> Rule | None:
    return Rule(layer=arithmetic.Cast(), reads={"x": a.self}) if a.outputs[0].is_floating_point() else None


def _permuted(a: Arguments, order: Sequence[int]) -> Rule:
    order = [axis % len(order) for axis in order]
    return _moved(a, lambda x: np.transpose(x, order), lambda ds: np.transpose(ds, np.argsort(order)))


@row("permute")
def _(a: Arguments) -> Rule:
    return _permuted(a, a.dims)


@row("t")
def _(a: Arguments) -> Rule:
    return _permuted(a, range(a.value_of("self").ndim)[::-1])


@row("transpose.int")
def _(a: Arguments) -> Rule:
    order = list(range(a.value_of("self").ndim))
    if order:
        first, second = a.axis_of("self", a.dim0), a.axis_of("self", a.dim1)
        order[first], order[second] = second, first
    return _permuted(a, order)


@row("expand")
def _(a: Arguments) -> Rule:
    shape = tuple(a.outputs[0].shape)
    return Rule(layer=Expanded(shape), reads={"x": a.self})


class Expanded(moving.Moved):
    """x repeated to a shape: its gradient is a sum along the axes that it was repeated along."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(lambda x: np.broadcast_to(x, shape))

    def dx(self, ds: Any, x: Any) -> Any:
        """The sum."""
        return arithmetic.unbroadcast(ds, x.shape)


@row("slice.Tensor")
def _(a: Arguments) -> Rule:
    axis = a.axis_of("self", a.dim)
    cut = (*(slice(None),) * axis, slice(a.start, a.end, a.step))
    return _moved(a, lambda x: x[cut])


@row("select.int")
def _(a: Arguments) -> Rule:
    at = (*(slice(None),) * a.axis_of("self", a.dim), a.index)
    return _moved(a, lambda x: x[at])


@row("index.Tensor")
def _(a: Arguments) -> Rule:
    index = tuple(slice(None) if i is None else a.placed[i.number].numpy() for i in a.indices)
    return _moved(a, lambda x: x[index])


@row("index_select")
def _(a: Arguments) -> Rule:
    places, axis = a.value_of("index").numpy(), a.axis_of("self", a.dim)
    return _moved(a, lambda x: np.take(x, places, axis=axis))


@row("gather")
def _(a: Arguments) -> Rule:
    places, axis = a.value_of("index").numpy(), a.axis_of("self", a.dim)
    cut = tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(places.shape))
    return _moved(a, lambda x: np.take_along_axis(x[cut], places, axis=axis) if x.ndim else x)


@row("flip")
def _(a: Arguments) -> Rule:
    return _moved(a, lambda x: np.flip(x, tuple(a.dims)), lambda ds: np.flip(ds, tuple(a.dims)))


@row("roll")
def _(a: Arguments) -> Rule:
    axes = tuple(a.dims) if a.dims else None
    shifts = tuple(a.shifts) if axes else a.shifts[0]
    return _moved(a, lambda x: np.roll(x, shifts, axes))


@row("repeat")
def _(a: Arguments) -> Rule:
    return _moved(a, lambda x: np.tile(x, a.repeats))


@row("diagonal")
def _(a: Arguments) -> Rule:
    return _moved(a, lambda x: np.diagonal(x, a.offset, a.dim1, a.dim2))


@row("unfold")
def _(a: Arguments) -> Rule | None:
    if not a.value_of("self").ndim:
        return None
    axis = a.axis_of("self", a.dimension)

    def windows(x: Any) -> Any:
        every = np.lib.stride_tricks.sliding_window_view(x, a.size, axis)
        return every[(*(slice(None),) * axis, slice(None, None, a.step))]

    return _moved(a, windows)


@row("constant_pad_nd")
def _(a: Arguments) -> Rule | None:
    pairs = list(zip(a.pad[::2], a.pad[1::2], strict=True))[::-1]
    widths = [(0, 0)] * (a.value_of("self").ndim - len(pairs)) + pairs
    if a.value or min(min(pair) for pair in widths) < 0:
        return None
    return Rule(layer=Padded(widths), reads={"x": a.self})


class Padded(moving.Moved):
    """x in a frame of zeros."""

    def __init__(self, widths: Sequence[tuple[int, int]]) -> None:
        def back(ds: Any) -> Any:
            return ds[tuple(slice(b, n - e) for (b, e), n in zip(widths, ds.shape, strict=True))]

        super().__init__(lambda x: np.pad(x, widths), back)


def _triangle(a: Arguments, triangle: Callable[..., Any]) -> Rule:
    shape = a.shape_of("self")
    kept = triangle(np.ones(shape[-2:], bool), a.diagonal)
    zero = np.zeros(())
    return Rule(layer=arithmetic.Choose(), reads={"c": np.broadcast_to(kept, shape), "p": a.self, "q": zero})


@row("tril")
def _(a: Arguments) -> Rule:
    return _triangle(a, np.tril)


@row("triu")
def _(a: Arguments) -> Rule:
    return _triangle(a, np.triu)


@row("cat")
def _(a: Arguments) -> Rule | None:
    parts = [p for p in a.tensors if a.placed[p.number].ndim == a.outputs[0].ndim]  # one of shape (0,) counts nothing
    axis = a.dim % max(a.outputs[0].ndim, 1)
    layer = moving.Joined([a.placed[p.number].shape[axis] for p in parts], axis)
    return Rule(layer=layer, reads=dict(zip(layer.reads, parts, strict=True))) if parts else None


@row("stack")
def _(a: Arguments) -> Rule:
    axis = a.dim % (a.placed[0].ndim + 1)
    layer = moving.Joined([1] * len(a.tensors), axis, stacked=True)
    return Rule(layer=layer, reads=dict(zip(layer.reads, a.tensors, strict=True)))


def _parted(a: Arguments, sizes: Sequence[int], *, squeezed: bool = False) -> Rule:
    layer = moving.Parted(sizes, a.axis_of("self", a.dim), squeezed)
    return Rule(layer=layer, reads={"x": a.self}, gives=tuple(range(len(sizes))))


@row("split.Tensor", "split_with_sizes", "chunk")
def _(a: Arguments) -> Rule:
    axis = a.axis_of("self", a.dim)
    return _parted(a, [part.shape[axis] for part in a.outputs])


@row("unbind.int")
def _(a: Arguments) -> Rule:
    return _parted(a, [1] * len(a.outputs), squeezed=True)


@row("scatter_add", "scatter.src")
def _(a: Arguments) -> Rule:
    axis, places = a.axis_of("self", a.dim), a.value_of("index").numpy()
    shape, cut = a.shape_of("self"), tuple(map(slice, a.shape_of("index")))
    if not shape:
        return Rule(layer=moving.Put(lambda x: x, "add" in a.name), reads={"x": a.self, "v": a.src})

    def chosen(x: Any) -> Any:
        inside = tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(places.shape))
        return np.take_along_axis(x[inside], places, axis=axis)

    layer = moving.Put(chosen, "add" in a.name, of=lambda v: v[cut])
    return Rule(layer=layer, reads={"x": a.self, "v": a.src})


@row("index_add")
def _(a: Arguments) -> Rule | None:
    if a.alpha != 1 or not a.value_of("self").ndim:
        return None
    at = (*(slice(None),) * a.axis_of("self", a.dim), a.value_of("index").numpy().reshape(-1))
    return Rule(layer=moving.Put(lambda x: x[at], adds=True), reads={"x": a.self, "v": a.source})


@row("index_put")
def _(a: Arguments) -> Rule:
    index = tuple(slice(None) if i is None else a.placed[i.number].numpy() for i in a.indices)
    return Rule(layer=moving.Put(lambda x: x[index], a.accumulate), reads={"x": a.self, "v": a.values})


@row("embedding")
def _(a: Arguments) -> Rule | None:
    if a.scale_grad_by_freq or a.sparse:
        return None
    return Rule(layer=rows.Lookup(a.padding_idx if a.padding_idx >= 0 else None), reads={"W": a.weight, "i": a.indices})


# Reductions.


@row("sum", "sum.dim_IntList")
def _(a: Arguments) -> Rule | None:
    return _reduced(a, reductions.Sum)


@row("mean", "mean.dim")
def _(a: Arguments) -> Rule | None:
    return _reduced(a, reductions.Mean)


def _reduced(a: Arguments, layer: Callable[..., Any]) -> Rule | None:
    if getattr(a, "dtype", None) not in (None, a.value_of("self").dtype):
        return None
    axes = getattr(a, "dim", None) or None
    return Rule(layer=layer(axes, getattr(a, "keepdim", False)), reads={"x": a.self})


@row("amax", "amin")
def _(a: Arguments) -> Rule:
    return Rule(layer=_extreme(a)(a.dim or None, a.keepdim), reads={"x": a.self})


def _extreme(a: Arguments) -> type[reductions.Max]:
    return reductions.Min if "min" in a.name else reductions.Max


@row("max.dim", "min.dim")
def _(a: Arguments) -> Rule:
    return Rule(layer=_extreme(a)([a.dim], a.keepdim, first=True), reads={"x": a.self})


@row("max", "min")
def _(a: Arguments) -> Rule:
    return Rule(layer=_extreme(a)(None), reads={"x": a.self})


@row("sort", "sort.stable", "topk", "kthvalue", "median.dim", "mode", "cummax", "cummin")
def _(a: Arguments) -> Rule:
    axis, places = a.axis_of("self", a.dim), a.outputs[1].numpy()
    kept = getattr(a, "keepdim", True) or not a.value_of("self").ndim

    def chosen(x: Any) -> Any:
        if not x.ndim:
            return x
        index = places if kept else np.expand_dims(places, axis)
        taken = np.take_along_axis(x, index, axis=axis)
        return taken if kept else np.squeeze(taken, axis)

    return _moved(a, chosen)


@row("logsumexp")
def _(a: Arguments) -> Rule:
    return Rule(layer=reductions.LogSumExp(a.dim or None, a.keepdim), reads={"x": a.self})


@row("var.correction")
def _(a: Arguments) -> Rule | None:
    correction = 1 if a.correction is None else a.correction
    return Rule(layer=reductions.Variance(a.dim or None, int(correction), a.keepdim), reads={"x": a.self})


@row("cumsum")
def _(a: Arguments) -> Rule:
    return Rule(layer=reductions.CumulativeSum(a.axis_of("self", a.dim)), reads={"x": a.self})


# Products.


@row("mm", "bmm")
def _(a: Arguments) -> Rule:
    other = a.mat2
    return Rule(layer=products.MatrixProduct(), reads={"p": a.self, "q": other})


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


# Rows.


@row("_softmax")
def _(a: Arguments) -> Rule | None:
    return None if a.half_to_float else Rule(layer=rows.Softmax(a.axis_of("self", a.dim)), reads={"z": a.self})


@row("_log_softmax")
def _(a: Arguments) -> Rule | None:
    return None if a.half_to_float else Rule(layer=rows.LogSoftmax(a.axis_of("self", a.dim)), reads={"z": a.self})


@row("native_layer_norm")
def _(a: Arguments) -> Rule:
    shape = tuple(a.normalized_shape)
    g = np.ones(shape) if a.weight is None else a.weight
    b = np.zeros(shape) if a.bias is None else a.bias
    return Rule(layer=rows.LayerNorm(len(shape), a.eps), reads={"x": a.input, "g": g, "b": b})


@row("native_group_norm")
def _(a: Arguments) -> Rule | None:
    if a.weight is None or a.bias is None:
        return None
    return Rule(layer=GroupNorm(a.group, a.C, a.eps), reads={"x": a.input, "g": a.weight, "b": a.bias})


@row("native_batch_norm", "_native_batch_norm_legit")
def _(a: Arguments) -> Rule | None:
    if a.weight is None or a.bias is None:
        return None
    channels = a.shape_of("input")[1]
    reads = {"x": a.input, "g": a.weight, "b": a.bias}
    if a.training:
        return Rule(layer=BatchNorm(channels, a.eps), reads=reads)
    kept = {"running_mean": a.running_mean, "running_var": a.running_var}
    return Rule(layer=BatchNormEvaluation(channels, a.eps), reads=reads | kept)


MOST_KEYS = 512
"""That one block of the attention kernel takes; of several it scales the sums of the earlier ones again."""


@row("_scaled_dot_product_flash_attention_for_cpu")
def _(a: Arguments) -> Rule | None:
    if a.dropout_p or a.shape_of("key")[-2] > MOST_KEYS:
        return None
    scale = 1 / math.sqrt(a.shape_of("query")[-1]) if a.scale is None else a.scale
    mask = None
    if a.attn_mask is not None:
        given = a.value_of("attn_mask").detach()
        if given.requires_grad or given.dtype == torch.bool or not torch.isfinite(given).all():
            return None
        mask = np.asarray(given.numpy(), np.float64)
    layer = rows.Attention(float(scale), a.is_causal, mask)
    return Rule(layer=layer, reads={"q": a.query, "k": a.key, "v": a.value})


# Losses.

REDUCTIONS = ("none", "mean", "sum")


@row("nll_loss_forward", "nll_loss2d_forward")
def _(a: Arguments) -> Rule:
    weights = None if a.weight is None else a.value_of("weight").detach().numpy()
    layer = losses.NegativeLogLikelihood(REDUCTIONS[a.reduction], a.ignore_index, weights)
    return Rule(layer=layer, reads={"x": a.self, "y": a.target})


@row("mse_loss")
def _(a: Arguments) -> Rule:
    return Rule(layer=losses.SquaredError(REDUCTIONS[a.reduction]), reads={"a": a.self, "y": a.target})


@row("binary_cross_entropy_with_logits")
def _(a: Arguments) -> Rule | None:
    if a.weight is not None or a.pos_weight is not None:
        return None
    return Rule(layer=losses.LogitCrossEntropy(REDUCTIONS[a.reduction]), reads={"a": a.self, "y": a.target})
