"""Losses as single operations, each with its reduction: none, mean or sum.

    negative log likelihood   L_n = -w_y(n) x_n,y(n)                     mean: over sum of w_y(n)
    squared error             L = (a - y)^2                              da = 2 (a - y) dL          dy = -da
    binary cross-entropy      L = -(y log a + (1 - y) log(1 - a))        da = (a - y)/(a (1 - a)) dL
    ... on logits             L = max(a, 0) - a y + log(1 + e^-|a|)      da = (sigmoid(a) - y) dL

Shapes: x (N, C, ...), y (N, ...) whole numbers; a and y alike. Where a target is ignored nothing is counted.

Sources: `impls.hand.losses`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.layers.indexing import scattered
from impls.hand.losses.binary import logit_cross_entropy, logit_cross_entropy_vjp
from impls.hand.parts import Parametrised


class _Reduced(Parametrised):
    gives = "L"

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def reduced(self, each: Array) -> Array:
        """The losses as one, or as they are."""
        if self.reduction == "none":
            return each
        total = each.sum()
        return total / each.size if self.reduction == "mean" else total

    def sent(self, dL: Array, entries: int) -> Array:
        """What arrives at each loss."""
        return dL / entries if self.reduction == "mean" else dL


class NegativeLogLikelihood(_Reduced):
    reads = ("x", "y")

    def __init__(self, reduction: str = "mean", ignore: int = -100, weights: Any = None) -> None:
        super().__init__(reduction)
        self.ignore, self.weights = ignore, weights

    def __repr__(self) -> str:
        weights = "" if self.weights is None else ", weights=..."
        return f"NegativeLogLikelihood({self.reduction!r}, ignore={self.ignore}{weights})"

    def _of(self, x: Array, y: Any) -> tuple[Any, Any]:
        """Where in x, taken as one row, each target's entry is; and its weight, 0 where it is ignored."""
        classes, counted = x.shape[1] if x.ndim > 1 else x.shape[0], y != self.ignore
        label = np.where(counted, y, 0)
        rows = x.shape[0] if x.ndim > 1 else 1
        inner = int(np.prod(x.shape[2:]))
        n, k = np.divmod(np.arange(y.size), inner)
        places = (n % rows) * classes * inner + np.ravel(label) * inner + k
        weight = np.ones(classes) if self.weights is None else np.asarray(self.weights, np.float64)
        return places, np.ravel(np.where(counted, weight[label], 0.0))

    def forward(self, x: Array, y: Any) -> Array:
        places, weight = self._of(x, y)
        each = -(x.reshape(-1)[places] * weight)
        if self.reduction == "none":
            return each.reshape(y.shape)
        return each.sum() / weight.sum() if self.reduction == "mean" else each.sum()

    def dx(self, dL: Array, x: Array, y: Any) -> Array:
        places, weight = self._of(x, y)
        each = -(dL.reshape(-1) * weight)
        if self.reduction == "mean":
            each = each / weight.sum()
        return scattered(each.reshape(1, -1), places, x.size).reshape(x.shape)


class SquaredError(_Reduced):
    reads = ("a", "y")

    def forward(self, a: Array, y: Array) -> Array:
        return self.reduced(np.square(a - y))

    def da(self, dL: Array, a: Array, y: Array) -> Array:
        return 2 * (a - y) * self.sent(dL, a.size)

    def dy(self, dL: Array, a: Array, y: Array) -> Array:
        return -self.da(dL, a, y)


class LogitCrossEntropy(_Reduced):
    reads = ("a", "y")

    def forward(self, a: Array, y: Array) -> Array:
        return self.reduced(logit_cross_entropy(a, y))

    def da(self, dL: Array, a: Array, y: Array) -> Array:
        return logit_cross_entropy_vjp(a, y) * self.sent(dL, a.size)
