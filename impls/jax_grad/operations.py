"""From what is written by hand to what JAX and optax have: operations of layers and losses, elementary functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
import optax

from impls import hand
from impls.contract import CannotCompareError
from impls.jax_grad.attention import heads, masked_softmax, rotary, split_heads
from impls.jax_grad.images import (
    adaptive_average,
    average,
    convolution,
    convolution_1d,
    over_windows,
    transposed_convolution,
)
from impls.jax_grad.normalisation import batch_norm, batch_norm_evaluation, group_norm, layer_norm, rms_norm
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
        return jax.nn.softplus
    return lambda z: jnp.where(z > layer.threshold, z, jax.nn.softplus(z))


def _split(layer: hand.Split, part: int, x: Any) -> Any:
    return jnp.split(x, [layer.at], axis=layer.axis_in(x.shape))[part]


def _scatter_add(layer: hand.ScatterAdd, x: Any, i: Any) -> Any:
    grid = list(jnp.indices(i.shape, sparse=True))
    grid[layer.axis] = i
    return jnp.zeros(layer.of_sample(x.shape), x.dtype).at[tuple(grid)].add(x)


def _cross_entropy(a: Any, y: Any) -> Any:
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(a), y[..., None], axis=-1))


def _weighted(loss: hand.WeightedCrossEntropy) -> Operation:
    def of_labels(a: Any, y: Any) -> Any:
        rows, y = a.reshape(-1, a.shape[-1]), y.ravel()
        classes, kept = a.shape[-1], jnp.ones(y.shape, bool) if loss.ignore_index is None else y != loss.ignore_index
        v = jnp.ones(classes, a.dtype) if loss.class_weights is None else jnp.asarray(loss.class_weights, a.dtype)
        smoothed = optax.smooth_labels(jax.nn.one_hot(y, classes, dtype=a.dtype), loss.label_smoothing)
        each = optax.softmax_cross_entropy(rows, v * smoothed)
        return jnp.sum(each, where=kept) / jnp.sum(jnp.take(v, y), where=kept)

    return of_labels


def _binary_cross_entropy(loss: hand.BinaryCrossEntropy) -> Operation:
    if loss.clamp:
        raise CannotCompareError(
            f"Cannot run {loss!r} in JAX, because that backward pass is PyTorch's own and no derivative of its "
            f"forward pass; use BinaryCrossEntropy() or LogitBinaryCrossEntropy()."
        )
    return binary(loss, jnp.log, jnp.log1p, jnp.clip)


def _sparse_categorical(loss: hand.SparseCategoricalCrossEntropy) -> Operation:
    kept = guarded(loss, jnp.clip)
    return lambda a, y: -jnp.mean(jnp.log(kept(jnp.take_along_axis(a, y[..., None], axis=-1))))


def _inner(loss: Any) -> Operation:
    return operation_of(loss, "loss")


FORWARD: dict[type, Callable[[Any], Operations]] = {
    hand.Dense: lambda _: lambda x, W, b=None: x @ W if b is None else x @ W + b,
    hand.Embedding: lambda _: lambda i, W: jnp.take(W, i, axis=0),
    hand.LayerNorm: layer_norm,
    hand.RMSNorm: rms_norm,
    hand.GroupNorm: group_norm,
    hand.Positions: lambda _: lambda x, W: x + W[: x.shape[1]],
    hand.Unembedding: lambda _: lambda x, W: x @ W.T,
    hand.SplitHeads: split_heads,
    hand.MergeHeads: lambda _: lambda x: jnp.swapaxes(x, 1, 2).reshape(x.shape[0], x.shape[2], -1),
    hand.AttentionScores: lambda _: lambda q, k: q @ jnp.swapaxes(k, -1, -2) / sqrt(q.shape[-1]),
    hand.CausalSoftmax: lambda _: lambda z: jax.nn.softmax(jnp.where(jnp.tri(z.shape[-1], dtype=bool), z, -jnp.inf)),
    hand.MaskedSoftmax: masked_softmax,
    hand.Heads: heads,
    hand.RepeatHeads: lambda o: partial(jnp.repeat, repeats=o.times, axis=1),
    hand.Rotary: rotary,
    hand.MatrixProduct: lambda _: jnp.matmul,
    hand.Add: lambda _: jnp.add,
    hand.Multiply: lambda _: jnp.multiply,
    hand.Concatenate: lambda o: lambda p, q: jnp.concatenate([p, q], axis=-1 if o.axis is None else o.axis),
    hand.Split: lambda o: {name: partial(_split, o, part) for part, name in enumerate(o.gives)},
    hand.Stack: lambda o: lambda p, q: jnp.stack([p, q], axis=o.axis),
    hand.Slice: lambda o: lambda x: x[o.cut],
    hand.Pad: lambda o: lambda x: jnp.pad(x, [(0, 0), *map(tuple, o.widths)], constant_values=o.value),
    hand.Gather: lambda o: lambda x, i: jnp.take_along_axis(x, i, axis=o.axis),
    hand.ScatterAdd: lambda o: partial(_scatter_add, o),
    hand.Reshape: lambda o: lambda x: x.reshape(len(x), *o.shape),
    hand.Flatten: lambda _: lambda x: x.reshape(len(x), -1),
    hand.Transpose: lambda o: lambda x: jnp.transpose(x, (0, *o.axes)),
    hand.Conv2d: convolution,
    hand.Conv1d: convolution_1d,
    hand.ConvTranspose2d: transposed_convolution,
    hand.AdaptiveAvgPool2d: adaptive_average,
    hand.Einsum: lambda o: partial(jnp.einsum, o.subscripts),
    hand.Exp: lambda _: jnp.exp,
    hand.Log: lambda _: jnp.log,
    hand.Log1p: lambda _: jnp.log1p,
    hand.Sqrt: lambda _: jnp.sqrt,
    hand.Rsqrt: lambda _: jax.lax.rsqrt,
    hand.Abs: lambda _: jnp.abs,
    hand.Erf: lambda _: jax.scipy.special.erf,
    hand.Power: lambda o: lambda z: jnp.power(z, int(o.exponent) if o.exponent.is_integer() else o.exponent),
    hand.Sin: lambda _: jnp.sin,
    hand.Cos: lambda _: jnp.cos,
    hand.Clip: lambda o: partial(jnp.clip, min=o.low, max=o.high),
    hand.Subtract: lambda _: jnp.subtract,
    hand.Divide: lambda _: jnp.divide,
    hand.Pow: lambda _: jnp.power,
    hand.Maximum: lambda _: jnp.maximum,
    hand.Minimum: lambda _: jnp.minimum,
    hand.Where: lambda _: lambda c, p, q: jnp.where(c == 1, p, q),
    hand.Max: lambda o: partial(jnp.max, axis=o.axes, keepdims=True),
    hand.Variance: lambda o: partial(jnp.var, axis=o.axes, ddof=int(o.unbiased), keepdims=True),
    hand.LogSumExp: lambda o: partial(jax.scipy.special.logsumexp, axis=o.axes, keepdims=True),
    hand.CumulativeSum: lambda o: partial(jnp.cumsum, axis=o.axis),
    hand.Sum: lambda o: partial(jnp.sum, axis=o.axes, keepdims=True),
    hand.Mean: lambda o: partial(jnp.mean, axis=o.axes, keepdims=True),
    hand.Dropout: lambda o: lambda x, m: jnp.where(m != 0, x / (1 - o.rate), 0.0),
    hand.BatchNorm: batch_norm,
    hand.BatchNormEvaluation: batch_norm_evaluation,
    hand.MaxPool2d: lambda o: lambda x: over_windows(o, jax.lax.max, -jnp.inf, x),
    hand.AvgPool2d: average,
    hand.GlobalAvgPool2d: lambda _: partial(jnp.mean, axis=(2, 3)),
    hand.Sigmoid: lambda _: jax.nn.sigmoid,
    hand.Tanh: lambda _: jnp.tanh,
    hand.Relu: lambda _: jax.nn.relu,
    hand.LeakyRelu: lambda o: partial(jax.nn.leaky_relu, negative_slope=o.slope),
    hand.HardSigmoid: lambda _: jax.nn.hard_sigmoid,
    hand.Elu: lambda o: partial(jax.nn.elu, alpha=o.alpha),
    hand.Softplus: _softplus,
    hand.Silu: lambda _: jax.nn.silu,
    hand.Gelu: lambda _: partial(jax.nn.gelu, approximate=False),
    hand.GeluTanh: lambda _: partial(jax.nn.gelu, approximate=True),
    hand.Softmax: lambda _: jax.nn.softmax,
    hand.Identity: lambda _: lambda z: z,
    hand.SumSquaredError: lambda _: lambda a, y: jnp.sum(jnp.square(a - y)),
    hand.MeanSquaredError: lambda _: lambda a, y: jnp.mean(jnp.square(a - y)),
    hand.Huber: lambda o: lambda a, y: jnp.mean(optax.huber_loss(a, y, delta=o.delta)),
    hand.MeanAbsoluteError: lambda _: lambda a, y: jnp.mean(jnp.abs(a - y)),
    hand.BinaryCrossEntropy: _binary_cross_entropy,
    hand.LogitBinaryCrossEntropy: lambda o: on_logits(
        o, _inner, jax.nn.sigmoid, lambda a, y: jnp.mean(optax.sigmoid_binary_cross_entropy(a, y))
    ),
    hand.SoftmaxCrossEntropy: lambda o: on_logits(o, _inner, jax.nn.softmax, _cross_entropy),
    hand.OneHotCrossEntropy: lambda o: on_logits(
        o, _inner, jax.nn.softmax, lambda a, y: jnp.mean(optax.softmax_cross_entropy(a, y))
    ),
    hand.CategoricalCrossEntropy: lambda o: categorical(o, jnp.log, jnp.clip),
    hand.SparseCategoricalCrossEntropy: _sparse_categorical,
    hand.WeightedCrossEntropy: _weighted,
    hand.KullbackLeibler: lambda _: lambda a, y: jnp.mean(optax.kl_divergence(a, y)),
    hand.CosineDistance: lambda o: lambda a, y: jnp.mean(optax.cosine_distance(a, y, epsilon=o.eps**2)),
    hand.Hinge: lambda _: lambda a, y: jnp.mean(optax.hinge_loss(a, y)),
    hand.Scaled: lambda o: scaled(o, _inner),
    hand.Penalised: lambda o: penalised(o, _inner, jnp.square, jnp.abs),
}
"""From a hand layer or loss to JAX's operation with its parameters; a row is all that a new layer needs."""


