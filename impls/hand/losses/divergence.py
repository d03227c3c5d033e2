"""Kullback-Leibler divergence of targets y from the probabilities whose logarithms are a.

    L = 1/N sum_nj y_nj (log y_nj - a_nj)            da = -y / N            0 log 0 = 0

Shapes: a, y and da (N, K); axes between the first and the last count as rows. The mean is over rows, torch's
"batchmean" and optax's kl_divergence averaged, not over entries.

Source: Kullback and Leibler, "On information and sufficiency" (1951), equation (2.4).
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array
from impls.hand.losses.classes import row_of_classes, rows_in
from impls.hand.parts import Loss


class KullbackLeibler(Loss):
    derivative = "−{y}/{rows}"
    unit_targets = True
    output_activation = "identity"

    def terms(self, a: Array) -> int:
        return rows_in(a)

    def forward(self, a: Array, y: Array) -> Array:
        at_least = np.where(y > 0, y, 0 * y + 1)
        return ((y * np.log(at_least)).sum() - (y * a).sum()) / rows_in(a)

    def da(self, a: Array, y: Array) -> Array:
        return -y / rows_in(a)

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds a probability for each class, per row."""
        row_of_classes(shape)
        super().check_targets(shape, y)

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        return f"L = mean over samples of sum over classes of y (log y - {output})"
