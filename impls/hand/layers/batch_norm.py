"""BatchNorm: each channel gets mean 0 and variance 1 over the batch, and then a gain and a bias of its own.

    m  = mean_i x_i     v = mean_i (x_i - m)^2     r = 1 / sqrt(v + eps)     xh_i = (x_i - m) r
    h  = xh g + b

    dx = r g (dh_i - mean dh - xh_i mean(dh xh))      x_i moves the whole channel: by itself, by m and by v
    dg = sum_i dh xh
    db = sum_i dh

    running mean      u m + (1 - u) running mean      what a later evaluation takes for m and v: kept, not learned
    running variance  u v' + (1 - u) running variance       v' = v, or v n / (n - 1)

    evaluation        h = (x - running mean) r g + b, r of the running variance       dx = dh r g

Shapes: x, h (N, M) or (N, M, H, V); g, b and what is kept (M,). i runs over the n = N or N H V entries of a channel.
torch and Flax differ: in torch u is `momentum`, 0.1, and v' is unbiased; in Flax u is 1 - momentum, 0.99, and v' is v.
A channel in the batch is what a row is in a `LayerNorm`: the formulas are the same.

Source: Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
shift" (2015), algorithm 1, section 3 for the backward pass and section 3.1 for the evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Literal

import numpy as np

from impls.graph import Array, Shape, primitive
from impls.hand.layers.layer_norm import layer_norm, layer_norm_vjp, standardised
from impls.hand.parts import Parametrised, choice, count, positive


def by_channel(x: Array) -> Array:
    """(N, M, ...) as (M, n), a row for each channel."""
    return np.transpose(x, (1, 0, *range(2, x.ndim))).reshape(x.shape[1], -1)


def from_channels(rows: Array, shape: tuple[int, ...]) -> Array:
    """(M, n) as (N, M, ...), which is `shape`."""
    N, M, *image = shape
    return np.transpose(rows.reshape(M, N, *image), (1, 0, *range(2, len(shape))))


@primitive
def batch_norm(rows: Array, g: Array, b: Array, eps: float) -> Array:
    """h of rows (M, n), with g and b (M, 1)."""
    return layer_norm(rows, g, b, eps)


@primitive
def batch_norm_vjp(dh: Array, rows: Array, g: Array, eps: float) -> Array:
    """dx of rows (M, n)."""
    return layer_norm_vjp(dh, rows, g, eps)


@primitive
def batch_norm_gain_vjp(dh: Array, rows: Array, eps: float) -> Array:
    """dg (M,) of rows (M, n)."""
    return (dh * standardised(rows, eps)).sum(axis=-1)


@primitive
def evaluated_batch_norm(rows: Array, g: Array, b: Array, m: Array, v: Array, eps: float) -> Array:
    """h of rows (M, n), with g, b, m and v (M, 1)."""
    return (rows - m) * (1 / np.sqrt(v + eps)) * g + b


@primitive
def variance(rows: Array, less: int) -> Array:
    """Of each row (M, n), over n - less, (M,)."""
    return np.square(rows - rows.mean(axis=-1, keepdims=True)).sum(axis=-1) / (rows.shape[-1] - less)


class _Normalised(Parametrised):
    """What training and evaluation have in common."""

    reads, gives = "x", "h"

    def __init__(self, channels: int, eps: float) -> None:
        doing = f"make a {type(self).__name__} with"
        self.channels = count("channels", channels, doing=doing, why="that is a count")
        self.eps = positive("eps", eps, "it keeps the variance of a channel from 0")

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        return {"g": (self.channels,), "b": (self.channels,)}

    @property
    def buffers(self) -> dict[str, tuple[int, ...]]:
        """Shape of what is kept."""
        return {"running_mean": (self.channels,), "running_var": (self.channels,)}

    def initial_buffer(self, local: str, shape: tuple[int, ...]) -> np.ndarray:
        """Mean 0 and variance 1."""
        return np.full(shape, float(local == "running_var"))

    def db(self, dh: Array) -> Array:
        return by_channel(dh).sum(axis=-1)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of h; ValueError says what x does not have."""
        if len(read["x"]) not in (2, 4) or read["x"][1] != self.channels:
            raise ValueError(f"it normalises {self.channels} channels, (N, {self.channels}) or with rows and columns")
        return {"h": read["x"]}

    def initial(self, rng: np.random.Generator, local: str, shape: tuple[int, ...]) -> np.ndarray:
        """g ~ uniform(1/2, 3/2), b ~ uniform(-1/2, 1/2): no special value, 1 or 0, could hide a mistake."""
        return rng.uniform(-0.5, 0.5, shape) + (local == "g")

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:
        """Multiply-adds of the rule that gives `local`: some for each entry of x."""
        return (5 if local in ("h", "dx", "dg") else 1) * prod(sizes["x"])


