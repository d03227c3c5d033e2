"""From what is written by hand to what torch has: operations of layers and losses, elementary functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Any

import torch
from torch.nn import functional

from impls import hand
from impls.contract import CannotCompareError
from impls.hand.losses.classes import rows_in
from impls.operations import (
    Operation,
    Operations,
    binary,
    categorical,
    guarded,
    looked_up,
    on_logits,
    penalised,
    scaled,
)


def _softplus(layer: hand.Softplus) -> Operation:
    if layer.threshold is None:
        return lambda z: -functional.logsigmoid(-z)  # nn.Softplus is this one with a threshold
    return partial(functional.softplus, threshold=layer.threshold)


_softmax = partial(torch.softmax, dim=-1)


def _inner(loss: Any) -> Operation:
    return operation_of(loss, "loss")


def _binary_cross_entropy(loss: hand.BinaryCrossEntropy) -> Operation:
    return functional.binary_cross_entropy if loss.clamp else binary(loss, torch.log, torch.log1p, torch.clamp)


def _sparse_categorical(loss: hand.SparseCategoricalCrossEntropy) -> Operation:
    kept = guarded(loss, torch.clamp)
    return lambda a, y: -torch.log(kept(a.gather(-1, y[..., None]))).mean()


def _cross_entropy(classes: int) -> Operation:
    """On rows of classes, all axes but the last as one; `classes` counts the axes of classes that the targets have."""
    return lambda a, y: functional.cross_entropy(a.flatten(0, -2), y.flatten(0, -1 - classes))


def _of_length_one(x: torch.Tensor, loss: Any) -> torch.Tensor:
    """Not functional.cosine_similarity, which keeps a term below eps that belongs to no derivative."""
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(loss.eps)


def _weighted(loss: hand.WeightedCrossEntropy) -> Operation:
    def of_labels(a: Any, y: Any) -> Any:
        weights = None if loss.class_weights is None else a.new_tensor(loss.class_weights)
        ignored = -100 if loss.ignore_index is None else loss.ignore_index
        return functional.cross_entropy(
            a.flatten(0, -2), y.flatten(), weights, ignore_index=ignored, label_smoothing=loss.label_smoothing
        )

    return of_labels


def _dense(_: hand.Dense) -> Operation:
    def affine(x: Any, W: Any, b: Any = None) -> Any:
        if b is None:
            return x @ W
        return torch.addmm(b, x, W) if x.ndim == 2 else functional.linear(x, W.T, b)

    return affine


def _split_heads(layer: hand.SplitHeads) -> Operations:
    def part(which: int, x: Any) -> Any:
        return x.chunk(3, dim=-1)[which].unflatten(-1, (layer.heads, -1)).transpose(1, 2)

    return {name: partial(part, which) for which, name in enumerate(layer.gives)}


def _causal_softmax(z: Any) -> Any:
    later = torch.ones(z.shape[-2:], dtype=torch.bool, device=z.device).triu(1)
    return torch.softmax(z.masked_fill(later, float("-inf")), dim=-1)


def _masked_softmax(layer: hand.MaskedSoftmax) -> Operation:
    def softmax(z: Any, m: Any) -> Any:
        hidden = (m == 0).reshape(len(m), *(1,) * (z.ndim - 2), -1)
        if layer.causal:
            hidden = hidden | torch.ones(z.shape[-2:], dtype=torch.bool, device=z.device).triu(1)
        return torch._safe_softmax(z.masked_fill(hidden, float("-inf")), dim=-1)  # as scaled_dot_product_attention

    return softmax


def _rotary(layer: hand.Rotary) -> Operation:
    def turned(x: Any) -> Any:
        cos, sin = (x.new_tensor(table) for table in layer.table(x.shape))
        if layer.pairs == "halves":
            p, q = x.chunk(2, dim=-1)
            return x * cos + torch.cat([-q, p], dim=-1) * sin
        p, q = x[..., ::2], x[..., 1::2]
        return x * cos + torch.stack([-q, p], dim=-1).flatten(-2) * sin

    return turned


def _convolution(layer: hand.Conv2d) -> Operation:
    how = {"stride": layer.windows.stride, "dilation": layer.windows.dilation, "groups": layer.groups}

    def convolved(x: Any, W: Any, b: Any = None) -> Any:
        (top, bottom), (left, right) = layer.windows.frame(x.shape[2:])
        if (top, left) == (bottom, right):
            return functional.conv2d(x, W, b, padding=(top, left), **how)
        return functional.conv2d(functional.pad(x, (left, right, top, bottom)), W, b, **how)

    return convolved


def _convolution_1d(layer: hand.Conv1d) -> Operation:
    (_, stride), (_, dilation) = layer.windows.stride, layer.windows.dilation

    def convolved(x: Any, W: Any, b: Any = None) -> Any:
        _, (left, right) = layer.windows.frame((1, x.shape[2]))
        padding = left if left == right else 0
        x = x if left == right else functional.pad(x, (left, right))
        return functional.conv1d(x, W, b, stride, padding, dilation, layer.groups)

    return convolved


def _transposed_convolution(layer: hand.ConvTranspose2d) -> Operation:
    windows = layer.inner.windows
    return lambda x, W, b=None: functional.conv_transpose2d(
        x, W, b, windows.stride, windows.padding, layer.more, layer.groups, windows.dilation
    )


def _batch_norm(layer: hand.BatchNorm) -> Operations:
    share = layer.momentum if layer.momentum_from == "torch" else 1 - layer.momentum

    def kept(mean: bool, x: Any, before: Any) -> Any:
        """What torch's own kernel makes of its running statistics."""
        if not (mean or layer.unbiased):
            raise CannotCompareError(
                f"Cannot run {layer!r} in torch, because its running variance is always unbiased; use unbiased=True."
            )
        means, variances = (before.clone() if this else torch.ones_like(before) for this in (mean, not mean))
        functional.batch_norm(x.detach(), means, variances, training=True, momentum=share, eps=layer.eps)
        return means if mean else variances

    return {
        "h": lambda x, g, b: functional.batch_norm(x, None, None, g, b, training=True, eps=layer.eps),
        "next_running_mean": partial(kept, True),
        "next_running_var": partial(kept, False),
    }


