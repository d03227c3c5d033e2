"""Handing over: copies of arrays, of a framework's kind and in a layout, that somebody's code may write to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import numpy as np

from harness.candidates.arrays import as_array
from impls.abilities import Hosts
from impls.contract import Array, is_real

Strides = Literal["contiguous", "transposed", "strided", "wider rows", "offset", "stride 0"]
STRIDES: dict[Strides, str] = {
    "transposed": "when arrays are not contiguous (transposed)",
    "strided": "when arrays are not contiguous (every second entry)",
    "wider rows": "when arrays are not contiguous (rows of a wider one)",
    "offset": "when arrays begin inside of other memory (an offset)",
    "stride 0": "when arrays repeat one row or number (stride 0)",
}
"""Those in which memory is in another order, has gaps, begins further on or is read again; and what to say of them."""


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
    if layout == "offset":
        return host.give(np.concatenate([array.ravel()[:1], array.ravel()]))[1:].reshape(array.shape)
    if layout == "wider rows":
        return host.give(np.concatenate([array, array], axis=-1))[..., : array.shape[-1]]
    if layout == "stride 0":
        own = host.give(
            array[tuple(slice(0, 1) if _repeats(array, axis) else slice(None) for axis in range(array.ndim))]
        )
        return getattr(own, "broadcast_to", partial(np.broadcast_to, own))(array.shape)
    wide = np.repeat(array, 2, axis=-1) if layout == "strided" else array
    turned = wide.ndim > 1
    own = host.give(np.ascontiguousarray(wide.swapaxes(-1, -2))).swapaxes(-1, -2) if turned else host.give(wide)
    return own[..., ::2] if layout == "strided" else own


def _repeats(array: Array, axis: int) -> bool:
    return bool((array == array.take([0], axis)).all())


def same(one: Array, other: Array | None) -> bool:
    """The same numbers; whole numbers may have been narrowed by the framework."""
    return other is not None and np.array_equal(one, other, equal_nan=is_real(one))
