"""What a cross-entropy of classes reads: rows of classes, and one label or a probability of each for every row."""

from __future__ import annotations

from math import prod

from impls.graph.primitive import Array


def rows_in(a: Array) -> int:
    """How many rows of classes there are: N, or N T; of an array of any framework."""
    return prod(a.shape[:-1])


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
