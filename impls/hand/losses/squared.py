"""Losses that grow with the square, or further out with the amount, of the error r = a - y.

    sum of squared errors   L = sum_nj r_nj^2           da = 2 r                            no 1/2, no mean
    mean squared error      L = mean_nj r_nj^2          da = 2 r / (N K)                    mean over all entries
    huber                   L = mean_nj h(r_nj)         da = min(max(r, -delta), delta) / (N K)
                            h(r) = r^2 / 2 up to |r| = delta, then delta (|r| - delta / 2)
    mean absolute error     L = mean_nj |r_nj|          da = sign(r) / (N K)                at r = 0: 0

Shapes: a, y and da (N, K). The absolute error has a kink where an output equals its target.

Sources: Bishop, "Pattern Recognition and Machine Learning" (2006), equation (5.11); Huber, "Robust
estimation of a location parameter" (1964), section 1.
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.parts import Loss, over, positive


@primitive
def huber(r: Array, delta: float) -> Array:
    size = np.absolute(r)
    # The minimum keeps the square from overflowing where it is not used.
    return np.where(size > delta, delta * (size - 0.5 * delta), 0.5 * np.square(np.minimum(size, delta)))


@primitive
def clipped_difference(a: Array, y: Array, delta: float) -> Array:
    return np.minimum(np.maximum(a - y, -delta), delta)


@primitive
def sign_of_difference(a: Array, y: Array) -> Array:
    return np.sign(a - y)


class SumSquaredError(Loss):
    derivative = "2·({a} − {y})"

    def terms(self, a: Array) -> int:  # noqa: ARG002
        return 1

    def forward(self, a: Array, y: Array) -> Array:
        return np.square(a - y).sum()

    def da(self, a: Array, y: Array) -> Array:
        return 2 * (a - y)

    def formula(self, output: str, outputs: int) -> str:
        return f"L = sum over {over(outputs)} of ({output} - y)^2"


class MeanSquaredError(Loss):
    derivative = "2·({a} − {y})/{entries}"

    def forward(self, a: Array, y: Array) -> Array:
        return np.square(a - y).sum() / a.size

    def da(self, a: Array, y: Array) -> Array:
        return 2 * (a - y) / a.size

    def formula(self, output: str, outputs: int) -> str:
        return f"L = mean over {over(outputs)} of ({output} - y)^2"


class Huber(Loss):
    derivative = "min(max({a} − {y}, −{delta:g}), {delta:g})/{entries}"

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = positive("delta", delta, "it is the error up to which the loss is a square")

    def forward(self, a: Array, y: Array) -> Array:
        return huber(a - y, self.delta).sum() / a.size

    def da(self, a: Array, y: Array) -> Array:
        return clipped_difference(a, y, self.delta) / a.size

    def magnified(self, a: Array) -> Array:  # noqa: ARG002  (half of the constant, by twice the difference)
        return 2 * self.delta

    def formula(self, output: str, outputs: int) -> str:
        return (
            f"L = mean over {over(outputs)} of r^2/2 up to |r| = {self.delta:g}, then "
            f"{self.delta:g} (|r| - {self.delta / 2:g}), r = {output} - y"
        )


class MeanAbsoluteError(Loss):
    derivative = "sign({a} − {y})/{entries}"

    def forward(self, a: Array, y: Array) -> Array:
        return np.absolute(a - y).sum() / a.size

    def da(self, a: Array, y: Array) -> Array:
        return sign_of_difference(a, y) / a.size

    def one_sided(self, a: Array, y: Array) -> tuple[Array, Array, Array]:
        slope = (0 * a + 1) / a.size
        return a == y, -slope, slope

    def formula(self, output: str, outputs: int) -> str:
        return f"L = mean over {over(outputs)} of |{output} - y|"
