"""Handing over: copies of arrays, of a framework's kind and in a layout, that somebody's code may write to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from harness.candidates.arrays import as_array
from impls.abilities import Hosts
from impls.contract import Array

Strides = Literal["contiguous", "transposed", "strided"]
STRIDES: tuple[Strides, ...] = ("transposed", "strided")
"""Those that are not contiguous: memory in another order, or that with gaps."""


class Handed:
    """Arrays by name as somebody's code gets them.

    Attributes:
        given: the arrays themselves.
        own: the copies.
    """

    def __init__(self, host: Hosts, given: Mapping[str, Array], layout: Strides = "contiguous") -> None:
        self.given = given
        with host.running():
            self.own = {name: _laid_out(host, array, layout) for name, array in given.items()}

    def changed(self, now: Mapping[str, Any] | None = None) -> list[str]:
        """Names of what no longer is what was given.

        Args:
            now: what stands in place of the copies, where it may be something else.
        """
        own = self.own if now is None else now
        return [name for name, array in self.given.items() if not same(array, as_array(own[name]))]


def _laid_out(host: Hosts, array: Array, layout: Strides) -> Any:
    if layout == "contiguous" or not array.ndim:
        return host.give(array)
    wide = np.repeat(array, 2, axis=-1) if layout == "strided" else array
    turned = wide.ndim > 1
    own = host.give(np.ascontiguousarray(wide.swapaxes(-1, -2))).swapaxes(-1, -2) if turned else host.give(wide)
    return own[..., ::2] if layout == "strided" else own


def same(one: Array, other: Array | None) -> bool:
    """The same numbers; whole numbers may have been narrowed by the framework."""
    return other is not None and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
