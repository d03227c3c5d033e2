"""Mistakes that a tolerance should not let pass: what a tensor would be with each.

of the whole        zeros, the sign, twice, half
of a part           without the last row of its first axis, without the last block of columns
of one entry        its sign, five times, zero: tried at entries of every size
of a size           all of it too large by a factor 1 + x, or too small by 1 - x: the largest x that passes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from harness.tolerances.subject import Floats

BLOCK = 16
"""Columns of a block; kernels work in multiples of 16."""
TRIED = 33
"""Entries at which a mistake in one entry is tried, from the smallest to the largest that is not 0."""
LEAST, MOST = 2.0**-60, 2.0**60
"""Between which the largest relative error is looked for."""

OF_WHOLE: Mapping[str, Callable[[Floats], Floats]] = {
    "zeros": np.zeros_like,
    "the sign": np.negative,
    "twice": lambda e: 2 * e,
    "half": lambda e: e / 2,
}
OF_ENTRY: Mapping[str, float] = {"sign": -1.0, "five times": 5.0, "zero": 0.0}
"""By what the entry is multiplied."""


def of_part(expected: Floats) -> Iterator[tuple[str, Floats]]:
    """Without a row and without a block, where there is more than that."""
    axis = next((axis for axis, size in enumerate(expected.shape) if size > 1), None)
    if axis is not None:
        yield "the last row is 0", _zeroed(expected, (*(slice(None),) * axis, slice(-1, None)))
    if expected.ndim and expected.shape[-1] > BLOCK:
        rest = expected.shape[-1] % BLOCK or BLOCK
        yield f"the last block of {rest} columns is 0", _zeroed(expected, (..., slice(-rest, None)))


def entries_of(expected: Floats) -> list[int]:
    """Places in the flat tensor, of entries of every size."""
    places = np.flatnonzero(expected)
    places = places[np.argsort(np.abs(expected.reshape(-1)[places]), kind="stable")]
    return (
        [int(places[i]) for i in np.unique(np.linspace(0, len(places) - 1, TRIED).astype(int))] if len(places) else []
    )


def with_entry(expected: Floats, place: int, factor: float) -> Floats:
    """With one entry multiplied."""
    changed = expected.copy()
    changed.reshape(-1)[place] *= factor
    return changed


def largest_passing(passes: Callable[[float], bool]) -> float:
    """The largest x, to three digits from below, at which all passes up to it; 0 or infinity if none or every one does.

    A rule that accepts a factor accepts the smaller ones, which is so of all that look at sizes.
    """
    if passes(MOST):
        return np.inf
    if not passes(LEAST):
        return 0.0
    low, high = LEAST, MOST
    while high / low > 1.0005:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def _zeroed(expected: Floats, where: tuple[object, ...]) -> Floats:
    changed = expected.copy()
    changed[where] = 0.0  # type: ignore[index]
    return changed
