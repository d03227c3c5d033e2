"""Normalisations in JAX, as flax.linen has them: JAX itself has none."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from impls import hand
from impls.operations import Operation, Operations


def statistics(x: Any, axes: Any, *, keepdims: bool = False) -> tuple[Any, Any]:
    """Mean and variance along axes, as flax.linen's normalisations have them: the fast variance."""
    mean = jnp.mean(x, axis=axes, keepdims=keepdims)
    return mean, jnp.maximum(0.0, jnp.mean(jnp.square(x), axis=axes, keepdims=keepdims) - jnp.square(mean))


def of_channels(x: Any) -> tuple[Any, Any]:
    """Mean and variance of every channel."""
    return statistics(x, (0, *range(2, x.ndim)))


def per_channel(x: Any, *vectors: Any) -> list[Any]:
    """Vectors with an entry for each channel, as x has its axes."""
    return [vector.reshape(1, -1, *(1,) * (x.ndim - 2)) for vector in vectors]


def normalised(layer: Any, x: Any, g: Any, b: Any, mean: Any, variance: Any) -> Any:
    """Each channel less its mean, over its deviation."""
    mean, variance, g, b = per_channel(x, mean, variance, g, b)
    return (x - mean) * (jax.lax.rsqrt(variance + layer.eps) * g) + b


def layer_norm(layer: hand.LayerNorm) -> Operation:
    """Over each row."""

    def normalised(x: Any, g: Any, b: Any) -> Any:
        """As flax.linen.LayerNorm, whose default is the fast variance; JAX itself has none."""
        mean, variance = statistics(x, -1, keepdims=True)
        return (x - mean) * (jax.lax.rsqrt(variance + layer.eps) * g) + b

    return normalised


def rms_norm(layer: hand.RMSNorm) -> Operation:
    """As flax.linen.RMSNorm."""
    return lambda x, g: x * (jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + layer.eps) * g)


def group_norm(layer: hand.GroupNorm) -> Operation:
    """As flax.linen.GroupNorm, with the fast variance; the channels stay where they are."""

    def normalised(x: Any, g: Any, b: Any) -> Any:
        groups = x.reshape(len(x), layer.groups, x.shape[1] // layer.groups, -1)
        mean, variance = statistics(groups, (2, 3), keepdims=True)
        gain, bias = (vector.reshape(layer.groups, -1, 1) for vector in (g, b))
        return ((groups - mean) * (jax.lax.rsqrt(variance + layer.eps) * gain) + bias).reshape(x.shape)

    return normalised


def batch_norm(layer: hand.BatchNorm) -> Operations:
    """Over each channel of the batch, and the running statistics."""
    new = layer.momentum if layer.momentum_from == "torch" else 1 - layer.momentum
    old = 1 - layer.momentum if layer.momentum_from == "torch" else layer.momentum

    def running_variance(x: Any, before: Any) -> Any:
        n = x.size // x.shape[1]
        variance = of_channels(x)[1] * n / (n - 1) if layer.unbiased else of_channels(x)[1]
        return old * before + new * variance

    return {
        "h": lambda x, g, b: normalised(layer, x, g, b, *of_channels(x)),
        "next_running_mean": lambda x, before: old * before + new * of_channels(x)[0],
        "next_running_var": running_variance,
    }


def batch_norm_evaluation(layer: hand.BatchNormEvaluation) -> Operations:
    """By the running statistics."""
    return {
        "h": partial(normalised, layer),
        "next_running_mean": lambda before: before,
        "next_running_var": lambda before: before,
    }
