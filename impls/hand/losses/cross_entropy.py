"""Softmax cross-entropy on logits a: of class labels, or of a distribution over the classes.

    p_nj = exp(a_nj) / sum_k exp(a_nk)

    labels     L = -1/N sum_n log p_n,y(n)           da = (p - [j = y(n)]) / N
    one-hot    L = -1/N sum_nj y_nj log p_nj         da = (p sum_k y_nk - y_nj) / N

Shapes: a and da (N, K). Labels are whole numbers 0 ... K-1 of shape (N,). One-hot targets, or any other
probabilities of the classes, have shape (N, K); where a row of them adds up to 1, sum_k y_nk is 1. With a guard
(`guards.py`), g(p) stands for p under the logarithm.
Axes between the first and the last count as rows: a (N, T, K) with labels (N, T) is a mean over N T rows.

The derivative: d log p_y / d a_j = [j = y] - p_j, by differentiating log p_y = a_y - log sum_k exp(a_k).

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), equations (4.108), (4.109).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.activations.softmax import log_softmax, softmax, softmax_vjp
from impls.hand.layers.dense import rows_of
from impls.hand.losses.categorical import CategoricalCrossEntropy, SparseCategoricalCrossEntropy
from impls.hand.losses.classes import check_labels, row_of_classes, rows_in
from impls.hand.losses.guards import GuardedOnLogits


@primitive
def softmax_cross_entropy_vjp(a: Array, y: Array) -> Array:
    da = softmax(rows_of(a))
    da[np.arange(y.size), np.ravel(y)] -= 1
    da /= y.size
    return da.reshape(*a.shape)


@primitive
def one_hot_cross_entropy_vjp(a: Array, y: Array) -> Array:
    return (softmax(a) * y.sum(axis=-1, keepdims=True) - y) / rows_in(a)


def _through_softmax(on_p: Any, a: Array, y: Array) -> Array:
    """The gradient of a loss on probabilities by the logits."""
    p = softmax(a)
    return softmax_vjp(on_p.da(p, y), p)


class SoftmaxCrossEntropy(GuardedOnLogits):
    derivative = "({p} − {y})/{rows}"
    labels = True
    output_activation, applies = "identity", "softmax"
    written_out = SparseCategoricalCrossEntropy

    def terms(self, a: Array) -> int:
        return rows_in(a)

    def forward(self, a: Array, y: Array) -> Array:
        if self.on_p:
            return self.on_p.forward(softmax(a), y)
        return -log_softmax(rows_of(a))[np.arange(y.size), np.ravel(y)].sum() / y.size

    def da(self, a: Array, y: Array) -> Array:
        if self.on_p:
            return _through_softmax(self.on_p, a, y)
        return softmax_cross_entropy_vjp(a, y)

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds one class label, 0 to K-1, per row."""
        check_labels(shape, y)

    def formula(self, output: str, outputs: int) -> str:
        if self.on_p:
            return f"{self.on_p.formula('p', outputs)}, p the softmax of {output}"
        return f"L = mean over samples of -log softmax({output})[y]"


class OneHotCrossEntropy(GuardedOnLogits):
    derivative = "({p}·{total} − {y})/{rows}"
    output_activation, applies = "identity", "softmax"
    unit_targets = True
    written_out = CategoricalCrossEntropy

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds a probability for each class, per row."""
        row_of_classes(shape)
        super().check_targets(shape, y)

    def terms(self, a: Array) -> int:
        return rows_in(a)

    def forward(self, a: Array, y: Array) -> Array:
        if self.on_p:
            return self.on_p.forward(softmax(a), y)
        return -(y * log_softmax(a)).sum() / rows_in(a)

    def da(self, a: Array, y: Array) -> Array:
        if self.on_p:
            return _through_softmax(self.on_p, a, y)
        return one_hot_cross_entropy_vjp(a, y)

    def formula(self, output: str, outputs: int) -> str:
        if self.on_p:
            return f"{self.on_p.formula('p', outputs)}, p the softmax of {output}"
        return f"L = mean over samples of -sum over classes of y log softmax({output})"
