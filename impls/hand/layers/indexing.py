"""Indexing: every entry of s is one of x, or some of them added up; its gradient goes back to where it came from.

    slice        s_k = x_(start + k step)              dx_j = ds_k where j = start + k step, else 0
    pad          s = x in a frame of a constant        dx = ds without its frame
    gather       s_k = x_j,  j = i_k                   dx_j = sum of ds_k over k with i_k = j     taken twice adds twice
    scatter-add  s_j = sum of x_k over k with i_k = j  dx_k = ds_j,  j = i_k                      the other way round

Shapes: x (N, ...), s (N, ...); j and k count along one axis, the others are what they are. Axes are counted from 1, the
samples are axis 0. i holds whole numbers from 0 on, which have no gradient: of a gather it has the shape of s, of a
scatter-add that of x, as torch.gather and torch.Tensor.scatter_add have it; JAX has take_along_axis and .at[].add.

The Jacobian is a matrix of 0 and 1, whose transpose puts back what it takes. Any order of summation is meant.

Source: the chain rule, "taking into account all the connections" (Rumelhart, Hinton and Williams, 1986).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from impls.graph import Array, Shape, primitive
from impls.hand.parts import Parametrised, count, number


def taken(x: Array, places: Any) -> Array:
    """The entries (N, n) of x (N, ...) at places (n,) or (N, n), counted within a sample."""
    return x.reshape(-1)[_in_the_batch(len(x), prod(x.shape[1:]), places)]


@primitive
def scattered(ds: Array, places: Any, size: int) -> Array:
    """(N, size): at each place of a sample the sum of the entries of ds (N, n) that belong there, in any order."""
    at = np.ravel(_in_the_batch(len(ds), size, places))
    total = np.pad(ds.reshape(-1)[:0], ((0, len(ds) * size),))
    order = np.argsort(at, kind="stable")
    times = np.arange(len(at)) - np.searchsorted(at[order], at[order])  # that this place came before
    for turn in range(times.max(initial=0) + 1):
        this = order[times == turn]
        total[at[this]] += ds.reshape(-1)[this]
    return total.reshape(len(ds), size)


def _in_the_batch(rows: int, size: int, places: Any) -> Any:
    """Places within a sample as places in the whole batch, (N, n)."""
    return np.arange(rows)[:, None] * size + places


def along(i: Any, axis: int, entries: int) -> Any:
    """The places (N, n) of i's own entries in a sample with so many entries along the axis, at i along it."""
    grid: list[Any] = list(np.indices(i.shape[1:], sparse=True))
    grid[axis - 1] = i
    sizes = [entries if place == axis else size for place, size in enumerate(i.shape)][1:]
    return np.ravel_multi_index(tuple(np.broadcast_arrays(*grid)), sizes).reshape(len(i), -1)


def axis_of(doing: str, axis: int) -> int:
    """An axis of a sample, counted from 1."""
    return count("axis", axis, doing=doing, why="the samples are axis 0 and stay where they are")