def operation_of(part: Any, local: str) -> Operation:
    """JAX's operation for a hand layer or loss, as `looked_up` says."""
    return looked_up(FORWARD, "JAX", "impls/jax_grad/operations.py", part, local)


ELEMENTARY: dict[str, Callable[..., Any]] = {
    "exp": jnp.exp, "expm1": jnp.expm1, "log": jnp.log, "log1p": jnp.log1p, "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid, "sqrt": jnp.sqrt, "rsqrt": jax.lax.rsqrt, "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc, "sin": jnp.sin, "cos": jnp.cos, "divide": jnp.divide,
}  # fmt: skip
"""From the name in the constants table to JAX's function, which is compiled before it is measured."""


def _sent_back(function: Operation, x: Any) -> Any:
    """The gradient of a single number that a function makes n of."""
    return jax.vjp(function, jnp.zeros((), x.dtype))[1](x)[0]


ACCUMULATIONS: dict[str, Callable[[Any], Any]] = {
    "sums": lambda x: jnp.stack([x, x], axis=1).sum(axis=0)[0],
    "products": lambda x: (x[None] @ jnp.ones((len(x), 2), x.dtype))[0, 0],
    "meetings": lambda x: _sent_back(lambda b: jnp.take(b[None], jnp.zeros(len(x), jnp.int32)), x),
    "gradient sums": lambda x: _sent_back(lambda b: jnp.broadcast_to(b, x.shape), x),
}
"""From what is added up to a sum of all numbers that are given."""
