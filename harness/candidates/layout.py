"""Layouts: how the arrays lie that a function is given and returns.

    rows            x (N, n_in)   W (n_in, n_out)   b (n_out,)     z = x W + b
    columns         x (n_in, N)   W (n_out, n_in)   b (n_out, 1)   z = W x + b
    sample          x (n_in,)     W, b as in rows; the function is called for one sample at a time
    sample-column   x (n_in, 1)   W, b as in columns; likewise

Labels, whole numbers, stay one for each sample. Everything is compared in rows: what a function is given is laid out
here on the way in, what it returns is taken back here, and there is no other place that does either.

Of a function that is called for one sample at a time the gradients of the weights are added up, as the loss is, and
divided by the number of samples where the loss is a mean over them. That number is a power of two, so that the division
rounds nothing: what is compared is what the same program makes of a loss that is a mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.evaluation.point import Point
from harness.usage import UsageError
from impls.contract import Array, Inputs
from impls.graph import LOSS, TARGET, Graph, Tensor

LAYOUTS = ("rows", "columns", "sample", "sample-column")
WORDS = {
    "rows": "W has shape (n_in, n_out), z = x W + b",
    "columns": "read as: samples in columns, W (n_out, n_in), b (n_out, 1); told here in rows, z = x W + b",
    "sample": "read as: one sample at a time, x (n_in,), W (n_in, n_out), b (n_out,); told here in rows, z = x W + b",
    "sample-column": "read as: one sample at a time, x (n_in, 1), W (n_out, n_in), b (n_out, 1); told here in rows, "
    "z = x W + b",
}
"""What the heading of a check says of each."""


@dataclass(frozen=True, eq=False)
class Layout:
    """One of `LAYOUTS` for the tensors of a network.

    Attributes:
        columns: whether samples lie in columns.
        alone: whether the function is called for one sample at a time.
        mean: whether the loss is the mean, not the sum, over the samples; asked only where they are alone.
    """

    network: Graph
    columns: bool = False
    alone: bool = False
    mean: bool = False

    def laid(self, name: str, array: Array) -> Array:
        """A tensor that lies in rows as the function is given it: contiguous. Of one alone, its only row."""
        tensor = self._tensor(name)
        if self.alone and tensor.per_row and (tensor.whole or not self.columns):
            return np.ascontiguousarray(array[0]) if np.ndim(array[0]) else np.asarray(array[0])
        if not self.columns or tensor.whole:
            return array
        return np.ascontiguousarray(array.T if array.ndim > 1 else array[:, None] if array.ndim else array)

    def shape(self, name: str, rows: int) -> tuple[int, ...]:
        """The shape in which the function should return a tensor."""
        tensor = self._tensor(name)
        shape = tensor.sized(1 if self.alone else rows)
        if self.columns:
            return shape[::-1] if len(shape) > 1 else (*shape, 1) if shape else shape
        return shape[1:] if self.alone and tensor.per_row else shape

    def back(self, name: str, array: Array, rows: int) -> Array:
        """A tensor of the shape that the function should return, in rows."""
        shape = self._tensor(name).sized(1 if self.alone else rows)
        return array.T if self.columns and len(shape) > 1 else array.reshape(shape)

    def asked(self, x: Array | Inputs, y: Array) -> Iterator[tuple[Array | Inputs, Array]]:
        """Inputs and target of each sample, a row each."""
        for row in range(len(y)):
            one = slice(row, row + 1)
            yield Inputs({n: a[one] for n, a in x.items()}) if isinstance(x, Inputs) else x[one], y[one]

    def samples(self, point: Point) -> Iterator[Point]:
        """The points that the function is asked at: each sample of the batch, where they are alone."""
        if not self.alone:
            yield point
            return
        for row in range(point.rows):
            yield point.elsewhere(point.weights, slice(row, row + 1))

    def together(self, samples: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """The tensors of a batch, from those of each sample; what some sample lacks is left out."""
        rows = len(samples)
        shown = {}
        for name in samples[0] if samples else ():
            if not all(name in each for each in samples):
                continue
            parts, tensor = [each[name] for each in samples], self._tensor(name)
            with np.errstate(all="ignore"):  # of numbers that are not finite
                whole = np.concatenate(parts) if tensor.per_row else np.sum(parts, axis=0, dtype=parts[0].dtype)
                own = name == LOSS or tensor.role == "gradient"
                shown[name] = whole / whole.dtype.type(rows) if own and self.mean else whole
        return shown

    def rows(self, available: int) -> int:
        """How many samples of a batch are taken: all, or the largest power of two where the division must be exact."""
        return 1 << (available.bit_length() - 1) if self.mean else available

    def _tensor(self, name: str) -> Tensor:
        """The tensor of a name; the only input is called x whatever its name."""
        return self.network.tensors[name if name in self.network.tensors else self.network.sources[0].name]


def layout_of(text: object, network: Graph, point: Point) -> Layout:
    """The layout that a text names.

    Args:
        text: one of `LAYOUTS`.
        network: whose tensors they are.
        point: where the function will be called.

    Raises:
        UsageError: there is none of that name, or the network's tensors cannot lie so.
    """
    if text not in LAYOUTS:
        raise UsageError(f"Cannot use layout={text!r}, because there is none of that name; give {', '.join(LAYOUTS)}.")
    columns, alone = text in ("columns", "sample-column"), text in ("sample", "sample-column")
    if columns:
        _check_columns(network, text)
    return Layout(network, columns, alone, alone and _is_mean(network, point, text))


def _check_columns(network: Graph, text: object) -> None:
    for name, tensor in network.tensors.items():
        axes = len(tensor.shape)
        if axes > 2 or (tensor.per_row and axes != 2 and not tensor.whole) or (tensor.whole and axes > 1):
            told = ", ".join(map(str, tensor.shape))
            raise UsageError(
                f"Cannot use layout={text!r} with this network, because {name} has shape ({told}) and only a column of "
                f"numbers for each sample can lie so; use layout='rows'."
            )


def _is_mean(network: Graph, point: Point, text: object) -> bool:
    """Whether the loss of two equal samples is that of one of them, not twice that.

    Raises:
        UsageError: it is neither, or samples are not independent.
    """
    ratio = np.nan
    for row in range(point.rows):
        points = (point.elsewhere(point.weights, rows) for rows in ([row], [row, row]))
        single, double = (float(network.loss_of(network.forward(p.weights, p.x), p.named[TARGET])) for p in points)
        if single:
            ratio = double / single
            break
    kind = 1 if abs(ratio - 1) < 0.25 else 2 if abs(ratio - 2) < 0.25 else 0
    if network.buffers or not kind:
        why = "its samples depend on each other" if network.buffers else (
            "its loss is neither the sum nor the mean of the samples' losses"
        )  # fmt: skip
        raise UsageError(f"Cannot use layout={text!r} with this network, because {why}; use layout='rows'.")
    return kind == 1
