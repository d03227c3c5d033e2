"""What only moves entries: each entry of s is one of x, or a constant; its gradient goes back to where it came from.

    moved        s = x in other places, some of them several times or not at all
                 dx_j = sum of ds_k over the k that x_j went to
    parted       s_1, s_2, ... = x cut along an axis             dx = the ds side by side
    joined       s = the x side by side along an axis            dx_1, dx_2, ... = ds cut along it
    put          s = x with entries at some places replaced by v, or with v added there
                 dx = ds, 0 where it was replaced                dv = ds at these places

A move is any function of NumPy's that computes nothing: reshape, transpose, an index. Where each entry of x went is
seen on the numbers of its entries.

Source: the Jacobian is a matrix of 0 and 1, whose transpose puts back what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.layers.broadcasting import summed_to
from impls.hand.layers.indexing import scattered
from impls.hand.parts import Parametrised

Move = Callable[[Any], Any]


def apply(move: Move, x: Array) -> Array:
    """A move of floats, or of an array of any number type that has ``moved``."""
    return move(x) if isinstance(x, np.ndarray) else x.moved(move)


class Moved(Parametrised):
    """`move` as a function of NumPy's; `back`, of arrays of the output's shape, where nothing is repeated or lost."""

    reads, gives = "x", "s"

    def __init__(self, move: Move, back: Move | None = None) -> None:
        self.move, self.back = move, back

    def forward(self, x: Array) -> Array:
        return +apply(self.move, x)

    def dx(self, ds: Array, x: Array) -> Array:
        if self.back is not None:
            return +apply(self.back, ds).reshape(x.shape)
        places = self.move(np.arange(x.size).reshape(x.shape))
        return scattered(ds.reshape(1, -1), places.reshape(-1), x.size).reshape(x.shape)

    def __repr__(self) -> str:
        return "Moved()"


class Parted(Parametrised):
    """x cut along an axis into parts of these sizes; with `squeezed` parts of one entry lose the axis."""

    reads = "x"

    def __init__(self, sizes: Sequence[int], axis: int, squeezed: bool = False) -> None:
        self.ends, self.axis, self.squeezed = np.cumsum([0, *sizes]), axis, squeezed
        self.gives = tuple(f"s{number}" for number in range(len(sizes)))
        for number, name in enumerate(self.gives):
            setattr(self, name, self._part(number))

    def _part(self, number: int) -> Callable[[Array], Array]:
        cut = (*(slice(None),) * self.axis, slice(self.ends[number], self.ends[number + 1]))
        at: tuple[Any, ...] = (*cut[:-1], self.ends[number]) if self.squeezed else cut

        def part(x: Array) -> Array:
            return +x[at]

        return part

    def dx(self, *ds: Array) -> Array:
        if self.squeezed:
            ds = tuple(d.reshape(*d.shape[: self.axis], 1, *d.shape[self.axis :]) for d in ds)
        return np.concatenate(list(ds), axis=self.axis)

    def __repr__(self) -> str:
        return f"Parted({np.diff(self.ends).tolist()}, axis={self.axis})"


class Joined(Parametrised):
    """Arrays side by side along an axis; with `stacked` along a new one."""

    gives = "s"

    def __init__(self, sizes: Sequence[int], axis: int, stacked: bool = False) -> None:
        self.ends, self.axis, self.stacked = np.cumsum([0, *sizes]), axis, stacked
        self.reads = tuple(f"p{number}" for number in range(len(sizes)))
        for number, name in enumerate(self.reads):
            setattr(self, f"d{name}", self._back(number))

    def forward(self, *parts: Array) -> Array:
        if self.stacked:
            parts = tuple(p.reshape(*p.shape[: self.axis], 1, *p.shape[self.axis :]) for p in parts)
        return np.concatenate(list(parts), axis=self.axis)

    def _back(self, number: int) -> Callable[[Array], Array]:
        before: tuple[Any, ...] = (slice(None),) * self.axis
        first, last = self.ends[number], self.ends[number + 1]

        def back(ds: Array) -> Array:
            return +ds[(*before, first)] if self.stacked else +ds[(*before, slice(first, last))]

        return back

    def __repr__(self) -> str:
        return f"Joined({np.diff(self.ends).tolist()}, axis={self.axis})"


class Put(Parametrised):
    """x with v at the entries that `move` takes from it; with `adds`, v added to them.

    `move` takes every entry once at most, or `adds` is said. `of` is what of v is put, a cut of it.
    """

    reads, gives = ("x", "v"), "s"

    def __init__(self, move: Move, adds: bool = False, of: Move | None = None) -> None:
        self.move, self.adds, self.of = move, adds, of

    def _places(self, size: int, shape: tuple[int, ...]) -> Any:
        return self.move(np.arange(size).reshape(shape))

    def _spread(self, v: Array, shape: tuple[int, ...]) -> tuple[Array, Any]:
        """v at its places in an array of zeros, and where anything is."""
        size = int(np.prod(shape))
        places = self._places(size, shape)
        v = v if self.of is None else apply(self.of, v)
        wide = v if v.shape == places.shape else np.broadcast_to(v, places.shape)
        put = scattered(wide.reshape(1, -1), places.reshape(-1), size).reshape(shape)
        return put, np.isin(np.arange(size), places).reshape(shape)

    def forward(self, x: Array, v: Array) -> Array:
        put, there = self._spread(v, x.shape)
        return x + put if self.adds else np.where(there, put, x)

    def dx(self, ds: Array, x: Array) -> Array:
        if self.adds:
            return +ds
        there = np.isin(np.arange(x.size), self._places(x.size, x.shape)).reshape(x.shape)
        return np.where(there, np.full_like(ds, 0), ds)

    def dv(self, ds: Array, v: Array) -> Array:
        sent = +apply(self.move, ds)
        if self.of is None:
            return summed_to(sent, v.shape)
        places = self.of(np.arange(v.size).reshape(v.shape))
        return scattered(sent.reshape(1, -1), places.reshape(-1), v.size).reshape(v.shape)

    def __repr__(self) -> str:
        return "Put(adds)" if self.adds else "Put()"