def _batch_norm_evaluation(layer: hand.BatchNormEvaluation) -> Operations:
    return {
        "h": lambda x, g, b, mean, var: functional.batch_norm(x, mean, var, g, b, eps=layer.eps),
        "next_running_mean": torch.clone,
        "next_running_var": torch.clone,
    }


FORWARD: dict[type, Callable[[Any], Operations]] = {
    hand.Dense: _dense,
    hand.Embedding: lambda _: functional.embedding,
    hand.LayerNorm: lambda o: lambda x, g, b: functional.layer_norm(x, (o.width,), g, b, o.eps),
    hand.RMSNorm: lambda o: lambda x, g: functional.rms_norm(x, (o.width,), g, o.eps),
    hand.GroupNorm: lambda o: lambda x, g, b: functional.group_norm(x, o.groups, g, b, o.eps),
    hand.Positions: lambda _: lambda x, W: x + W[: x.shape[1]],
    hand.Unembedding: lambda _: functional.linear,
    hand.SplitHeads: _split_heads,
    hand.MergeHeads: lambda _: lambda x: x.transpose(1, 2).flatten(2),
    hand.AttentionScores: lambda _: lambda q, k: q @ k.transpose(-1, -2) / sqrt(q.shape[-1]),
    hand.CausalSoftmax: lambda _: _causal_softmax,
    hand.MaskedSoftmax: _masked_softmax,
    hand.Heads: lambda o: lambda x: x.unflatten(-1, (o.heads, -1)).transpose(1, 2),
    hand.RepeatHeads: lambda o: partial(torch.repeat_interleave, repeats=o.times, dim=1),
    hand.Rotary: _rotary,
    hand.MatrixProduct: lambda _: torch.matmul,
    hand.Add: lambda _: torch.add,
    hand.Multiply: lambda _: torch.mul,
    hand.Concatenate: lambda o: lambda p, q: torch.cat([p, q], dim=-1 if o.axis is None else o.axis),
    # Tensors of their own, so that their gradients are too.
    hand.Split: lambda o: {
        "p": lambda x: x.narrow(o.axis_in(x.shape), 0, o.at).clone(),
        "q": lambda x: x.tensor_split([o.at], dim=o.axis_in(x.shape))[1].clone(),
    },
    hand.Stack: lambda o: lambda p, q: torch.stack([p, q], dim=o.axis),
    hand.Slice: lambda o: lambda x: x[o.cut].clone(),
    hand.Pad: lambda o: lambda x: functional.pad(x, [n for pair in reversed(o.widths) for n in pair], value=o.value),
    hand.Gather: lambda o: lambda x, i: torch.gather(x, o.axis, i),
    hand.ScatterAdd: lambda o: lambda x, i: x.new_zeros(o.of_sample(x.shape)).scatter_add(o.axis, i, x),
    hand.Reshape: lambda o: lambda x: x.reshape(len(x), *o.shape).clone(),
    hand.Flatten: lambda _: lambda x: x.flatten(1).clone(),
    hand.Transpose: lambda o: lambda x: x.permute(0, *o.axes).clone(),
    hand.Conv2d: _convolution,
    hand.Conv1d: _convolution_1d,
    hand.ConvTranspose2d: _transposed_convolution,
    hand.AdaptiveAvgPool2d: lambda o: partial(functional.adaptive_avg_pool2d, output_size=o.made),
    hand.Einsum: lambda o: partial(torch.einsum, o.subscripts),
    hand.Exp: lambda _: torch.exp,
    hand.Log: lambda _: torch.log,
    hand.Log1p: lambda _: torch.log1p,
    hand.Sqrt: lambda _: torch.sqrt,
    hand.Rsqrt: lambda _: torch.rsqrt,
    hand.Abs: lambda _: torch.abs,
    hand.Erf: lambda _: torch.erf,
    hand.Power: lambda o: partial(torch.pow, exponent=o.exponent),
    hand.Sin: lambda _: torch.sin,
    hand.Cos: lambda _: torch.cos,
    hand.Clip: lambda o: partial(torch.clamp, min=o.low, max=o.high),
    hand.Subtract: lambda _: torch.sub,
    hand.Divide: lambda _: torch.div,
    hand.Pow: lambda _: torch.pow,
    hand.Maximum: lambda _: torch.maximum,
    hand.Minimum: lambda _: torch.minimum,
    hand.Where: lambda _: lambda c, p, q: torch.where(c == 1, p, q),
    hand.Max: lambda o: partial(torch.amax, dim=o.axes, keepdim=True),
    hand.Variance: lambda o: partial(torch.var, dim=o.axes, correction=int(o.unbiased), keepdim=True),
    hand.LogSumExp: lambda o: partial(torch.logsumexp, dim=o.axes, keepdim=True),
    hand.CumulativeSum: lambda o: partial(torch.cumsum, dim=o.axis),
    hand.Sum: lambda o: partial(torch.sum, dim=o.axes, keepdim=True),
    hand.Mean: lambda o: partial(torch.mean, dim=o.axes, keepdim=True),
    hand.Dropout: lambda o: lambda x, m: x * m * (1 / (1 - o.rate)),
    hand.BatchNorm: _batch_norm,
    hand.BatchNormEvaluation: _batch_norm_evaluation,
    hand.MaxPool2d: lambda o: partial(
        functional.max_pool2d, kernel_size=o.windows.kernel, stride=o.windows.stride, padding=o.windows.padding
    ),
    hand.AvgPool2d: lambda o: partial(
        functional.avg_pool2d,
        kernel_size=o.windows.kernel,
        stride=o.windows.stride,
        padding=o.windows.padding,
        count_include_pad=o.count_include_pad,
    ),
    hand.GlobalAvgPool2d: lambda _: lambda x: x.mean(dim=(2, 3)),
    hand.Sigmoid: lambda _: torch.sigmoid,
    hand.Tanh: lambda _: torch.tanh,
    hand.Relu: lambda _: torch.relu,
    hand.LeakyRelu: lambda o: partial(functional.leaky_relu, negative_slope=o.slope),
    hand.HardSigmoid: lambda _: functional.hardsigmoid,
    hand.Elu: lambda o: partial(functional.elu, alpha=o.alpha),
    hand.Softplus: _softplus,
    hand.Silu: lambda _: functional.silu,
    hand.Gelu: lambda _: functional.gelu,
    hand.GeluTanh: lambda _: partial(functional.gelu, approximate="tanh"),
    hand.Softmax: lambda _: partial(torch.softmax, dim=-1),
    # A tensor of its own, so that its gradient has one too.
    hand.Identity: lambda _: lambda z: z.view_as(z),
    hand.SumSquaredError: lambda _: partial(functional.mse_loss, reduction="sum"),
    hand.MeanSquaredError: lambda _: functional.mse_loss,
    hand.Huber: lambda o: partial(functional.huber_loss, delta=o.delta),
    hand.MeanAbsoluteError: lambda _: functional.l1_loss,
    hand.BinaryCrossEntropy: _binary_cross_entropy,
    hand.LogitBinaryCrossEntropy: lambda o: on_logits(
        o, _inner, torch.sigmoid, functional.binary_cross_entropy_with_logits
    ),
    hand.SoftmaxCrossEntropy: lambda o: on_logits(o, _inner, _softmax, _cross_entropy(0)),
    hand.OneHotCrossEntropy: lambda o: on_logits(o, _inner, _softmax, _cross_entropy(1)),
    hand.CategoricalCrossEntropy: lambda o: categorical(o, torch.log, torch.clamp),
    hand.SparseCategoricalCrossEntropy: _sparse_categorical,
    hand.WeightedCrossEntropy: _weighted,
    hand.KullbackLeibler: lambda _: lambda a, y: functional.kl_div(a, y, reduction="sum") / rows_in(a),
    hand.CosineDistance: lambda o: lambda a, y: (1 - (_of_length_one(a, o) * _of_length_one(y, o)).sum(-1)).mean(),
    hand.Hinge: lambda _: lambda a, y: torch.relu(1 - y * a).mean(),
    hand.Scaled: lambda o: scaled(o, _inner),
    hand.Penalised: lambda o: penalised(o, _inner, torch.square, torch.abs),
}
"""From a hand layer or loss to torch's operation with its parameters; a row is all that a new layer needs."""


def operation_of(part: Any, local: str) -> Operation:
    """torch's operation for a hand layer or loss, as `looked_up` says."""
    return looked_up(FORWARD, "torch", "impls/torch_autograd/operations.py", part, local)


ELEMENTARY: dict[str, Callable[..., Any]] = {
    "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p, "tanh": torch.tanh,
    "sigmoid": torch.sigmoid, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "erf": torch.erf, "erfc": torch.erfc,
    "sin": torch.sin, "cos": torch.cos, "divide": torch.div,
}  # fmt: skip
"""From the name in the constants table to torch's eager function."""


def _looked_up(x: torch.Tensor) -> torch.Tensor:
    table = x.new_zeros((1, 1), requires_grad=True)
    rows = functional.embedding(x.new_zeros(len(x), dtype=torch.int64), table)
    return torch.autograd.grad(rows, table, x[:, None])[0][0, 0]


ACCUMULATIONS: dict[str, Callable[[Any], Any]] = {
    "sums": lambda x: torch.stack([x, x], dim=1).sum(dim=0)[0],
    "products": lambda x: (x[None] @ x.new_ones((len(x), 2)))[0, 0],
    "meetings": _looked_up,
}
"""From what is added up to a sum of all numbers that are given."""
