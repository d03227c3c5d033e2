"""Hinge loss: what is on the right side of the margin costs nothing.

    L = mean_nj max(0, 1 - y_nj a_nj)           da = -y / (N K) where y a < 1, else 0

Shapes: a, y and da (N, K); y is 1 or -1, a score's sign. There is a kink where y a = 1, exactly on the margin.

Source: Cortes and Vapnik, "Support-vector networks" (1995), section 3; Bishop, "Pattern Recognition and Machine
Learning" (2006), equation (7.44).
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array
from impls.hand.parts import Loss, over


class Hinge(Loss):
    derivative = "−{y}·[{y}·{a} < 1]/{entries}"
    output_activation = "identity"

    def forward(self, a: Array, y: Array) -> Array:
        return np.maximum(1 - y * a, 0).sum() / a.size

    def da(self, a: Array, y: Array) -> Array:
        return -y * (1 - y * a > 0) / a.size

    def one_sided(self, a: Array, y: Array) -> tuple[Array, Array, Array]:
        return 1 - y * a == 0, 0 * y, -y / a.size

    def formula(self, output: str, outputs: int) -> str:
        return f"L = mean over {over(outputs)} of max(0, 1 - y {output})"
