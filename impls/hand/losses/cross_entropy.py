"""Softmax cross-entropy on logits a: of class labels, or of a distribution over the classes.

    p_nj = exp(a_nj) / sum_k exp(a_nk)

    labels     L = -1/N sum_n log p_n,y(n)           da = (p - [j = y(n)]) / N
    one-hot    L = -1/N sum_nj y_nj log p_nj         da = (p sum_k y_nk - y_nj) / N

Shapes: a and da (N, K). Labels are whole numbers 0 ... K-1 of shape (N,). One-hot targets, or any other
probabilities of the classes, have shape (N, K); where a row of them adds up to 1, sum_k y_nk is 1.
Axes between the first and the last count as rows: a (N, T, K) with labels (N, T) is a mean over N T rows.

The derivative: d log p_y / d a_j = [j = y] - p_j, by differentiating log p_y = a_y - log sum_k exp(a_k).

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), equations (4.108), (4.109).
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.activations.softmax import log_softmax, softmax
from impls.hand.layers.dense import rows_of
from impls.hand.parts import Loss


@primitive
def softmax_cross_entropy_vjp(a: Array, y: Array) -> Array:
    da = softmax(rows_of(a))
    da[np.arange(y.size), np.ravel(y)] -= 1
    da /= y.size
    return da.reshape(*a.shape)


@primitive
def one_hot_cross_entropy_vjp(a: Array, y: Array) -> Array:
    return (softmax(a) * y.sum(axis=-1, keepdims=True) - y) / rows_in(a)


def rows_in(a: Array) -> int:
    """How many rows of classes there are: N, or N T."""
    return int(a.size) // int(a.shape[-1])


def row_of_classes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Rows and classes of an output, or ValueError where it has no classes."""
    if len(shape) < 2:
        raise ValueError(
            f"Cannot take a cross-entropy of an output of shape {shape}, because it reads rows of classes; give an "
            f"output of shape (N, K)."
        )
    return shape


def check_labels(shape: tuple[int, ...], y: Array) -> None:
    """Raise ValueError unless y holds one class label, 0 to K-1, per row of an output of that shape."""
    *rows, classes = row_of_classes(shape)
    if y.shape != tuple(rows) or y.dtype.kind not in "iu":
        raise ValueError(
            f"Cannot use targets of shape {y.shape} and dtype {y.dtype} with a cross-entropy of labels, because it "
            f"reads one class label per row; give whole numbers of shape {tuple(rows)}."
        )
    if y.size and not 0 <= y.min() <= y.max() < classes:
        raise ValueError(
            f"Cannot use class labels from {y.min()} to {y.max()} with {classes} outputs, because "
            f"each output stands for one class; give labels from 0 to {classes - 1}."
        )


class SoftmaxCrossEntropy(Loss):
    derivative = "({p} − {y})/{rows}"
    labels = True
    output_activation, applies = "identity", "softmax"

    def forward(self, a: Array, y: Array) -> Array:
        return -log_softmax(rows_of(a))[np.arange(y.size), np.ravel(y)].sum() / y.size

    def da(self, a: Array, y: Array) -> Array:
        return softmax_cross_entropy_vjp(a, y)

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds one class label, 0 to K-1, per row."""
        check_labels(shape, y)

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        return f"L = mean over samples of -log softmax({output})[y]"


class OneHotCrossEntropy(Loss):
    derivative = "({p}·{total} − {y})/{rows}"
    output_activation, applies = "identity", "softmax"
    unit_targets = True

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds a probability for each class, per row."""
        row_of_classes(shape)
        super().check_targets(shape, y)

    def forward(self, a: Array, y: Array) -> Array:
        return -(y * log_softmax(a)).sum() / rows_in(a)

    def da(self, a: Array, y: Array) -> Array:
        return one_hot_cross_entropy_vjp(a, y)

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        return f"L = mean over samples of -sum over classes of y log softmax({output})"
