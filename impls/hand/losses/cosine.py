"""Cosine distance of rows: 1 minus the cosine of the angle between output and target.

    |a|  = max(sqrt(sum_j a_nj^2), eps)            a_nj / |a_n| a row of length 1, unless it is shorter than eps
    c_n  = sum_j a_nj y_nj / (|a_n| |y_n|)
    L    = 1/N sum_n (1 - c_n)
    da   = (c_n a_nj / |a_n| - y_nj / |y_n|) / |a_n| / N         without its first term in a row shorter than eps

Shapes: a, y and da (N, K); axes between the first and the last count as rows. The gradient has no part along a: a
longer row has the same angle. In a row shorter than eps, but not 0, torch's cosine_similarity keeps the first term,
which belongs to no derivative there; so torch's part is written out here. optax's `epsilon` is the least square of a
length, so eps squared; torch's CosineEmbeddingLoss adds a number of its own to both squares.

Source: torch.nn.CosineSimilarity, whose eps this is; the quotient rule.
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.losses.classes import row_of_classes, rows_in
from impls.hand.parts import Loss, positive


def length(x: Array, eps: float) -> Array:
    """Of every row, and at least eps."""
    return np.maximum(np.sqrt(np.square(x).sum(axis=-1, keepdims=True)), eps)


@primitive
def of_length_one(x: Array, eps: float) -> Array:
    return x / length(x, eps)


@primitive
def cosine_vjp(a: Array, y: Array, eps: float) -> Array:
    """N da."""
    r, v = length(a, eps), y / length(y, eps)
    along = a / r * ((a * v).sum(axis=-1, keepdims=True) / r)
    return (np.where(r > eps, along, 0 * along) - v) / r


class CosineDistance(Loss):
    derivative = "(cos·{a}/|a| − {y}/|y|)/|a|/{rows}"
    output_activation = "identity"

    def __init__(self, eps: float = 1e-8) -> None:
        self.eps = positive("eps", eps, why="it is the least length by which a row is divided")

    def terms(self, a: Array) -> int:
        return rows_in(a)

    def magnified(self, a: Array) -> Array:
        r, size = length(a, self.eps), np.absolute(a)
        row = size.sum(axis=-1, keepdims=True)
        return 2 * size + row + (1 + row * size * (1 + 1 / np.square(r))) / r

    def forward(self, a: Array, y: Array) -> Array:
        return (1 - (of_length_one(a, self.eps) * of_length_one(y, self.eps)).sum(axis=-1)).sum() / rows_in(a)

    @primitive
    def da(self, a: Array, y: Array) -> Array:
        return cosine_vjp(a, y, self.eps) / rows_in(a)

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds a row for each of the output's."""
        row_of_classes(shape)
        super().check_targets(shape, y)

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        return f"L = mean over samples of 1 - cos({output}, y)"
