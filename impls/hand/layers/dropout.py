"""Dropout: entries are left out by a mask, and what is kept is made larger by as much.

    s  = x m / (1 - rate)            m is 1 where an entry is kept, 0 where it is left out
    dx = ds m / (1 - rate)

Shapes: x, m, s of one shape. The mask is an input of the network (``net.mask("m", 120, rate=0.5)``), drawn once and
given to every implementation: generators of random numbers differ, the mask does not. It has no gradient.

Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014), section 4, scaled
in training ("inverted"), as torch and Flax do, so that evaluation changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from impls.graph import Array, Shape
from impls.hand.parts import Parametrised


class Dropout(Parametrised):
    reads, gives = ("x", "m"), "s"

    def __init__(self, rate: float = 0.5) -> None:
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate < 1:
            raise ValueError(
                f"Cannot use rate={rate!r}, because it is the share of the entries that is left out; give a number "
                f"from 0 to below 1."
            )
        self.rate = float(rate)

    def forward(self, x: Array, m: Array) -> Array:
        return x * m / (1 - self.rate)

    def dx(self, ds: Array, m: Array) -> Array:
        return ds * m / (1 - self.rate)

    def dm(self, ds: Array, x: Array) -> Array:
        """Of a mask that a network makes itself; one that is an input has none."""
        return ds * x / (1 - self.rate)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where the mask has another."""
        if read["x"] != read["m"]:
            raise ValueError("it masks entry by entry")
        return {"s": read["x"]}
