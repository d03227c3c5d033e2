"""GroupNorm: the channels of a sample in groups, each of mean 0 and variance 1, then a gain and a bias by channel.

    m  = mean_i x_i     v = mean_i (x_i - m)^2     r = 1 / sqrt(v + eps)     xh_i = (x_i - m) r
    h  = xh g + b

    dx = r (t_i - mean t - xh_i mean(t xh)),  t = dh g      x_i moves its group: by itself, by m and by v
    dg = sum_n,i dh xh                                      over the samples and the entries of a channel
    db = sum_n,i dh

Shapes: x, h (N, M, ...), g, b (M,). i runs over the n = M/G ... entries of a group of channels of one sample. The
formulas are those of a `LayerNorm`, whose rows are the groups; but g and b belong to channels. With one group it
normalises whole samples, with M groups each channel of each sample (instance normalization). torch.nn.GroupNorm has
eps = 1e-05, as here, flax.linen.GroupNorm 1e-06 and the channels last.

Source: Wu and He, "Group normalization" (2018), equations (1), (2), (7).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from impls.graph import Array, Shape
from impls.graph.primitive import primitive
from impls.hand.layers.batch_norm import by_channel
from impls.hand.layers.layer_norm import layer_norm, layer_norm_vjp, standardised
from impls.hand.parts import Parametrised, count, positive


@primitive
def group_norm(rows: Array, g: Array, b: Array, eps: float) -> Array:
    """h of rows (N, G, n), with g and b (G, n)."""
    return layer_norm(rows, g, b, eps)


@primitive
def group_norm_gain_vjp(dh: Array, rows: Array, eps: float) -> Array:
    """dg (M,) of rows (N, G, n), with dh (N, M, n G / M)."""
    return (dh * standardised(rows, eps).reshape(*dh.shape)).sum(axis=(0, 2))


class GroupNorm(Parametrised):
    reads, gives = "x", "h"
    apart = {"db": ({"dh": 1}, 0)}  # noqa: RUF012  (never changed)

    def __init__(self, groups: int, channels: int, eps: float = 1e-5) -> None:
        self.groups, self.channels = (
            count(name, size, doing="make a GroupNorm with", why="that is a count")
            for name, size in (("groups", groups), ("channels", channels))
        )
        if channels % groups:
            raise ValueError(
                f"Cannot make a GroupNorm with groups={groups} of channels={channels}, because every group has as many "
                f"channels; give a number of groups that divides {channels}."
            )
        self.eps = positive("eps", eps, "it keeps the variance of a group from 0")

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        return {"g": (self.channels,), "b": (self.channels,)}

    @property
    def usual_inputs(self) -> str:
        """What its forward rule reads, as ``--inputs`` says it, where it is checked by itself."""
        return f"x=N,{self.channels},4,3; g={self.channels}; b={self.channels}"

    def rows(self, x: Array) -> Array:
        """(N, M, ...) as (N, G, n), a row for each group."""
        return x.reshape(len(x), self.groups, -1)

    def spread(self, g: Array, x: Array) -> Array:
        """(M,) as (G, n), each channel's number at every entry that it has in x (N, M, ...)."""
        return np.repeat(g, prod(x.shape[2:])).reshape(self.groups, -1)

    def forward(self, x: Array, g: Array, b: Array) -> Array:
        h = group_norm(self.rows(x), self.spread(g, x), self.spread(b, x), self.eps)
        return h.reshape(*x.shape)

    def dx(self, dh: Array, x: Array, g: Array) -> Array:
        return layer_norm_vjp(self.rows(dh), self.rows(x), self.spread(g, x), self.eps).reshape(*x.shape)

    def dg(self, dh: Array, x: Array) -> Array:
        return group_norm_gain_vjp(dh.reshape(len(dh), self.channels, -1), self.rows(x), self.eps)

    def db(self, dh: Array) -> Array:
        return by_channel(dh).sum(axis=-1)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of h; ValueError says what x does not have."""
        if len(read["x"]) < 2 or read["x"][1] != self.channels:
            raise ValueError(f"it normalises {self.channels} channels, (N, {self.channels}, ...)")
        return {"h": read["x"]}

    def initial(self, rng: np.random.Generator, local: str, shape: tuple[int, ...]) -> np.ndarray:
        """g ~ uniform(1/2, 3/2), b ~ uniform(-1/2, 1/2): no special value, 1 or 0, could hide a mistake."""
        return rng.uniform(-0.5, 0.5, shape) + (local == "g")

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:
        """Multiply-adds of the rule that gives `local`: some for each entry of x."""
        return (5 if local in ("h", "dx", "dg") else 1) * prod(sizes["x"])