class BatchNorm(_Normalised):
    """In training: mean and variance of the batch, and the running ones for later.

    Args:
        momentum: the share of the batch in what is kept, or from "flax" the share of what was kept.
        unbiased: whether the running variance is over n - 1.
    """

    apart: Mapping[str, Any] = {
        "h": ({"x": 1, "g": 0, "b": 0}, 1), "dx": ({"dh": 1, "x": 1, "g": 0}, 1), "dg": ({"dh": 1, "x": 1}, 0),
        "db": ({"dh": 1}, 0), "next_running_mean": ({"x": 1, "running_mean": 0}, 0),
        "next_running_var": ({"x": 1, "running_var": 0}, 0),
    }  # fmt: skip
    """A channel at a time."""

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        momentum_from: Literal["torch", "flax"] = "torch",
        unbiased: bool = True,
    ) -> None:
        super().__init__(channels, eps)
        if not isinstance(momentum, int | float) or isinstance(momentum, bool) or not 0 <= momentum <= 1:
            raise ValueError(
                f"Cannot use momentum={momentum!r}, because it is a share, of the batch in torch and of what was kept "
                f"in Flax; give a number from 0 to 1."
            )
        self.momentum, self.momentum_from = float(momentum), choice("momentum_from", momentum_from, ("torch", "flax"))
        self.unbiased = unbiased

    def forward(self, x: Array, g: Array, b: Array) -> Array:
        return from_channels(batch_norm(by_channel(x), g[:, None], b[:, None], self.eps), x.shape)

    def dx(self, dh: Array, x: Array, g: Array) -> Array:
        return from_channels(batch_norm_vjp(by_channel(dh), by_channel(x), g[:, None], self.eps), x.shape)

    def dg(self, dh: Array, x: Array) -> Array:
        return batch_norm_gain_vjp(by_channel(dh), by_channel(x), self.eps)

    def _kept(self, before: Array, now: Array) -> Array:
        if self.momentum_from == "flax":
            return self.momentum * before + (1 - self.momentum) * now
        return (1 - self.momentum) * before + self.momentum * now

    def next_running_mean(self, x: Array, running_mean: Array) -> Array:
        return self._kept(running_mean, by_channel(x).mean(axis=-1))

    def next_running_var(self, x: Array, running_var: Array) -> Array:
        return self._kept(running_var, variance(by_channel(x), int(self.unbiased)))


class BatchNormEvaluation(_Normalised):
    """In evaluation: the mean and variance that were kept, which stay as they are; each row by itself."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps)

    def forward(self, x: Array, g: Array, b: Array, running_mean: Array, running_var: Array) -> Array:
        g, b, m, v = (each[:, None] for each in (g, b, running_mean, running_var))
        return from_channels(evaluated_batch_norm(by_channel(x), g, b, m, v, self.eps), x.shape)

    def dx(self, dh: Array, g: Array, running_var: Array) -> Array:
        return from_channels(by_channel(dh) * (g * self._r(running_var))[:, None], dh.shape)

    def dg(self, dh: Array, x: Array, running_mean: Array, running_var: Array) -> Array:
        xh = (by_channel(x) - running_mean[:, None]) * self._r(running_var)[:, None]
        return (by_channel(dh) * xh).sum(axis=-1)

    def _r(self, running_var: Array) -> Array:
        return 1 / np.sqrt(running_var + self.eps)

    def next_running_mean(self, running_mean: Array) -> Array:
        return +running_mean

    def next_running_var(self, running_var: Array) -> Array:
        return +running_var
