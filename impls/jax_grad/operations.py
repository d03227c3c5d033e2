"""From what is written by hand to what JAX and optax have: operations of layers and losses, elementary functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from impls import hand
from impls.contract import CannotCompareError
from impls.hand.layers.adaptive_pooling import spans
from impls.hand.layers.convolution import with_channels_exchanged
from impls.hand.losses.classes import rows_in

Operation = Callable[..., Any]
"""On the framework's own arrays, in the order of the layer's parameters."""
Operations = Operation | Mapping[str, Operation]
"""Of a layer with several outputs or buffers, one for each by its local name."""


def _softplus(layer: hand.Softplus) -> Operation:
    if layer.threshold is None:
        return jax.nn.softplus
    return lambda z: jnp.where(z > layer.threshold, z, jax.nn.softplus(z))


def _guarded(loss: Any) -> Operation:
    if loss.clip:
        return lambda p: jnp.clip(p, loss.clip, 1 - loss.clip)
    return (lambda p: p + loss.epsilon) if loss.epsilon else (lambda p: p)


def _on_logits(loss: Any, probabilities: Operation, plain: Operation) -> Operation:
    """A cross-entropy on logits; with a guard, that of the probabilities."""
    if not loss.guard:
        return plain
    inner = operation_of(loss.on_p, "loss")
    return lambda a, y: inner(probabilities(a), y)


def _binary_cross_entropy(loss: hand.BinaryCrossEntropy) -> Operation:
    if loss.clamp:
        raise CannotCompareError(
            f"Cannot run {loss!r} in JAX, because that backward pass is PyTorch's own and no derivative of its "
            f"forward pass; use BinaryCrossEntropy() or LogitBinaryCrossEntropy()."
        )
    if loss.epsilon:
        return lambda a, y: -jnp.mean(y * jnp.log(a + loss.epsilon) + (1 - y) * jnp.log(1 - a + loss.epsilon))
    if loss.clip:
        clipped = _guarded(loss)
        return lambda a, y: -jnp.mean(y * jnp.log(clipped(a)) + (1 - y) * jnp.log(1 - clipped(a)))
    return lambda a, y: -jnp.mean(y * jnp.log(a) + (1 - y) * jnp.log1p(-a))


def _categorical(loss: hand.CategoricalCrossEntropy) -> Operation:
    return lambda a, y: -jnp.sum(y * jnp.log(_guarded(loss)(a))) / rows_in(a)


def _sparse_categorical(loss: hand.SparseCategoricalCrossEntropy) -> Operation:
    def of_labels(a: Any, y: Any) -> Any:
        chosen = jnp.take_along_axis(a, y[..., None], axis=-1)
        return -jnp.mean(jnp.log(_guarded(loss)(chosen)))

    return of_labels


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


def _layer_norm(layer: hand.LayerNorm) -> Operation:
    def normalised(x: Any, g: Any, b: Any) -> Any:
        """As flax.linen.LayerNorm, whose default is the fast variance; JAX itself has none."""
        mean, variance = _statistics(x, -1, keepdims=True)
        return (x - mean) * (jax.lax.rsqrt(variance + layer.eps) * g) + b

    return normalised


def _rms_norm(layer: hand.RMSNorm) -> Operation:
    """As flax.linen.RMSNorm."""
    return lambda x, g: x * (jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + layer.eps) * g)


def _group_norm(layer: hand.GroupNorm) -> Operation:
    """As flax.linen.GroupNorm, with the fast variance; the channels stay where they are."""

    def normalised(x: Any, g: Any, b: Any) -> Any:
        groups = x.reshape(len(x), layer.groups, x.shape[1] // layer.groups, -1)
        mean, variance = _statistics(groups, (2, 3), keepdims=True)
        gain, bias = (vector.reshape(layer.groups, -1, 1) for vector in (g, b))
        return ((groups - mean) * (jax.lax.rsqrt(variance + layer.eps) * gain) + bias).reshape(x.shape)

    return normalised


def _split_heads(layer: hand.SplitHeads) -> Operations:
    def part(which: int, x: Any) -> Any:
        rows, length, width = x.shape
        heads = jnp.split(x, 3, axis=-1)[which].reshape(rows, length, layer.heads, width // 3 // layer.heads)
        return jnp.swapaxes(heads, 1, 2)

    return {name: partial(part, which) for which, name in enumerate(layer.gives)}


def _masked_softmax(layer: hand.MaskedSoftmax) -> Operation:
    def softmax(z: Any, m: Any) -> Any:
        seen = (m != 0).reshape(len(m), *(1,) * (z.ndim - 2), -1)
        return jax.nn.softmax(z, where=seen & jnp.tri(z.shape[-1], dtype=bool) if layer.causal else seen)

    return softmax


def _rotary(layer: hand.Rotary) -> Operation:
    def turned(x: Any) -> Any:
        cos, sin = (jnp.asarray(table, x.dtype) for table in layer.table(x.shape))
        if layer.pairs == "halves":
            p, q = jnp.split(x, 2, axis=-1)
            return x * cos + jnp.concatenate([-q, p], axis=-1) * sin
        p, q = x[..., ::2], x[..., 1::2]
        return x * cos + jnp.stack([-q, p], axis=-1).reshape(x.shape) * sin

    return turned


def _heads(layer: hand.Heads) -> Operation:
    return lambda x: jnp.swapaxes(x.reshape(*x.shape[:2], layer.heads, -1), 1, 2)


def _split(layer: hand.Split, part: int, x: Any) -> Any:
    return jnp.split(x, [layer.at], axis=layer.axis_in(x.shape))[part]


def _scatter_add(layer: hand.ScatterAdd, x: Any, i: Any) -> Any:
    grid = list(jnp.indices(i.shape, sparse=True))
    grid[layer.axis] = i
    return jnp.zeros(layer.of_sample(x.shape), x.dtype).at[tuple(grid)].add(x)


def _scaled(loss: hand.Scaled) -> Operation:
    inner = operation_of(loss.loss, "loss")
    return lambda a, y: loss.times(inner(a, y), a)


def _penalised(loss: hand.Penalised) -> Operation:
    inner, penalty = operation_of(loss.loss, "loss"), loss.penalty

    def of_one(w: Any) -> Any:
        terms = [penalty.square * jnp.square(w).sum()] if penalty.l2 else []
        terms += [penalty.l1 * jnp.abs(w).sum()] if penalty.l1 else []
        return sum(terms)

    def penalised(a: Any, y: Any, *weights: Any) -> Any:
        added = sum(map(of_one, weights))
        return inner(a, y) + (added / len(y) if penalty.mean else added)

    return penalised


def _convolution(layer: hand.Conv2d) -> Operation:
    def convolved(x: Any, W: Any, b: Any = None) -> Any:
        z = jax.lax.conv_general_dilated(
            x, W, layer.windows.stride, layer.windows.frame(x.shape[2:]), rhs_dilation=layer.windows.dilation,
            feature_group_count=layer.groups,
        )  # fmt: skip
        return z if b is None else z + b[:, None, None]

    return convolved


def _convolution_1d(layer: hand.Conv1d) -> Operation:
    convolved = _convolution(layer)
    return lambda x, W, b=None: convolved(x[:, :, None], W[:, :, None], b)[:, :, 0]


def _transposed_convolution(layer: hand.ConvTranspose2d) -> Operation:
    """Of an image that its stride spreads, with the kernel flipped: as jax.lax.conv_transpose, of groups too."""
    windows = layer.inner.windows
    frame = [
        (reach - 1 - p, reach - 1 - p + more)
        for reach, p, more in zip(windows.reach, windows.padding or (0, 0), layer.more, strict=True)
    ]

    def convolved(x: Any, W: Any, b: Any = None) -> Any:
        kernels = jnp.flip(with_channels_exchanged(W, layer.groups), (2, 3))
        z = jax.lax.conv_general_dilated(
            x, kernels, (1, 1), frame, lhs_dilation=windows.stride, rhs_dilation=windows.dilation,
            feature_group_count=layer.groups,
        )  # fmt: skip
        return z if b is None else z + b[:, None, None]

    return convolved


def _adaptive_average(layer: hand.AdaptiveAvgPool2d) -> Operation:
    def averaged(x: Any) -> Any:
        rows, columns = (spans(size, made) for size, made in zip(x.shape[2:], layer.made, strict=True))
        means = [jnp.mean(x[:, :, i.start : i.stop, j.start : j.stop], axis=(2, 3)) for i in rows for j in columns]
        return jnp.stack(means, axis=-1).reshape(*x.shape[:2], *layer.made)

    return averaged


def _over_windows(layer: Any, reduced: Any, start: float, x: Any) -> Any:
    windows = layer.windows
    frame = [(0, 0), (0, 0), *windows.frame(x.shape[2:])]
    return jax.lax.reduce_window(x, start, reduced, (1, 1, *windows.kernel), (1, 1, *windows.stride), frame)


def _average(layer: hand.AvgPool2d) -> Operation:
    """As flax.linen.avg_pool: the sum, over the size of a window or over a sum of ones."""

    def averaged(x: Any) -> Any:
        total = _over_windows(layer, jax.lax.add, 0.0, x)
        ones = np.prod(layer.windows.kernel)
        return total / (ones if layer.count_include_pad else _over_windows(layer, jax.lax.add, 0.0, jnp.ones_like(x)))

    return averaged


def _statistics(x: Any, axes: Any, *, keepdims: bool = False) -> tuple[Any, Any]:
    """Mean and variance along axes, as flax.linen's normalisations have them: the fast variance."""
    mean = jnp.mean(x, axis=axes, keepdims=keepdims)
    return mean, jnp.maximum(0.0, jnp.mean(jnp.square(x), axis=axes, keepdims=keepdims) - jnp.square(mean))