class Slice(Parametrised):
    """Entries start, start + step, ... before stop along an axis; start and stop as Python has them."""

    reads, gives = "x", "s"

    def __init__(self, axis: int, start: int = 0, stop: int | None = None, step: int = 1) -> None:
        self.axis, self.step = axis_of("slice along", axis), count("step", step, doing="slice with")
        for name, end in (("start", start), ("stop", stop)):
            if isinstance(end, bool) or not isinstance(end, int | None) or (end is None and name == "start"):
                raise ValueError(
                    f"Cannot slice from {name}={end!r}, because entries are counted; give a whole number, from the end "
                    f"if it is below 0."
                )
        self.start, self.stop = start, stop

    @property
    def cut(self) -> tuple[slice, ...]:
        """The index of what is taken."""
        return (*(slice(None),) * self.axis, slice(self.start, self.stop, self.step))

    def forward(self, x: Array) -> Array:
        return +x[self.cut]

    def dx(self, ds: Array, x: Array) -> Array:
        places = np.arange(prod(x.shape[1:])).reshape(1, *x.shape[1:])[self.cut]
        return scattered(ds.reshape(len(ds), -1), places.reshape(-1), prod(x.shape[1:])).reshape(*x.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x lacks the axis, or no entry is taken."""
        if self.axis >= len(read["x"]):
            raise ValueError(f"it takes entries along axis {self.axis}, counted from the samples, 0")
        size = len(range(int(read["x"][self.axis]))[self.cut[-1]])
        if not size:
            raise ValueError(f"it takes none of the {read['x'][self.axis]} entries along axis {self.axis}")
        return {"s": (*read["x"][: self.axis], size, *read["x"][self.axis + 1 :])}


class Pad(Parametrised):
    """`widths`: for each axis of a sample how much of the constant `value` stands before and behind."""

    reads, gives = "x", "s"

    def __init__(self, widths: list[list[int]], value: float = 0.0) -> None:
        pairs = [tuple(pair) for pair in widths if isinstance(pair, list | tuple)] if isinstance(widths, list) else []
        whole = all(type(n) is int and n >= 0 for pair in pairs for n in pair)
        if not pairs or len(pairs) < len(widths) or any(len(pair) != 2 for pair in pairs) or not whole:
            raise ValueError(
                f"Cannot pad with widths={widths!r}, because each axis of a sample has two, before and behind; give a "
                f"list of pairs such as [[0, 0], [1, 2]]."
            )
        self.widths, self.value = widths, number("value", value, why="it is what stands in the frame")

    def _around(self) -> list[tuple[int, ...]]:
        return [(0, 0), *map(tuple, self.widths)]

    def forward(self, x: Array) -> Array:
        s = np.pad(x, self._around())
        inside = np.pad(np.ones(x.shape, bool), self._around())
        return np.where(inside, s, np.full_like(s, self.value))

    def dx(self, ds: Array, x: Array) -> Array:
        starts = [before for before, _ in self._around()]
        return +ds[tuple(slice(first, first + size) for first, size in zip(starts, x.shape, strict=True))]

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x has other axes."""
        if len(read["x"]) != len(self.widths) + 1:
            raise ValueError(f"it pads {len(self.widths)} axes of a sample")
        padded = (int(size) + sum(pair) for size, pair in zip(read["x"][1:], self.widths, strict=True))
        return {"s": (read["x"][0], *padded)}


class _ByIndex(Parametrised):
    """`entries` along an axis of a sample, chosen by whole numbers."""

    reads, gives = ("x", "i"), "s"

    def __init__(self, entries: int, axis: int = 1) -> None:
        doing = f"make a {type(self).__name__} with"
        self.entries, self.axis = count("entries", entries, doing=doing), axis_of(doing, axis)

    @property
    def whole(self) -> dict[str, int]:
        """What it reads as whole numbers, and below what."""
        return {"i": self.entries}

    def of_sample(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """A shape with all entries along the axis."""
        return (*shape[: self.axis], self.entries, *shape[self.axis + 1 :])

    def check(self, i: Shape) -> None:
        """Raise ValueError where i lacks the axis."""
        if self.axis >= len(i):
            raise ValueError(f"it counts along axis {self.axis}, counted from the samples, 0")


class Gather(_ByIndex):
    def forward(self, x: Array, i: Array) -> Array:
        return taken(x, along(i, self.axis, self.entries)).reshape(*i.shape)

    def dx(self, ds: Array, x: Array, i: Array) -> Array:
        rows = ds.reshape(len(ds), -1)
        return scattered(rows, along(i, self.axis, self.entries), prod(x.shape[1:])).reshape(*x.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x and i differ in another axis, or x has not `entries` along it."""
        self.check(read["i"])
        if read["x"] != self.of_sample(read["i"]):
            raise ValueError(f"it takes from {self.entries} entries along axis {self.axis}, the other axes being alike")
        return {"s": read["i"]}


class ScatterAdd(_ByIndex):
    def forward(self, x: Array, i: Array) -> Array:
        size, places = self.of_sample(i.shape), along(i, self.axis, self.entries)
        return scattered(x.reshape(len(x), -1), places, prod(size[1:])).reshape(*size)

    def dx(self, ds: Array, i: Array) -> Array:
        return taken(ds, along(i, self.axis, self.entries)).reshape(*i.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x and i differ."""
        self.check(read["i"])
        if read["x"] != read["i"]:
            raise ValueError("it puts each entry of x where its own number in i says")
        return {"s": self.of_sample(read["i"])}
