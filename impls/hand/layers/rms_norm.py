"""RMSNorm: each row is divided by its root mean square, and then multiplied by a gain of its own for every neuron.

    q  = mean_k x_k^2     r = 1 / sqrt(q + eps)     xh_k = x_k r
    h  = xh g

    dx = r (t - xh mean_k (t_k xh_k)),  t = dh g      x_k moves every neuron: by itself and by q
    dg = sum_n dh xh

Shapes: x, h (N, ..., K); g (K,). Every row is one of the last axis, q and r one number for each. No mean is subtracted,
so that nothing cancels however far from 0 a row is. eps stands inside the root. torch.nn.RMSNorm takes for it what the
dtype tells from 1, 1.2e-07 in float32 and 2.2e-16 in float64, and flax.linen.RMSNorm 1e-06, as here.

dx: d xh_j / d x_k = r ([j = k] - xh_j xh_k / K), summed over j with t_j.

Source: Zhang and Sennrich, "Root mean square layer normalization" (2019), equation (4), with eps as torch.nn.RMSNorm.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impls.graph import Array, Shape
from impls.graph.primitive import primitive
from impls.hand.layers.dense import rows_of
from impls.hand.parts import Parametrised, count, positive


def _scaled(x: Array, eps: float) -> tuple[Array, Array]:
    """xh and r of each row."""
    r = 1 / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + eps)
    return x * r, r


@primitive
def rms_norm(x: Array, g: Array, eps: float) -> Array:
    return _scaled(x, eps)[0] * g


@primitive
def rms_norm_gain_vjp(dh: Array, x: Array, eps: float) -> Array:
    """dg (K,) of rows (n, K)."""
    return (dh * _scaled(x, eps)[0]).sum(axis=0)


@primitive
def rms_norm_vjp(dh: Array, x: Array, g: Array, eps: float) -> Array:
    (xh, r), t = _scaled(x, eps), dh * g
    return r * (t - xh * (t * xh).mean(axis=-1, keepdims=True))


class RMSNorm(Parametrised):
    reads, gives = "x", "h"

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        self.width = count("width", width, doing="make an RMSNorm with", why="it is a count of neurons")
        self.eps = positive("eps", eps, "it keeps the mean square of a row from 0")

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of g."""
        return {"g": (self.width,)}

    @property
    def usual_inputs(self) -> str:
        """What its forward rule reads, as ``--inputs`` says it, where it is checked by itself."""
        return f"x=N,{self.width}; g={self.width}"

    def forward(self, x: Array, g: Array) -> Array:
        return rms_norm(x, g, self.eps)

    def dx(self, dh: Array, x: Array, g: Array) -> Array:
        return rms_norm_vjp(dh, x, g, self.eps)

    def dg(self, dh: Array, x: Array) -> Array:
        return rms_norm_gain_vjp(rows_of(dh), rows_of(x), self.eps)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of h; ValueError says what x does not have."""
        if len(read["x"]) < 2 or read["x"][-1] != self.width:
            raise ValueError(f"it normalises rows of {self.width} numbers")
        return {"h": read["x"]}

    def initial(self, rng: np.random.Generator, local: str, shape: tuple[int, ...]) -> np.ndarray:  # noqa: ARG002
        """g ~ uniform(1/2, 3/2): no special value, 1, could hide a mistake."""
        return rng.uniform(0.5, 1.5, shape)
