"""Losses: one number L for the whole batch, and its gradient with respect to the last activation.

    sum of squared errors    L = sum_nj (a_nj - y_nj)^2            da = 2 (a - y)          no 1/2, no mean
    mean squared error       L = 1/(N K) sum_nj (a_nj - y_nj)^2    da = 2 (a - y) / (N K)  mean over all entries
    softmax cross-entropy    L = -1/N sum_n log p_n,y(n)           da = (p - [j = y(n)]) / N
                             with p_nj = exp(a_nj) / sum_k exp(a_nk)                       mean over rows

Shapes: a and da (N, K). The targets y are (N, K) for the squared losses; for the cross-entropy they
are class labels, whole numbers 0 ... K-1 of shape (N,), and a holds the logits.

The cross-entropy's derivative: d log p_y / d a_j = [j = y] - p_j, by differentiating
log p_y = a_y - log sum_k exp(a_k).

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), equations (5.11), (4.108), (4.109).
"""

from __future__ import annotations

import numpy as np

from impls.hand.primitive import Array, primitive


@primitive
def log_softmax(a: Array) -> Array:
    # Subtracting the largest logit changes nothing in exact arithmetic and keeps exp from overflowing.
    shifted = a - a.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@primitive
def softmax(a: Array) -> Array:
    p = np.exp(a - a.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


@primitive
def softmax_cross_entropy_vjp(a: Array, y: Array) -> Array:
    da = softmax(a)
    da[np.arange(len(y)), y] -= 1
    da /= len(y)
    return da


class SquaredError:
    """What the two squared losses share: real targets of the shape of the output."""

    reads = "a"
    labels = False

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y has exactly the shape of the output: nothing broadcasts."""
        if y.shape != shape:
            raise ValueError(
                f"Cannot compare targets of shape {y.shape} with an output of shape {shape}, because "
                f"a squared error pairs them entry by entry; give targets of shape {shape}."
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class SumSquaredError(SquaredError):
    def forward(self, a: Array, y: Array) -> Array:
        return np.square(a - y).sum()

    def da(self, a: Array, y: Array) -> Array:
        return 2 * (a - y)

    def formula(self, output: str, outputs: int) -> str:
        over = "samples" if outputs == 1 else "samples and outputs"
        return f"L = sum over {over} of ({output} - y)^2"


class MeanSquaredError(SquaredError):
    def forward(self, a: Array, y: Array) -> Array:
        return np.square(a - y).sum() / a.size

    def da(self, a: Array, y: Array) -> Array:
        return 2 * (a - y) / a.size

    def formula(self, output: str, outputs: int) -> str:
        over = "samples" if outputs == 1 else "samples and outputs"
        return f"L = mean over {over} of ({output} - y)^2"


class SoftmaxCrossEntropy:
    reads = "a"
    labels = True

    def forward(self, a: Array, y: Array) -> Array:
        return -log_softmax(a)[np.arange(len(y)), y].sum() / len(y)

    def da(self, a: Array, y: Array) -> Array:
        return softmax_cross_entropy_vjp(a, y)

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds one class label, 0 to K-1, per row."""
        rows, classes = shape
        if y.shape != (rows,) or y.dtype.kind not in "iu":
            raise ValueError(
                f"Cannot use targets of shape {y.shape} and dtype {y.dtype} with softmax "
                f"cross-entropy, because it reads one class label per row; give whole numbers of "
                f"shape ({rows},)."
            )
        if len(y) and not 0 <= y.min() <= y.max() < classes:
            raise ValueError(
                f"Cannot use class labels from {y.min()} to {y.max()} with {classes} outputs, because "
                f"each output stands for one class; give labels from 0 to {classes - 1}."
            )

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        return f"L = mean over samples of -log softmax({output})[y]"

    def __repr__(self) -> str:
        return "SoftmaxCrossEntropy()"