def _of_channels(x: Any) -> tuple[Any, Any]:
    """Mean and variance of every channel."""
    return _statistics(x, (0, *range(2, x.ndim)))


def _per_channel(x: Any, *vectors: Any) -> list[Any]:
    return [vector.reshape(1, -1, *(1,) * (x.ndim - 2)) for vector in vectors]


def _normalised(layer: Any, x: Any, g: Any, b: Any, mean: Any, variance: Any) -> Any:
    mean, variance, g, b = _per_channel(x, mean, variance, g, b)
    return (x - mean) * (jax.lax.rsqrt(variance + layer.eps) * g) + b


def _batch_norm(layer: hand.BatchNorm) -> Operations:
    new = layer.momentum if layer.momentum_from == "torch" else 1 - layer.momentum
    old = 1 - layer.momentum if layer.momentum_from == "torch" else layer.momentum

    def running_variance(x: Any, before: Any) -> Any:
        n = x.size // x.shape[1]
        variance = _of_channels(x)[1] * n / (n - 1) if layer.unbiased else _of_channels(x)[1]
        return old * before + new * variance

    return {
        "h": lambda x, g, b: _normalised(layer, x, g, b, *_of_channels(x)),
        "next_running_mean": lambda x, before: old * before + new * _of_channels(x)[0],
        "next_running_var": running_variance,
    }


