"""Softmax cross-entropy of class labels, some of them ignored, smoothed, or weighted by their class.

    q_nj = v_j ((1 - e) [j = y(n)] + e / K)      0 in a row whose label is ignored
    D    = sum of v_y(n) over rows that are not ignored
    L    = -1/D sum_nj q_nj log p_nj             p the softmax of a row           da = (p sum_k q_nk - q_nj) / D

Shapes: a and da (N, K), labels (N,), whole numbers 0 ... K-1 or `ignore_index`; v has a weight for each class, 1 unless
given. Axes between the first and the last count as rows. e is the share of a label that is spread over all classes,
torch's and Keras' `label_smoothing`; D does not depend on it. Where every row is ignored there is no mean.

Sources: Szegedy et al., "Rethinking the inception architecture for computer vision" (2016), section 7, for smoothing;
weights and D as torch.nn.CrossEntropyLoss has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.activations.softmax import log_softmax
from impls.hand.layers.dense import rows_of
from impls.hand.losses.classes import check_labels, row_of_classes, rows_in
from impls.hand.losses.cross_entropy import one_hot_cross_entropy_vjp
from impls.hand.parts import Loss, number


@primitive
def soft_targets(a: Array, q: Any) -> Array:
    """q as numbers of a's kind."""
    return np.full_like(a, q)


@primitive
def over_weights(total: Array, weight: float, rows: int) -> Array:  # noqa: ARG001  (a rule needs the rows)
    """Divided by D, the sum of a weight for each row."""
    return total / weight


class WeightedCrossEntropy(Loss):
    labels = True
    output_activation, applies = "identity", "softmax"

    def __init__(
        self, ignore_index: int | None = None, label_smoothing: float = 0.0, class_weights: list[float] | None = None
    ) -> None:
        if ignore_index is not None and (not isinstance(ignore_index, int) or isinstance(ignore_index, bool)):
            raise ValueError(
                f"Cannot use ignore_index={ignore_index!r}, because labels are whole numbers; give one, such as -100."
            )
        self.ignore_index = ignore_index
        plain = ignore_index is None and not label_smoothing and class_weights is None
        self.derivative = "({p} − {y})/{rows}" if plain else "({p} sum q − q)/D"
        self.label_smoothing = number("label_smoothing", label_smoothing, least=0, why="it is a share of a label")
        if self.label_smoothing > 1:
            raise ValueError(
                f"Cannot use label_smoothing={label_smoothing!r}, because it is a share of a label; give a number from "
                f"0 to 1."
            )
        why = "it weighs a class"
        self.class_weights = (
            None if class_weights is None else [number("class_weights", w, above=0, why=why) for w in class_weights]
        )

    def kept(self, y: Any) -> Any:
        """Whether a row's label counts, row by row."""
        return np.ones(y.shape, bool) if self.ignore_index is None else y != self.ignore_index

    def targets(self, y: Any, classes: int) -> tuple[Any, float]:
        """q (n, K) and D, in float64, from labels (n,)."""
        v, kept = np.ones(classes) if self.class_weights is None else np.array(self.class_weights), self.kept(y)
        chosen = np.arange(classes) == np.where(kept, y, 0)[:, None]
        q = v * ((1 - self.label_smoothing) * chosen + self.label_smoothing / classes) * kept[:, None]
        return q, float((v[np.where(kept, y, 0)] * kept).sum())

    def forward(self, a: Array, y: Array) -> Array:
        rows = rows_of(a)
        q, D = self.targets(np.ravel(y), a.shape[-1])
        return over_weights(-(soft_targets(rows, q) * log_softmax(rows)).sum(), D, len(q))

    def da(self, a: Array, y: Array) -> Array:
        rows = rows_of(a)
        q, D = self.targets(np.ravel(y), a.shape[-1])
        da = one_hot_cross_entropy_vjp(rows, soft_targets(rows, q))
        return over_weights(da * rows_in(rows), D, len(q)).reshape(*a.shape)

    def check_targets(self, shape: tuple[int, ...], y: Array) -> None:
        """Raise ValueError unless y holds a class label, or what is ignored, for each row, and not all are ignored."""
        classes = row_of_classes(shape)[-1]
        kept = self.kept(y)
        check_labels(shape, np.where(kept, y, 0) if y.dtype.kind in "iu" else y)
        if not kept.any():
            raise ValueError(
                f"Cannot take the mean of a cross-entropy, because every label is {self.ignore_index}, which is "
                f"ignored; give one that counts."
            )
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ValueError(
                f"Cannot use {len(self.class_weights)} weights with {classes} outputs, because each class has one; "
                f"give {classes}."
            )

    def formula(self, output: str, outputs: int) -> str:  # noqa: ARG002  (one signature for all losses)
        weighted = "" if self.class_weights is None else ", weighted by class"
        smoothed = f", {self.label_smoothing:g} of each label spread over all classes" if self.label_smoothing else ""
        ignored = "" if self.ignore_index is None else f", without those of label {self.ignore_index}"
        return f"L = mean over samples of -log softmax({output})[y]{weighted}{smoothed}{ignored}"
