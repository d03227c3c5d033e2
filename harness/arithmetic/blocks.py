"""Arithmetic entry by entry in blocks that stay in a processor's cache, whatever the size of the arrays.

An expression of ten operations on large arrays writes ten temporary arrays to memory and reads them again. Computed
block by block, with the very same results, the temporaries never leave the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENTRIES = 2**15
"""Of one block: 256 KB of float64, so that an expression's operands and temporaries fit the caches of a core."""


def blocks(*arrays: Any) -> Iterator[tuple[int, list[Any]]]:
    """Arrays of one shape, flat, in pieces, each with where it begins; numbers among them are as they are."""
    shaped = [isinstance(array, np.ndarray) and array.ndim > 0 for array in arrays]
    flat = [array.reshape(-1) if has else array for array, has in zip(arrays, shaped, strict=True)]
    size = max(len(array) for array, has in zip(flat, shaped, strict=True) if has)
    if 0 < size <= ENTRIES:
        yield 0, flat
        return
    for begin in range(0, size, ENTRIES):
        end = begin + ENTRIES
        yield begin, [array[begin:end] if has else array for array, has in zip(flat, shaped, strict=True)]


def in_blocks(function: Callable[..., NDArray[np.float64]], *arrays: Any) -> NDArray[np.float64]:
    """What a function of entries gives of arrays of one shape, and of numbers; other shapes are computed whole."""
    for array in arrays:
        if getattr(array, "size", 1) > 2 * ENTRIES:
            break
    else:  # nearly always, so it is asked first
        return function(*arrays)
    shapes = {np.shape(array) for array in arrays} - {()}
    if len(shapes) != 1:
        return function(*arrays)
    result = np.empty(shapes.pop())
    flat = result.reshape(-1)
    for begin, parts in blocks(*arrays):
        flat[begin : begin + ENTRIES] = function(*parts)
    return result
