"""Data from arrays: given from Python, or as ``x`` and ``y`` in an NPZ file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zipfile import ZipFile, is_zipfile

import numpy as np

from harness.inputs.datasets.data import Data
from harness.inputs.plain import unmasked
from harness.usage import UsageError, ordinary, reason
from impls.contract import Inputs
from impls.graph import TARGET
from impls.hand.notation import LARGEST_LAYER


def from_arrays(x: Any, y: Any, name: str = "the given arrays") -> Data:
    """Data from two arrays: x (N, M); y (N,) of whole numbers from 0 for labels, else real (N,) or (N, K).

    For a network with several inputs, or one of another shape, x is a dictionary of arrays with N rows each, by the
    names of the inputs; y may then have the shape of the network's output.

    Raises:
        UsageError: shapes that do not fit, no rows, or values that are not finite numbers.
    """
    if isinstance(x, Mapping):
        return _by_name(x, y, name)
    try:
        x, y = np.asarray(unmasked("x", x)), np.asarray(unmasked("y", y))
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f"Cannot use {name}, because {reason(error)}; give x and y as arrays.") from None
    if x.dtype.kind not in "fiub" or y.dtype.kind not in "fiub":
        raise UsageError(f"Cannot use {name}, because x is {x.dtype} and y is {y.dtype}; give real numbers.")
    if x.ndim < 2 or not y.ndim or (x.ndim == 2 and y.ndim > 2) or len(x) != len(y):
        raise UsageError(
            f"Cannot use {name}, because x has shape {x.shape} and y has shape {y.shape}; give x of shape "
            f"(N, M) and y of shape (N,) or (N, K)."
        )
    if not (x.size and y.size):
        raise UsageError(f"Cannot use {name}, because it holds no rows; give at least one row of numbers.")
    floats = {}
    for label, array in (("x", x), ("y", y if y.ndim > 1 else y[:, None])):
        with np.errstate(over="ignore"):  # told below, by place
            floats[label] = array.astype(np.float64)
        if not np.all(np.isfinite(floats[label])):
            at = tuple(np.argwhere(~np.isfinite(floats[label]))[0].tolist())
            place = f"{label}[{','.join(map(str, at))}]"
            raise UsageError(f"Cannot use {name}, because {place} is {array[at]}; give finite numbers.")
    return _with_targets(name, floats["x"], y)


def _by_name(x: Mapping[str, Any], y: Any, name: str) -> Data:
    try:
        masked = {**{str(key): array for key, array in x.items()}, TARGET: y}
        given = {key: np.asarray(unmasked(key, array)) for key, array in masked.items()}
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f"Cannot use {name}, because {reason(error)}; give every input and y as an array.") from None
    rows = given[TARGET].shape[:1]
    for key, array in given.items():
        if array.dtype.kind not in "fiub":
            raise UsageError(f"Cannot use {name}, because {key} is {array.dtype}; give real numbers.")
        if not array.size or array.shape[:1] != rows:
            shapes = ", ".join(f"{key} {array.shape}" for key, array in given.items())
            raise UsageError(f"Cannot use {name}, because of the shapes {shapes}; give every array the same rows.")
        if not np.all(np.isfinite(array)):
            raise UsageError(f"Cannot use {name}, because {key} holds what is no finite number; give finite numbers.")
    target = given.pop(TARGET)
    inputs = Inputs({key: a if a.dtype.kind in "iu" else a.astype(np.float64) for key, a in given.items()})
    return _with_targets(name, inputs, target)


def _with_targets(name: str, x: Any, y: np.ndarray) -> Data:
    """Data, in which whole numbers from 0 on, one for each row, are labels."""
    if y.ndim == 1 and y.dtype.kind in "iu" and y.min() >= 0 and y.max() < LARGEST_LAYER:
        return Data(name, x, y.astype(np.int64), tuple(str(c) for c in range(int(y.max()) + 1)))
    return Data(name, x, y.astype(np.float64).reshape(len(y), *(y.shape[1:] or (1,))))


MOST_UNPACKED, MOST_SWELLING = 2**28, 50
"""Bytes that x and y may take in memory, where that is more than so many times what they take in the file."""


def _refuse_swelling(path: str) -> None:
    """Raise UsageError if a small file holds arrays that would fill the memory."""
    with ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename in ("x.npy", "y.npy")]
    unpacked, packed = (sum(getattr(m, size) for m in members) for size in ("file_size", "compress_size"))
    if unpacked > MOST_UNPACKED and unpacked > MOST_SWELLING * packed:
        raise UsageError(
            f"Cannot read {path}, because x and y take {packed / 2**20:.1f} MiB in it and {unpacked / 2**20:,.0f} MiB "
            f"in memory; if that is meant, write it with numpy.savez, which does not compress."
        )


def read_npz(path: str) -> Data:
    """The arrays x and y of an NPZ file, read without running anything that it holds.

    Raises:
        UsageError: the file cannot be read, holds pickled objects or no x and y, or they do not fit.
    """
    try:
        with ordinary(path).open("rb") as file:
            if not is_zipfile(file):
                raise UsageError(
                    f"Cannot read {path}, because it is no NPZ file; write one with numpy.savez(path, x=x, y=y)."
                )
        _refuse_swelling(path)
        with np.load(path, allow_pickle=False) as archive:
            held = list(archive.files)
            arrays = [archive[key] for key in ("x", "y") if key in held]
    except UsageError:
        raise
    except Exception as error:
        # numpy raises a different class for each way in which an archive can be damaged.
        if "pickle" in str(error):
            raise UsageError(
                f"Cannot read {path}, because it holds pickled Python objects, and reading those can run any "
                f"program; save arrays of numbers as x and y."
            ) from None
        raise UsageError(f"Cannot read {path}, because {reason(error)}; give a readable NPZ file.") from None
    if len(arrays) < 2:
        names = ", ".join(held)[:200] or "nothing"
        raise UsageError(f"Cannot read {path}, because it holds {names}; save the features as x and the targets as y.")
    return from_arrays(arrays[0], arrays[1], path)
