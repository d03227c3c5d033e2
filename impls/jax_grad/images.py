"""Convolution and pooling in JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impls import hand
from impls.hand.layers.adaptive_pooling import spans
from impls.hand.layers.convolution import with_channels_exchanged
from impls.operations import Operation


def convolution(layer: hand.Conv2d) -> Operation:
    """Of images."""

    def convolved(x: Any, W: Any, b: Any = None) -> Any:
        z = jax.lax.conv_general_dilated(
            x, W, layer.windows.stride, layer.windows.frame(x.shape[2:]), rhs_dilation=layer.windows.dilation,
            feature_group_count=layer.groups,
        )  # fmt: skip
        return z if b is None else z + b[:, None, None]

    return convolved


def convolution_1d(layer: hand.Conv1d) -> Operation:
    """Of images of one row."""
    convolved = convolution(layer)
    return lambda x, W, b=None: convolved(x[:, :, None], W[:, :, None], b)[:, :, 0]


def transposed_convolution(layer: hand.ConvTranspose2d) -> Operation:
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


def adaptive_average(layer: hand.AdaptiveAvgPool2d) -> Operation:
    """Means of spans of rows and of columns."""

    def averaged(x: Any) -> Any:
        rows, columns = (spans(size, made) for size, made in zip(x.shape[2:], layer.made, strict=True))
        means = [jnp.mean(x[:, :, i.start : i.stop, j.start : j.stop], axis=(2, 3)) for i in rows for j in columns]
        return jnp.stack(means, axis=-1).reshape(*x.shape[:2], *layer.made)

    return averaged


def over_windows(layer: Any, reduced: Any, start: float, x: Any) -> Any:
    """A reduction of each window."""
    windows = layer.windows
    frame = [(0, 0), (0, 0), *windows.frame(x.shape[2:])]
    return jax.lax.reduce_window(x, start, reduced, (1, 1, *windows.kernel), (1, 1, *windows.stride), frame)


def average(layer: hand.AvgPool2d) -> Operation:
    """As flax.linen.avg_pool: the sum, over the size of a window or over a sum of ones."""

    def averaged(x: Any) -> Any:
        total = over_windows(layer, jax.lax.add, 0.0, x)
        ones = np.prod(layer.windows.kernel)
        return total / (ones if layer.count_include_pad else over_windows(layer, jax.lax.add, 0.0, jnp.ones_like(x)))

    return averaged
