"""How one array's numbers lie in another: transposed, reshaped, a slice of rows.

    ""                       as they are
    .T                       axes in reverse order: torch's Linear (out, in), Flax's kernel (in, out)
    .transpose(2, 3, 1, 0)   axes in this order: torch's convolutions OIHW, Flax's HWIO
    .reshape(16, 2, 8)       as many numbers in another shape
    [0:16]                   these rows

One may follow the other: ``[0:16].T.reshape(16, 2, 8)`` is the query in a fused projection of torch's, in Flax's shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from math import prod

import numpy as np

from impls.contract import Array

MOST_AXES = 5
"""Of arrays whose axes are tried in every order."""
_MOVE = re.compile(r"\.T|\.transpose\((\d+(?:, ?\d+)*)\)|\.reshape\((-?\d+(?:, ?-?\d+)*)\)|\[(\d*):(\d*)\]")


@dataclass(frozen=True)
class Arrangement:
    """What is done to an array, in this order; `text` as above."""

    text: str = ""

    def __post_init__(self) -> None:
        """ValueError: the text is something else."""
        if _MOVE.sub("", self.text):
            raise ValueError(f"{self.text!r} is none of .T, .transpose(axes), .reshape(sizes) and [first:last]")

    def of(self, array: Array) -> Array:
        """The array so arranged.

        Raises:
            ValueError: it has other axes, or another number of entries.
        """
        for move in _MOVE.finditer(self.text):
            axes, sizes, first, last = move.groups()
            if axes:
                array = array.transpose(_numbers(axes))
            elif sizes:
                array = array.reshape(_numbers(sizes))
            elif move[0].startswith("["):
                array = array[int(first or 0) : int(last) if last else None]
            else:
                array = array.T
        return array

    @property
    def turns(self) -> bool:
        """Whether axes change places."""
        return ".T" in self.text or ".transpose" in self.text

    def places(self, shape: tuple[int, ...]) -> Array:
        """Which entries of an array of this shape are used, in the new arrangement."""
        return self.of(np.arange(prod(shape)).reshape(shape))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def arrangements(given: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[Arrangement]:
    """The ways in which an array of one shape can lie in another, the likeliest first."""
    if given == wanted:
        yield Arrangement()
    if 1 < len(given) == len(wanted) <= MOST_AXES:
        usual = _usual(len(given))
        for axes in [*usual, *(p for p in permutations(range(len(given))) if p not in usual)]:
            if axes != tuple(range(len(given))) and tuple(given[axis] for axis in axes) == wanted:
                yield _transposed(axes)
    elif len(given) != len(wanted) and 0 < prod(given) == prod(wanted):
        sizes = f".reshape({', '.join(map(str, wanted))})"
        yield from (Arrangement(turn + sizes) for turn in (["", ".T"] if len(given) > 1 else [""]))


def _usual(many: int) -> list[tuple[int, ...]]:
    """Orders of axes that frameworks use: torch's convolutions in Flax, Flax's in torch, all reversed."""
    sizes = range(many)
    return list(dict.fromkeys([(*sizes[2:], 1, 0), (many - 1, many - 2, *sizes[: many - 2]), tuple(reversed(sizes))]))


def _transposed(axes: tuple[int, ...]) -> Arrangement:
    reverse = axes == tuple(reversed(range(len(axes))))
    return Arrangement(".T" if reverse else f".transpose({', '.join(map(str, axes))})")
