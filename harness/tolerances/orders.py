"""Orders of summation: arrays on which the same NumPy code adds up in another order, and is as right.

The hand code is NumPy without a dtype, and runs on an array type of one's own. This one makes every sum, and every
matrix product, one term after the other, from the last to the first, each result rounded to the dtype, where NumPy
adds in blocks and pairs. A test that rejects it rejects a right program.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class FromLast(np.ndarray[Any, Any]):
    """An array that is summed from its last entry to its first."""

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **options: Any) -> Any:
        plain = [np.asarray(each) if isinstance(each, FromLast) else each for each in operands]
        if isinstance(options.get("out"), tuple):
            options["out"] = tuple(np.asarray(each) for each in options["out"])
        if (ufunc, method) == (np.matmul, "__call__") and min(each.ndim for each in plain) > 1:
            result = _product(*plain)
        elif (ufunc, method) == (np.add, "reduce") and options.get("where", True) is True and "initial" not in options:
            result = _sum(plain[0], options.get("axis", 0), keepdims=bool(options.get("keepdims", False)))
        else:
            result = getattr(ufunc, method)(*plain, **options)
        return result.view(FromLast) if isinstance(result, np.ndarray) else result


def from_last(array: Any) -> FromLast:
    """The same numbers, to be summed so."""
    return np.array(array).view(FromLast)


def _product(x: Any, y: Any) -> Any:
    total = x[..., -1:] * y[..., -1:, :]
    for k in range(x.shape[-1] - 2, -1, -1):
        total = total + x[..., k : k + 1] * y[..., k : k + 1, :]
    return total


def _sum(x: Any, axis: Any, *, keepdims: bool) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    places = sorted(each % x.ndim for each in axes)
    moved = np.moveaxis(x, places, range(len(places)))
    flat = moved.reshape(-1, *moved.shape[len(places) :])
    total = flat[-1] if len(flat) else np.zeros(flat.shape[1:], x.dtype)
    for each in flat[-2::-1]:
        total = total + each
    return np.expand_dims(total, tuple(places)) if keepdims else np.asarray(total)
