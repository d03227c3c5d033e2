"""LayerNorm: each row gets mean 0 and variance 1, and then a gain and a bias of its own for every neuron.

    m  = mean_k x_k     v = mean_k (x_k - m)^2     r = 1 / sqrt(v + eps)     xh_k = (x_k - m) r
    h  = xh g + b

    dx = r (t - mean_k t_k - xh mean_k (t_k xh_k)),  t = dh g      x_k moves every neuron: by itself, by m and by v
    dg = sum_n dh xh
    db = sum_n dh

Shapes: x, h (N, ..., K); g, b (K,). Every row is one of the last axis, m, v and r one number for each. The variance is
that of the row itself, over K and not K - 1, and eps stands inside the root.

dx: d xh_j / d x_k = r ([j = k] - 1/K - xh_j xh_k / K), summed over j with t_j.

Source: Ba, Kiros and Hinton, "Layer normalization" (2016), equations (3), (4), with eps as torch.nn.LayerNorm has it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impls.graph import Array, Shape
from impls.graph.primitive import primitive
from impls.hand.layers.dense import rows_of
from impls.hand.parts import Parametrised, count, positive


def _mean(x: Array) -> Array:
    """Of each row; as a product with ones, which BLAS adds up several times as fast as NumPy sums short rows."""
    return x @ np.ones((x.shape[-1], 1), x.dtype) / x.shape[-1]


def _standardised(x: Array, eps: float) -> tuple[Array, Array]:
    """xh and r of each row."""
    xh = x - _mean(x)
    r = 1 / np.sqrt(_mean(np.square(xh)) + eps)
    xh *= r
    return xh, r


@primitive
def standardised(x: Array, eps: float) -> Array:
    return _standardised(x, eps)[0]


@primitive
def layer_norm(x: Array, g: Array, b: Array, eps: float) -> Array:
    h, _ = _standardised(x, eps)
    h *= g
    h += b
    return h


@primitive
def layer_norm_vjp(dh: Array, x: Array, g: Array, eps: float) -> Array:
    (xh, r), t = _standardised(x, eps), dh * g
    share = _mean(t * xh)
    t -= _mean(t)
    xh *= share
    t -= xh
    t *= r
    return t


@primitive
def layer_norm_gain_vjp(dh: Array, x: Array, eps: float) -> Array:
    """dg (K,) of rows (n, K)."""
    return (dh * standardised(x, eps)).sum(axis=0)


class LayerNorm(Parametrised):
    reads, gives = "x", "h"
    apart = {"db": ({"dh": -1}, -1)}  # noqa: RUF012  (never changed)

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        self.width = count("width", width, doing="make a LayerNorm with", why="it is a count of neurons")
        self.eps = positive("eps", eps, "it keeps the variance of a row from 0")

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        return {"g": (self.width,), "b": (self.width,)}

    @property
    def usual_inputs(self) -> str:
        """What its forward rule reads, as ``--inputs`` says it, where it is checked by itself."""
        return f"x=N,{self.width}; g={self.width}; b={self.width}"

    def forward(self, x: Array, g: Array, b: Array) -> Array:
        return layer_norm(x, g, b, self.eps)

    def dx(self, dh: Array, x: Array, g: Array) -> Array:
        return layer_norm_vjp(dh, x, g, self.eps)

    def dg(self, dh: Array, x: Array) -> Array:
        return layer_norm_gain_vjp(rows_of(dh), rows_of(x), self.eps)

    def db(self, dh: Array) -> Array:
        return rows_of(dh).sum(axis=0)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of h; ValueError says what x does not have."""
        if len(read["x"]) < 2 or read["x"][-1] != self.width:
            raise ValueError(f"it normalises rows of {self.width} numbers")
        return {"h": read["x"]}

    def initial(self, rng: np.random.Generator, local: str, shape: tuple[int, ...]) -> np.ndarray:
        """g ~ uniform(1/2, 3/2), b ~ uniform(-1/2, 1/2): no special value, 1 or 0, could hide a mistake."""
        return rng.uniform(-0.5, 0.5, shape) + (local == "g")
