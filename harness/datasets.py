"""Data: rows of numbers and their targets, from the package, scikit-learn, a CSV file or an NPZ file.

Features are standardised by column in float64 (mean 0, standard deviation 1; a constant column becomes
0), unless raw values are asked for. Rounding to the working dtype comes later and once for all
implementations.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.usage import UsageError
from impls.hand import Network
from impls.hand.notation import lookup

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """Features x (N, M) in float64 and one target per row.

    Attributes:
        name: for people.
        y: class labels 0 ... C-1 of shape (N,) where `classes` is set, else real targets (N, K).
        classes: name of each class, or None.
        standardised: were the features standardised?
    """

    name: str
    x: Floats
    y: NDArray[Any]
    classes: tuple[str, ...] | None = None
    standardised: bool = False

    def describe(self) -> str:
        """One phrase: name, number of rows, standardised or raw."""
        return f"{self.name} N={len(self.x)}, {'standardised' if self.standardised else 'raw values'}"

    def targets(self, network: Network) -> NDArray[Any]:
        """The targets in the form that the network's loss reads.

        Classes become labels under cross-entropy; under a squared loss, one output is 1 for the last
        class and 0 for the others, and as many outputs as classes are one-hot.

        Raises:
            UsageError: the targets do not fit the network.
        """
        if network.loss.labels:
            return self._labels(network.outputs)
        if self.classes is None:
            if self.y.shape[1] != network.outputs:
                raise UsageError(
                    f"Cannot train {network.outputs} outputs on {self.name}, because it has "
                    f"{self.y.shape[1]} target columns; make the last layer {self.y.shape[1]} wide."
                )
            return self.y
        count = len(self.classes)
        if network.outputs == 1:
            return (self.y == count - 1).astype(np.float64)[:, None]
        if network.outputs == count:
            return np.eye(count)[self.y]
        raise UsageError(
            f"Cannot train {network.outputs} outputs on {self.name}, because it has {count} classes; make "
            f"the last layer {count} wide (one output per class) or 1 wide (the last class against the rest)."
        )

    def _labels(self, outputs: int) -> NDArray[Any]:
        labels = self.y if self.classes else self.y[:, 0]
        if np.any(labels != np.rint(labels)) or labels.min() < 0 or labels.max() >= outputs:
            raise UsageError(
                f"Cannot read the targets of {self.name} as class labels of {outputs} outputs, because they "
                f"range from {labels.min():g} to {labels.max():g}; cross-entropy needs whole numbers from 0 "
                f"to {outputs - 1}."
            )
        return labels.astype(np.int64)

    def meaning(self, network: Network) -> str | None:
        """What target 1 stands for, where one output tells one class from the rest."""
        if self.classes and network.outputs == 1 and not network.loss.labels:
            return f"target 1 for {self.classes[-1]}"
        return None


def load_data(source: str, *, raw: bool = False) -> Data:
    """The data set called `source`, or read from the .csv or .npz file of that path.

    Raises:
        UsageError: there is no such data set or file, or it cannot be read as one.
    """
    suffix = Path(source).suffix.lower()
    if suffix == ".csv":
        data = _read_csv(Path(source))
    elif suffix == ".npz":
        data = _read_npz(Path(source))
    else:
        try:
            data = lookup("data set", DATA_SETS, source)()
        except ValueError as error:
            raise UsageError(f"{error} A path must end in .csv or .npz.") from None
    return data if raw else standardise(data)


def from_arrays(x: Any, y: Any) -> Data:
    """Data from two arrays: x (N, M); y (N,) of whole numbers for labels, else real (N,) or (N, K).

    Raises:
        UsageError: shapes that do not fit, no rows, or values that are not finite numbers.
    """
    return _checked("the given arrays", x, y)


def standardise(data: Data) -> Data:
    """Each column of x with mean 0 and standard deviation 1; a constant column becomes 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = data.x.std(axis=0)
        x = (data.x - data.x.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    if not np.all(np.isfinite(x)):
        raise UsageError(
            f"Cannot standardise {data.name}, because its values are so large that their mean or deviation "
            f"overflows; scale them first or use raw values."
        )
    return replace(data, x=x, standardised=True)


def _iris() -> Data:
    text = files("harness.data").joinpath("iris.csv").read_text(encoding="utf-8")
    return replace(_parse_csv("iris", text.splitlines()), name="iris")


def _digits() -> Data:
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise UsageError(
            "Cannot load digits, because it comes with scikit-learn, which is not installed; "
            "pip install 'backprop-harness[data]'."
        ) from None
    bunch = load_digits()
    return Data("digits", bunch.data, bunch.target, tuple(map(str, bunch.target_names)))


DATA_SETS: dict[str, Callable[[], Data]] = {"iris": _iris, "digits": _digits}


def _read_csv(path: Path) -> Data:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    return _parse_csv(str(path), lines)


def _parse_csv(name: str, lines: list[str]) -> Data:
    """Numbers by column, an optional header, the target in the last column (numbers or class names)."""
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), 1) if row]
    if rows and not any(_number(cell) is not None for cell in rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise UsageError(f"Cannot read {name}, because it holds no rows; give at least one row of numbers.")
    width = len(rows[0][1])
    if width < 2:
        raise UsageError(
            f"Cannot read {name}, because its rows have one column; give the features and, last, the target."
        )
    features, targets = [], []
    for number, row in rows:
        if len(row) != width:
            raise UsageError(
                f"Cannot read {name}, because row {number} has {len(row)} columns and the first row has "
                f"{width}; give every row the same number of columns."
            )
        for column, cell in enumerate(row[:-1], 1):
            value = _number(cell)
            if value is None or not math.isfinite(value):
                raise UsageError(
                    f"Cannot read {name}, because row {number}, column {column} holds {cell[:40]!r}; "
                    f"features must be finite numbers."
                )
            features.append(value)
        targets.append(row[-1].strip())
    x = np.array(features).reshape(len(rows), width - 1)
    numbers = [_number(target) for target in targets]
    if all(value is None for value in numbers):
        classes = tuple(dict.fromkeys(targets))
        return Data(name, x, np.array([classes.index(t) for t in targets]), classes)
    for (number, _), value, target in zip(rows, numbers, targets, strict=True):
        if value is None or not math.isfinite(value):
            raise UsageError(
                f"Cannot read {name}, because row {number}, column {width} holds {target[:40]!r}; targets "
                f"must be finite numbers, or all of them class names."
            )
    return _checked(name, x, np.array(numbers, np.float64))


def _read_npz(path: Path) -> Data:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not {"x", "y"} <= set(archive.files):
                held = ", ".join(archive.files)[:200] or "nothing"
                raise UsageError(
                    f"Cannot read {path}, because it holds {held}; save the features as x and the targets as y."
                )
            return _checked(str(path), archive["x"], archive["y"])
    except UsageError:
        raise
    except Exception as error:
        # numpy raises a different class for each way in which an archive can be damaged or pickled.
        raise _unreadable(path, error) from None


def _checked(name: str, x: Any, y: Any) -> Data:
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype.kind not in "fiub" or y.dtype.kind not in "fiub":
        raise UsageError(f"Cannot use {name}, because x is {x.dtype} and y is {y.dtype}; give real numbers.")
    labelled = y.ndim == 1 and y.dtype.kind in "iu" and len(y) > 0 and y.min() >= 0
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y):
        raise UsageError(
            f"Cannot use {name}, because x has shape {x.shape} and y has shape {y.shape}; give x of shape "
            f"(N, M) and y of shape (N,) or (N, K)."
        )
    if not len(x) or not x.shape[1]:
        raise UsageError(f"Cannot use {name}, because it holds no rows; give at least one row of numbers.")
    x = x.astype(np.float64)
    if labelled:
        return Data(name, x, y.astype(np.int64), tuple(str(c) for c in range(int(min(y.max(), 10**6)) + 1)))
    y = y.astype(np.float64).reshape(len(y), -1)
    for label, array in (("x", x), ("y", y)):
        if not np.all(np.isfinite(array)):
            row, column = np.argwhere(~np.isfinite(array))[0]
            raise UsageError(
                f"Cannot use {name}, because {label}[{row},{column}] is {array[row, column]}; give finite numbers."
            )
    return Data(name, x, y)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _unreadable(path: Path, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
    return UsageError(f"Cannot read {path}, because {reason}; give a readable file with features and targets.")