def _batch_norm_evaluation(layer: hand.BatchNormEvaluation) -> Operations:
    return {
        "h": partial(_normalised, layer),
        "next_running_mean": lambda before: before,
        "next_running_var": lambda before: before,
    }


FORWARD: dict[type, Callable[[Any], Operations]] = {
    hand.Dense: lambda _: lambda x, W, b=None: x @ W if b is None else x @ W + b,
    hand.Embedding: lambda _: lambda i, W: jnp.take(W, i, axis=0),
    hand.LayerNorm: _layer_norm,
    hand.RMSNorm: _rms_norm,
    hand.GroupNorm: _group_norm,
    hand.Positions: lambda _: lambda x, W: x + W[: x.shape[1]],
    hand.Unembedding: lambda _: lambda x, W: x @ W.T,
    hand.SplitHeads: _split_heads,
    hand.MergeHeads: lambda _: lambda x: jnp.swapaxes(x, 1, 2).reshape(x.shape[0], x.shape[2], -1),
    hand.AttentionScores: lambda _: lambda q, k: q @ jnp.swapaxes(k, -1, -2) / sqrt(q.shape[-1]),
    hand.CausalSoftmax: lambda _: lambda z: jax.nn.softmax(jnp.where(jnp.tri(z.shape[-1], dtype=bool), z, -jnp.inf)),
    hand.MaskedSoftmax: _masked_softmax,
    hand.Heads: _heads,
    hand.RepeatHeads: lambda o: partial(jnp.repeat, repeats=o.times, axis=1),
    hand.Rotary: _rotary,
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
    hand.Conv2d: _convolution,
    hand.Conv1d: _convolution_1d,
    hand.ConvTranspose2d: _transposed_convolution,
    hand.AdaptiveAvgPool2d: _adaptive_average,
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
    hand.BatchNorm: _batch_norm,
    hand.BatchNormEvaluation: _batch_norm_evaluation,
    hand.MaxPool2d: lambda o: lambda x: _over_windows(o, jax.lax.max, -jnp.inf, x),
    hand.AvgPool2d: _average,
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
    hand.LogitBinaryCrossEntropy: lambda o: _on_logits(
        o, jax.nn.sigmoid, lambda a, y: jnp.mean(optax.sigmoid_binary_cross_entropy(a, y))
    ),
    hand.SoftmaxCrossEntropy: lambda o: _on_logits(o, jax.nn.softmax, _cross_entropy),
    hand.OneHotCrossEntropy: lambda o: _on_logits(
        o, jax.nn.softmax, lambda a, y: jnp.mean(optax.softmax_cross_entropy(a, y))
    ),
    hand.CategoricalCrossEntropy: _categorical,
    hand.SparseCategoricalCrossEntropy: _sparse_categorical,
    hand.WeightedCrossEntropy: _weighted,
    hand.KullbackLeibler: lambda _: lambda a, y: jnp.mean(optax.kl_divergence(a, y)),
    hand.CosineDistance: lambda o: lambda a, y: jnp.mean(optax.cosine_distance(a, y, epsilon=o.eps**2)),
    hand.Hinge: lambda _: lambda a, y: jnp.mean(optax.hinge_loss(a, y)),
    hand.Scaled: _scaled,
    hand.Penalised: _penalised,
}
"""From a hand layer or loss to JAX's operation with its parameters; a row is all that a new layer needs."""


def operation_of(part: Any, local: str) -> Operation:
    """JAX's operation for a hand layer or loss, and for what the layer calls `local` of all that it gives.

    Raises:
        CannotCompareError: JAX has none.
    """
    if type(part) not in FORWARD:
        raise CannotCompareError(
            f"Cannot run {part!r} in JAX, because impls/jax_grad/operations.py maps no operation to it; add a "
            f"row to FORWARD."
        )
    made = FORWARD[type(part)](part)
    return made[local] if isinstance(made, Mapping) else made


ELEMENTARY: dict[str, Callable[..., Any]] = {
    "exp": jnp.exp, "expm1": jnp.expm1, "log": jnp.log, "log1p": jnp.log1p, "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid, "sqrt": jnp.sqrt, "rsqrt": jax.lax.rsqrt, "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc, "sin": jnp.sin, "cos": jnp.cos, "divide": jnp.divide,
}  # fmt: skip
"""From the name in the constants table to JAX's function, which is compiled before it is measured."""
