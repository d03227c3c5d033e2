"""Categorical cross-entropy of probabilities a, which a softmax has made: the last activation is the network's own.

    one-hot    L = -1/N sum_nj y_nj log a_nj         da_nj = -y_nj / a_nj / N
    labels     L = -1/N sum_n log a_n,y(n)           da_nj = -[j = y(n)] / a_nj / N

    with a guard (`guards.py`), g(a) stands for a under the logarithm

Shapes: a and da (N, K); one-hot targets, or any other probabilities of the classes, (N, K); labels whole numbers
0 ... K-1 of shape (N,). Behind a softmax, dz = (a sum_k y_nk - y) / N, the gradient of the cross-entropy on logits
(`cross_entropy.py`): the two are one function of z, and here the logarithm is taken of a rounded probability.

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), equation (4.108), and (4.109) for dz.
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.losses.classes import check_labels, row_of_classes
from impls.hand.losses.guards import Guarded


@primitive
def chosen_reciprocal(a: Array, y: Array) -> Array:
    """1 / a where j = y(n), else 0, whatever a is there."""
    rows, chosen = np.arange(len(y)), a * 0
    chosen[rows, y] = 1 / a[rows, y]
    return chosen


class CategoricalCrossEntropy(Guarded):
    output_activation = "softmax"
    unit_targets = True

    def __init__(self, epsilon: float = 0.0, clip: float = 0.0) -> None:
        super().__init__(epsilon, clip)
        self.derivative = "−{y}/({a} + {epsilon:g})/{rows}" if epsilon else "−{y}/{a}/{rows}"
        if clip:
            self.derivative += " where {clip:g} < {a} < 1 − {clip:g}, else 0"

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds a probability for each class, per row."""
        row_of_classes(shape)
        super().check_targets(shape, y)

    def forward(self, a: Array, y: Array) -> Array:
        return -(y * np.log(self.guarded(a))).sum() / len(y)

    def da(self, a: Array, y: Array) -> Array:
        return self.passed(-y / self.guarded(a) / len(y), a)

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        return f"L = mean over samples of -sum over classes of y log {self.guarded_text(output)}"


class SparseCategoricalCrossEntropy(CategoricalCrossEntropy):
    labels = True
    unit_targets = False

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds one class label, 0 to K-1, per row."""
        check_labels(shape, y)

    def forward(self, a: Array, y: Array) -> Array:
        return -np.log(self.guarded(a[np.arange(len(y)), y])).sum() / len(y)

    def da(self, a: Array, y: Array) -> Array:
        return self.passed(-chosen_reciprocal(self.guarded(a), y) / len(y), a)

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        return f"L = mean over samples of -log {self.guarded_text(f'{output}[y]')}"
