"""Operands: what is made of the same array more than once, for everybody who reads it at one point.

In lockstep all implementations have the same weights and the same batch. In float64, as magnitudes, and in float32 for
products of magnitudes, these are made once, whoever is judged. They are told by their place in memory: an array of
which others are views has to stay, and nobody may write to it, as long as the operands are in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.blocks import in_blocks, reduced

Floats = NDArray[np.float64]


class Single(NamedTuple):
    """A magnitude in float32, scaled to at most 1: times 2^power, each entry off by a rounding or a flush to zero."""

    scaled: NDArray[np.float32]
    power: int
    largest: float

    @property
    def T(self) -> Single:
        """As numpy.ndarray.T."""
        return self._replace(scaled=self.scaled.T)


class Operands:
    """What is made of given arrays, and of views of them, once; of every other array when it is asked for."""

    def __init__(self) -> None:
        self._shared: dict[int, Any] = {}
        self._made: dict[Any, Any] = {}

    def share(self, given: Iterable[NDArray[Any]]) -> None:
        """Take in arrays that several read."""
        self._shared.update((id(array), array) for array in given)

    def shares(self, array: Any) -> bool:
        """Whether an array, or what it is a view of, is given, or made of what is given."""
        return id(array) in self._shared or id(array.base) in self._shared

    def double(self, array: Any) -> Floats:
        """An array in float64."""
        return self._once("double", lambda each: np.asarray(each, np.float64), array)

    def magnitude(self, value: Floats) -> Floats:
        """Of each entry."""
        return self._once("magnitude", np.abs, value)

    def single(self, value: Floats) -> Single:
        """The magnitude of each entry in float32."""
        return self._once("single", _single, value)

    def below(self, value: Floats, limit: float) -> bool:
        """Whether the magnitude of some entry that is not 0 is below a limit."""
        return self._once(("below", limit), partial(_below, limit), value)

    def _once(self, what: Any, make: Callable[[Any], Any], array: Any) -> Any:
        if not (isinstance(array, np.ndarray) and self.shares(array)):
            return make(array)
        if array.ndim == 2 and array.flags.f_contiguous and not array.flags.c_contiguous:
            made = self._once(what, make, array.T)
            return getattr(made, "T", made)
        key = (what, array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        if key not in self._made:
            self._made[key] = made = make(array)
            if isinstance(kept := getattr(made, "scaled", made), np.ndarray):
                kept.flags.writeable = False
                self.share([kept])
        return self._made[key]


def _single(value: Floats) -> Single:
    largest = max(float(value.max(initial=0.0)), -float(value.min(initial=0.0)))
    power = int(np.frexp(largest)[1])
    return Single(in_blocks(_scaled, value, 2.0**-power, dtype=np.float32), power, largest)


def _scaled(value: Any, scale: float) -> Any:
    return np.abs(value * scale)


def _below(limit: float, value: Floats) -> bool:
    _, _, (small,) = reduced(_small, 1, value, limit)
    return small > 0


def _small(value: Any, limit: float) -> Any:
    size = np.abs(value)
    return 0.0, (size < limit) & (size > 0)
