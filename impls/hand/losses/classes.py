"""What a cross-entropy of classes reads: a row of classes for each sample, and one label or a probability of each."""

from __future__ import annotations

from impls.graph.primitive import Array


def row_of_classes(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and classes of an output, or ValueError where it has more axes."""
    if len(shape) != 2:
        raise ValueError(
            f"Cannot take a cross-entropy of an output of shape {shape}, because it reads one row of classes per "
            f"sample; give an output of shape (N, K)."
        )
    return shape


def check_labels(shape: tuple[int, ...], y: Array) -> None:
    """Raise ValueError unless y holds one class label, 0 to K-1, per row of an output of that shape."""
    rows, classes = row_of_classes(shape)
    if y.shape != (rows,) or y.dtype.kind not in "iu":
        raise ValueError(
            f"Cannot use targets of shape {y.shape} and dtype {y.dtype} with a cross-entropy of labels, because it "
            f"reads one class label per row; give whole numbers of shape ({rows},)."
        )
    if len(y) and not 0 <= y.min() <= y.max() < classes:
        raise ValueError(
            f"Cannot use class labels from {y.min()} to {y.max()} with {classes} outputs, because "
            f"each output stands for one class; give labels from 0 to {classes - 1}."
        )
