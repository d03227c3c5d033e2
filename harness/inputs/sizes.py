"""Sizes: what the letters of an operation's inputs stand for in each case, so that no mistake hides in a size.

    ordinary      odd and unequal
    other sizes   others of this kind
    even sizes    even and unequal
    equal sizes   16 for every letter; called power of two where there is but one
    many M        257 for the letter M, which no block of 2, 4, ..., 256 divides; few for the others
    tails M       95 for the letter M: one less than whole blocks of 16 and of 32, half of one beyond blocks of 64
    blocks M      128 for the letter M: whole blocks of 16, 32, 64 and 128
    one M         1 for the letter M; all others are equal

The last four for each letter; `tails` of up to four letters, `blocks` of up to two. A kernel may forget what is left
over of its blocks, or that nothing is, a loop a row, and code may take one axis for another where both have as many
places: each is right for some sizes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.inputs.declared import Indices, Input, Shape, shape_in

SIZES = (5, 7, 3, 9, 11, 13, 15, 17)
"""For the letters in the order in which they come."""
OTHERS = {"other sizes": (11, 3, 7, 13, 5, 17, 9, 15), "even sizes": (10, 6, 12, 14, 4, 8, 18, 20)}
"""And others, by the case."""
MANY, FEW = 257, (3, 5, 3, 5, 3, 5, 3, 5)
"""One more than the largest block that is usual; and what the other letters are beside it."""
AROUND_BLOCKS = {"tails": (95, 4), "blocks": (128, 2)}
"""A letter's sizes around whole blocks, by the case; and of up to how many letters they are tried."""
EQUAL, BESIDE_ONE, MOST = (16, 4), (9, 3), 4
"""Every letter's size where all are equal, and where all but one are, of up to so many letters and of more."""


def letters_of(inputs: Mapping[str, Input]) -> list[str]:
    """Letters in the order in which they first occur."""
    sizes = [size for value in inputs.values() for size in shape_in(value)]
    sizes += [value.below for value in inputs.values() if isinstance(value, Indices)]
    return [size for size in dict.fromkeys(sizes) if isinstance(size, str)]


def sizes_of(inputs: Mapping[str, Input], pool: tuple[int, ...] = SIZES) -> dict[str, int]:
    """A size for each letter: from the pool, unequal to each other and to every size that is given.

    >>> sizes_of({"x": ("N", "M"), "W": ("M", 7)})
    {'N': 5, 'M': 3}
    """
    taken = {size for value in inputs.values() if isinstance(value, tuple | np.ndarray) for size in shape_in(value)}
    letters = letters_of(inputs)
    further = range(max(pool) + 2, max(pool) + 2 + 2 * (len(letters) + len(taken)), 2)
    free = [size for size in (*pool, *further) if size not in taken]
    return dict(zip(letters, free, strict=False))


def all_sizes(inputs: Mapping[str, Input]) -> dict[str, dict[str, int]]:
    """Further sizes for the letters, by the name of the case; none where there are no letters."""
    letters = letters_of(inputs)
    if not letters:
        return {}
    several = len(letters) > MOST
    found = {name: sizes_of(inputs, pool) for name, pool in OTHERS.items()}
    found["equal sizes" if len(letters) > 1 else "power of two"] = dict.fromkeys(letters, EQUAL[several])
    found |= {f"many {letter}": {**sizes_of(inputs, FEW), letter: MANY} for letter in letters}
    for name, (size, most) in AROUND_BLOCKS.items():
        if len(letters) <= most:
            found |= {f"{name} {letter}": {**sizes_of(inputs, FEW), letter: size} for letter in letters}
    found |= {f"one {letter}": {**dict.fromkeys(letters, BESIDE_ONE[several]), letter: 1} for letter in letters}
    return found


def shape_of(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in numbers."""
    return tuple(sizes[size] if isinstance(size, str) else size for size in shape)
