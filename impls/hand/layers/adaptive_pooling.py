"""Adaptive average pooling: as many means of an image as are asked for, whatever its size.

    s_hv = mean of x_ij over the window h, v      rows floor(h H / H') to ceil((h + 1) H / H'), columns likewise
    dx   = sum of ds_hv / n_hv over the windows that x_ij is in, n_hv entries each

Shapes: x (N, M, H, V), s (N, M, H', V'). Windows overlap by one row or column where H' does not divide H. torch has it;
JAX has none, and is given means of slices.

Source: torch.nn.AdaptiveAvgPool2d; He et al., "Spatial pyramid pooling in deep convolutional networks" (2014),
section 2.2, for windows by the size of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from impls.graph import Array, Shape, primitive
from impls.hand.layers.indexing import scattered, taken
from impls.hand.layers.windows import Size, pair_of
from impls.hand.parts import Parametrised


def spans(size: int, windows: int) -> list[range]:
    """The entries of each window."""
    return [range(k * size // windows, -(-(k + 1) * size // windows)) for k in range(windows)]


@primitive
def shared_out(ds: Array, counts: Array) -> Array:
    """Each number (..., n) divided among so many (n,)."""
    return ds / counts


def _terms(windows: Array) -> Array:
    """How many entries each window has; a number in float32 makes nothing wider of what is divided by it."""
    return np.bincount(windows).astype(np.float32)


class AdaptiveAvgPool2d(Parametrised):
    """`size`: H' and V', one number for both or one for each."""

    reads, gives = "x", "s"

    def __init__(self, size: Size) -> None:
        self.made, self.size = pair_of("AdaptiveAvgPool2d", "size", size), size

    def pairs(self, image: Any) -> tuple[Any, Any]:
        """Every (window, entry) that belong together, each counted row by row."""
        every = [spans(int(size), made) for size, made in zip(image, self.made, strict=True)]
        found = [
            (h * self.made[1] + v, i * int(image[1]) + j)
            for h, rows in enumerate(every[0]) for v, columns in enumerate(every[1]) for i in rows for j in columns
        ]  # fmt: skip
        windows, entries = np.array(found).T
        return windows, entries

    def _images(self, x: Array) -> Array:
        """(N, M, H, V) as (N M, H V)."""
        return x.reshape(x.shape[0] * x.shape[1], -1)

    def forward(self, x: Array) -> Array:
        windows, entries = self.pairs(x.shape[2:])
        total = scattered(taken(self._images(x), entries), windows, prod(self.made))
        return (total / _terms(windows)).reshape(*x.shape[:2], *self.made)

    def dx(self, ds: Array, x: Array) -> Array:
        windows, entries = self.pairs(x.shape[2:])
        share = shared_out(self._images(ds), _terms(windows))
        return scattered(taken(share, windows), entries, prod(x.shape[2:])).reshape(*x.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x is no image."""
        if len(read["x"]) != 4:
            raise ValueError("it reads images, (N, channels, rows, columns)")
        return {"s": (*read["x"][:2], *self.made)}
