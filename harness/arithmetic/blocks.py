"""Arithmetic entry by entry, in blocks that stay in a processor's cache, whatever the size of the arrays, or in loops.

An expression of ten operations on large arrays writes ten temporary arrays to memory and reads them again. Computed
block by block, with the very same results, the temporaries never leave the cache; in a loop there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import loops
from harness.arithmetic.loops import COMPILER, Formula, PerColumn, PerRow

ENTRIES = 2**15
"""Of one block: 256 KB of float64, so that an expression's operands and temporaries fit the caches of a core."""

FLOAT64, NATIVE = np.dtype(np.float64), (np.dtype(np.float64), np.dtype(np.float32))


def blocks(*arrays: Any) -> Iterator[tuple[int, list[Any]]]:
    """Arrays of one shape, flat, in pieces, each with where it begins; what else is among them is as it is."""
    shaped = [isinstance(array, np.ndarray) and array.ndim > 0 for array in arrays]
    flat = [array.reshape(-1) if has else array for array, has in zip(arrays, shaped, strict=True)]
    size = max(len(array) for array, has in zip(flat, shaped, strict=True) if has)
    if 0 < size <= ENTRIES:
        yield 0, flat
        return
    for begin in range(0, size, ENTRIES):
        end = begin + ENTRIES
        yield begin, [array[begin:end] if has else array for array, has in zip(flat, shaped, strict=True)]


def in_blocks(formula: Formula, *arrays: Any, dtype: Any = FLOAT64) -> NDArray[Any]:
    """What a formula of entries gives of arrays and of numbers, broadcast against each other.

    It lies in memory in the order of its entries, or of its transpose's if all arrays do, which have as many axes.
    """
    for array in arrays:
        if isinstance(array, np.ndarray) and (array.size >= loops.WORTH or array.dtype is not FLOAT64):
            break
    else:  # nearly always, so it is asked first
        made = formula(*arrays)
        return made if dtype is FLOAT64 else made.astype(dtype)
    if not all(map(_in_order, arrays)) and _transposed(arrays):
        turned = (each.T if isinstance(each, np.ndarray) else each for each in arrays)
        return in_blocks(formula, *turned, dtype=dtype).T
    size = _size(arrays)
    loop = COMPILER.loops(formula, size)
    if loop is None and size <= 2 * ENTRIES:
        made = _evaluated(formula, arrays).astype(dtype, copy=False)
        return made if _in_order(made) else made.copy()
    shape, rows, width = _shape(arrays)
    laid = [_in_rows(array, shape, rows, width) for array in arrays]
    result = np.empty(shape, dtype)
    whole = result.reshape(rows, width)
    if loop is not None:
        loop.fill(whole, *(_as_taken(array, rows, width) for array in laid))
        return result
    across, along = (1, ENTRIES) if rows == 1 else (max(ENTRIES // width, 1), width)
    for row in range(0, rows, across):
        for column in range(0, width, along):
            part = slice(row, row + across), slice(column, column + along)
            whole[part] = _evaluated(formula, (_part(array, *part) for array in laid))
    return result


def reduced(formula: Formula, conditions: int, *arrays: Any) -> tuple[float, int, tuple[int, ...]]:
    """What a formula gives of entries of arrays of one shape, which are not none: a number, and so many conditions.

    Returns:
        the largest number, or the first NaN; its place in the flat arrays; at how many entries each condition holds.
    """
    size, counts, found, place = _size(arrays), (0,) * conditions, -np.inf, 0
    if (loop := COMPILER.loops(formula, size)) is not None:
        return loop.reduce(counts, size, *_one_row(arrays, size))
    for begin, parts in blocks(*arrays) if size > ENTRIES else [(0, arrays)]:
        given, *holding = _evaluated(formula, parts)
        counts = tuple(count + int(np.count_nonzero(each)) for count, each in zip(counts, holding, strict=True))
        first = int(np.argmax(given))
        if not (most := float(np.ravel(given)[first])) <= found and not np.isnan(found):
            found, place = most, begin + first
    return found, place, counts


def _in_order(array: Any) -> bool:
    """Whether entries lie in memory in their order; a number's do."""
    return not isinstance(array, np.ndarray) or array.flags.c_contiguous


def _transposed(arrays: Iterable[Any]) -> bool:
    """Whether the transposes of all arrays lie in their order, and are broadcast as these are."""
    shaped = [array for array in arrays if isinstance(array, np.ndarray) and array.ndim]
    return len({array.ndim for array in shaped}) == 1 and all(array.flags.f_contiguous for array in shaped)


def _size(arrays: Iterable[Any]) -> int:
    return max(getattr(array, "size", 1) for array in arrays)


def _evaluated(formula: Formula, arguments: Iterable[Any]) -> Any:
    """By NumPy, in float64 whatever format entries are kept in."""
    return formula(
        *(
            each.astype(np.float64) if isinstance(each, np.ndarray) and each.dtype != FLOAT64 else each
            for each in arguments
        )
    )


def _shape(arrays: Sequence[Any]) -> tuple[tuple[int, ...], int, int]:
    """Of arrays together, and as rows of so many entries: a single one where all have that shape."""
    shapes = {array.shape for array in arrays if isinstance(array, np.ndarray) and array.size != 1}
    shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
    size = prod(shape)
    return (shape, size // max(shape[-1], 1), shape[-1]) if shapes else (shape, 1, size)


def _in_rows(array: Any, shape: tuple[int, ...], rows: int, width: int) -> Any:
    """An array as a matrix of all entries, of one for each row, or of one for each column; a number as it is."""
    if not isinstance(array, np.ndarray):
        return float(array) if isinstance(array, int | float | np.number) else array
    if array.size and (array.size == 1 or not any(array.strides)):
        return float(array.flat[0])
    if array.shape == shape:
        return array.reshape(rows, width)
    if rows > 1 and array.shape == (*shape[:-1], 1):
        return array.reshape(rows, 1)
    if rows > 1 and array.shape[-1:] == (width,) == (array.size,):
        return array.reshape(1, width)
    return np.broadcast_to(array, shape).reshape(rows, width)


def _part(array: Any, row: slice, column: slice) -> Any:
    """The part of a matrix, or what stands for its rows or its columns."""
    if not isinstance(array, np.ndarray):
        return array
    rows, width = array.shape
    return array[row if rows > 1 else slice(None), column if width > 1 else slice(None)]


def _one_row(arrays: Sequence[Any], size: int) -> list[Any]:
    """Arrays as loops take them where no entry stands for several."""
    shape, _, _ = _shape(arrays)
    return [_as_taken(_in_rows(array, shape, 1, size), 1, size) for array in arrays]


def _as_taken(array: Any, rows: int, width: int) -> Any:
    """A matrix as loops take it: for what makes no difference none is compiled anew."""
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype not in NATIVE:
        array = array.astype(np.float64)
    if not array.flags.aligned:
        array = array.copy()
    kind = None if array.shape == (rows, width) else PerRow if array.shape[1] == 1 else PerColumn
    taken = array if kind is None else array.reshape(-1)
    taken.flags.writeable = False
    return taken if kind is None else kind(taken)
