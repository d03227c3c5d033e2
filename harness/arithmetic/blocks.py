"""Arithmetic entry by entry, in blocks that stay in a processor's cache, whatever the size of the arrays, or in loops.

An expression of ten operations on large arrays writes ten temporary arrays to memory and reads them again. Computed
block by block, with the very same results, the temporaries never leave the cache; in a loop there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import loops
from harness.arithmetic.loops import COMPILER, Formula

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
    """What a formula of entries gives of arrays of one shape, and of numbers; other shapes are computed whole.

    It lies in memory in the order of its entries, or of its transpose's if all arrays do.
    """
    for array in arrays:
        if getattr(array, "size", 1) >= loops.WORTH:
            break
    else:  # nearly always, so it is asked first
        made = formula(*arrays)
        return made if dtype is FLOAT64 else made.astype(dtype)
    if not _in_order(arrays[0]) and all(map(_transposed, arrays)):
        turned = (each.T if isinstance(each, np.ndarray) else each for each in arrays)
        return in_blocks(formula, *turned, dtype=dtype).T
    size = _size(arrays)
    if (loop := COMPILER.loops(formula, size)) is not None:
        shape, flat = _flat(arrays)
        result = np.empty(shape, dtype)
        loop.fill(result.reshape(-1), *flat)
        return result
    if size <= 2 * ENTRIES or len({np.shape(array) for array in arrays if isinstance(array, np.ndarray)} - {()}) != 1:
        made = _evaluated(formula, arrays).astype(dtype, copy=False)
        return made if _in_order(made) else made.copy()
    result = np.empty(next(array.shape for array in arrays if np.ndim(array)), dtype)
    whole = result.reshape(-1)
    for begin, parts in blocks(*arrays):
        whole[begin : begin + ENTRIES] = _evaluated(formula, parts)
    return result


def counts(formula: Formula, conditions: int, *arrays: Any) -> tuple[int, ...]:
    """At how many entries of arrays of one shape each of so many conditions holds, which a formula gives."""
    size, totals = _size(arrays), (0,) * conditions
    if (loop := COMPILER.loops(formula, size)) is not None:
        return loop.tally(totals, size, *_flat(arrays)[1])
    for _, parts in blocks(*arrays) if size > ENTRIES else [(0, arrays)]:
        found = _evaluated(formula, parts)
        totals = tuple(total + int(np.count_nonzero(each)) for total, each in zip(totals, found, strict=True))
    return totals


def largest(formula: Formula, *arrays: Any) -> tuple[float, int]:
    """The largest of what a formula gives of entries of arrays of one shape, which are not none, or the first NaN.

    Returns:
        it, and its place in the flat arrays.
    """
    size, found, place = _size(arrays), -np.inf, 0
    if (loop := COMPILER.loops(formula, size)) is not None:
        return loop.largest(size, *_flat(arrays)[1])
    for begin, parts in blocks(*arrays) if size > ENTRIES else [(0, arrays)]:
        given = np.asarray(_evaluated(formula, parts))
        first = int(given.argmax())
        if not (most := float(given.flat[first])) <= found:
            found, place = most, begin + first
            if np.isnan(found):
                break
    return found, place


def _in_order(array: Any) -> bool:
    """Whether entries lie in memory in their order; a number's do."""
    return not isinstance(array, np.ndarray) or array.flags.c_contiguous


def _transposed(array: Any) -> bool:
    return not isinstance(array, np.ndarray) or array.flags.f_contiguous


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


def _flat(arrays: Sequence[Any]) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of arrays together, and each as loops take it: for what makes no difference none is compiled anew."""
    shapes = {array.shape for array in arrays if isinstance(array, np.ndarray)}
    shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
    return shape, [_as_taken(array, shape) for array in arrays]


def _as_taken(array: Any, shape: tuple[int, ...]) -> Any:
    if not isinstance(array, np.ndarray):
        return float(array) if isinstance(array, int | float | np.number) else array
    if not any(array.strides) and array.size:
        return float(array.flat[0])
    if array.dtype not in NATIVE:
        array = array.astype(np.float64)
    if array.shape != shape:
        array = np.broadcast_to(array, shape)
    flat = array.reshape(-1)
    flags = flat.flags
    if not flags.aligned:
        flat = flat.copy()
        flags = flat.flags
    flags.writeable = False
    return flat
