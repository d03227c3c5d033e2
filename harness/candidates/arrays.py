"""Arrays of somebody's: numbers in NumPy, torch or JAX arrays or in lists, as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from harness.inputs.frameworks import loaded_hosts
from impls.contract import Array, is_number


def _load_masked_arrays() -> None:
    """Load the part of NumPy that knows masked arrays, as scipy does, before or in spite of somebody's shim.

    It loads when it is first asked for, and no more once ``np.bool = bool``, usual for old code, has run.
    """
    numpy = vars(np)
    shim, numpy["bool"] = numpy["bool"], np.bool_
    try:
        import_module("numpy.ma")
    finally:
        numpy["bool"] = shim


_load_masked_arrays()


def as_array(value: Any) -> Array | None:
    """A NumPy array of the same numbers, from NumPy, torch (detached, on the CPU), JAX or lists; None if it is none."""
    try:
        for method in ("detach", "cpu"):
            value = getattr(value, method, lambda value=value: value)()
    except MemoryError:
        raise
    except Exception:  # a tensor without numbers has nothing to copy
        return None
    if isinstance(value, np.ma.MaskedArray):  # what is masked is no number
        return None
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if not isinstance(value, int | float | list | tuple) and not hasattr(value, "__array__"):
        return None
    try:
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception:  # somebody else's class, or numbers that NumPy lacks
        return next((host.take(value) for host in loaded_hosts("float32").values() if host.owns(value)), None)


def numbers_of(value: Any) -> Array | None:
    """The same, of real numbers; None if it holds anything else."""
    array = as_array(value)
    return array if array is not None and is_number(array) else None


def in_one_memory(held: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of names whose arrays share memory, in the order of the names."""
    arrays = {name: array for name, value in held.items() if (array := as_array(value)) is not None and array.ndim}
    return [(one, other) for one, other in combinations(arrays, 2) if np.may_share_memory(arrays[one], arrays[other])]


def reshaped(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether as many numbers lie in the same order, axes joined or parted and those of size 1 anywhere: none permuted.

    >>> reshaped((1, 3), (3,)), reshaped((3, 4), (4, 3)), reshaped((150, 3), (3,)), reshaped((12,), (4, 3))
    (True, False, False, True)
    """
    one, two = (tuple(size for size in each if size != 1) for each in (shape, other))
    return prod(one) == prod(two) and (one == two or sorted(one) != sorted(two))


def few(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
