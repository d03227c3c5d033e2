"""Segments: tensors laid end to end in a flat array, so that what is asked of each is found by one pass over all.

A call of NumPy takes a microsecond, as long as it takes to go through a thousand entries: tensor by tensor, most of
the time would go into calls. A segment begins where the one before ends; a block of a large tensor is one segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.blocks import ENTRIES

T = TypeVar("T")
Starts = NDArray[np.intp]
"""Where each segment begins; none is empty."""

SMALL = 4096
"""Entries of a tensor that is laid end to end with others, at most: more of them take longer than what is saved."""


def together(tensors: Iterable[tuple[int, T]]) -> Iterator[list[T]]:
    """Tensors, each given with its size, in groups that fit a block; each large one alone, as soon as it comes."""
    waiting, entries = list[T](), 0
    for size, tensor in tensors:
        if not 0 < size <= SMALL:
            yield [tensor]
            continue
        if entries + size > ENTRIES:
            yield waiting
            waiting, entries = [], 0
        waiting.append(tensor)
        entries += size
    if waiting:
        yield waiting


def laid(arrays: Sequence[Any]) -> NDArray[Any]:
    """Arrays end to end, in float64; one alone flat, as it is."""
    return arrays[0].reshape(-1) if len(arrays) == 1 else np.concatenate(arrays, axis=None, dtype=np.float64)


def starts_of(arrays: Sequence[Any]) -> Starts:
    """Where each of them begins once they are laid."""
    return np.array([0, *accumulate(array.size for array in arrays[:-1])], np.intp)


def spans(starts: Starts, entries: int) -> Iterator[tuple[int, int]]:
    """Where each segment of so many entries begins and ends."""
    begins = starts.tolist()
    return zip(begins, [*begins[1:], entries], strict=True)


def count(mask: NDArray[np.bool_], starts: Starts) -> list[int]:
    """The entries of each segment that a mask takes."""
    if len(starts) == 1:
        return [int(np.count_nonzero(mask))]  # six times as fast
    found: list[int] = np.add.reduceat(mask, starts, dtype=np.intp).tolist()
    return found
