"""Dense layer: every output is the weighted sum of every input, plus a bias.

    z  = x W + b               z_nj  = sum_i x_ni w_ij + b_j

    dx = dz W^T                dx_ni = sum_j dz_nj w_ij     every path from x_i leads through some z_j
    dW = x^T dz                dw_ij = sum_n x_ni dz_nj     w_ij feeds z_j only, once per row n
    db = sum_n dz_n            db_j  = sum_n dz_nj          the bias is a weight whose input is always 1

Shapes: x (N, M), W (M, K), b (K,), z (N, K); a gradient has the shape of what it belongs to.
The sums over n are sums, not means: a mean, where there is one, belongs to the loss.
Axes between the first and the last count as rows: x (N, T, M) is N T rows.

Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
Nature 323 (1986), equations (1), (4) to (7).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod

import numpy as np

from impls.graph import Array, Shape
from impls.hand.parts import count


def rows_of(x: Array) -> Array:
    """All axes but the last as one, (rows, M)."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def along(rows: Array, x: Array) -> Array:
    """Rows (rows, K), one for each of x (N, ..., M), along the axes of x: (N, ..., K)."""
    return rows if x.ndim == 2 else rows.reshape(*x.shape[:-1], rows.shape[-1])


class Dense:
    """z = x W + b, with W of shape (inputs, outputs) and b of shape (outputs,), or without b."""

    reads, gives = "x", "z"
    apart = {"dW": ({"dz": -1}, -1), "db": ({"dz": -1}, -1)}  # noqa: RUF012  (never changed)
    """A destination neuron at a time: the last axis of dz and of the gradient."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        counted = partial(count, doing="make a Dense layer with", why="a layer needs at least one of them")
        self.inputs, self.outputs = counted("inputs", inputs), counted("outputs", outputs)
        self.bias = bias

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        shapes: dict[str, tuple[int, ...]] = {"W": (self.inputs, self.outputs)}
        return shapes | {"b": (self.outputs,)} if self.bias else shapes

    @property
    def usual_inputs(self) -> str:
        """What its forward rule reads, as ``--inputs`` says it, where it is checked by itself."""
        shapes = {"x": ("N", self.inputs), **self.weights}
        return "; ".join(f"{name}={','.join(map(str, shape))}" for name, shape in shapes.items())

    def forward(self, x: Array, W: Array, b: Array = None) -> Array:
        z = rows_of(x) @ W
        if self.bias:
            z += b
        return along(z, x)

    def dx(self, dz: Array, W: Array) -> Array:
        return along(rows_of(dz) @ W.T, dz)

    def dW(self, dz: Array, x: Array) -> Array:
        return rows_of(x).T @ rows_of(dz)

    def db(self, dz: Array) -> Array:
        return rows_of(dz).sum(axis=0)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of z; ValueError says what x does not have."""
        if len(read["x"]) < 2 or read["x"][-1] != self.inputs:
            raise ValueError(f"it multiplies rows of {self.inputs} numbers")
        return {"z": (*read["x"][:-1], self.outputs)}

    def initial(self, rng: np.random.Generator, local: str, shape: tuple[int, ...]) -> np.ndarray:
        """W ~ uniform(-r, r), r = sqrt(6 / (M + K)); b ~ uniform(-s, s), s = 1 / sqrt(M).

        Biases do not start at 0, so that no weight has a special value that could hide a mistake.

        Source: Glorot and Bengio (2010), equation (16), for W.
        """
        limit = np.sqrt(6 / (self.inputs + self.outputs)) if local == "W" else 1 / np.sqrt(self.inputs)
        return rng.uniform(-limit, limit, shape)

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:
        """Multiply-adds of the rule that gives `local`: one for each row and weight of a matrix product."""
        return 0 if local == "db" else prod(sizes["x"]) * self.outputs

    def __repr__(self) -> str:
        bias = "" if self.bias else ", bias=False"
        return f"Dense({self.inputs}, {self.outputs}{bias})"
