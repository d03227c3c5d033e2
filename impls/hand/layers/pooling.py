"""Pooling of images: one number for each window of a channel, its largest or its mean.

    max       s = max over the window        dx_i = sum of ds over the windows whose first largest entry is x_i
    average   s = sum over the window / R S  dx_i = sum of ds / R S over the windows that x_i is in
    global    s = sum over the image / H V   dx_i = ds / H V

Shapes: x (N, M, H, V), s (N, M, H', V'), of the global average (N, M). Of equal entries the first one, row by row, has
the gradient, as in torch and in JAX; any sharing of it among them is a subgradient. Zeros of the padding count in a
mean, unless `count_include_pad` (of torch and of Flax) is False; padding is never the largest.

Sources: LeCun et al. (1998), section II.B, for the mean; Zhou and Chellappa (1988) for the largest; Lin, Chen and Yan,
"Network in network" (2014), section 3.2, for the global average.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import accumulate as running
from math import prod
from operator import add
from typing import Any

import numpy as np

from impls.graph import Array, Shape
from impls.graph.backward import accumulate
from impls.hand.layers.windows import Size, Windows, put_back
from impls.hand.parts import Parametrised


class _Pooling(Parametrised):
    """Windows of images; `stride` is the kernel's size where it is None."""

    reads, gives = "x", "s"

    def __init__(self, kernel: Size, stride: Size | None, padding: Size) -> None:
        self.windows = Windows(type(self).__name__, kernel, kernel if stride is None else stride, padding)
        self.kernel, self.stride, self.padding = kernel, stride, padding
        if any(2 * p > size for p, size in zip(self.windows.padding or (0, 0), self.windows.kernel, strict=True)):
            raise ValueError(
                f"Cannot make a {type(self).__name__} with padding={padding!r} of kernel={kernel!r}, because a window "
                f"could hold nothing but padding; give at most half of the kernel."
            )

    def entries(self, x: Array, padding: float) -> list[Array]:
        """The first entry of every window, then the second, row by row: R S arrays (N, M, H', V')."""
        every = self.windows.of(self.windows.padded(x, padding))
        R, S = self.windows.kernel
        return [every[..., r, c] for r in range(R) for c in range(S)]

    def shares(self, ds: Array, x: Array) -> list[Array]:
        """What of ds belongs to the first entry of every window, to the second, ..., as `entries` has them."""
        raise NotImplementedError

    def dx(self, ds: Array, x: Array) -> Array:
        return put_back(self.windows, x.shape[2:], 2, *self.shares(ds, x))

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x is no image, or smaller than a window."""
        return {"s": self.windows.shape(read["x"])}


class MaxPool2d(_Pooling):
    def __init__(self, kernel: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__(kernel, stride, padding)

    def forward(self, x: Array) -> Array:
        return reduce(np.maximum, self.entries(x, -np.inf))

    def shares(self, ds: Array, x: Array) -> list[Array]:
        entries, shares, rest, zero = self.entries(x, -np.inf), list[Array](), ds, np.full_like(ds, 0)
        before = list(running(entries, np.maximum))
        # From the last entry to the first: what is larger than all before it takes what none behind it took.
        for entry, largest in zip(entries[:0:-1], before[-2::-1], strict=True):
            larger = entry > largest
            shares.append(np.where(larger, rest, zero))
            rest = np.where(larger, zero, rest)
        return [rest, *reversed(shares)]

    def one_sided(self, ds: Array, x: Array) -> tuple[Array, Array, Array]:
        entries, image = self.entries(x, -np.inf), x.shape[2:]
        largest, zero = reduce(np.maximum, entries), np.full_like(ds, 0)
        equal = [entry == largest for entry in entries]
        several = reduce(add, (1.0 * each for each in equal)) > 1.5
        tied = [np.where(several, 1.0 * each, zero) for each in equal]
        least, most = (np.where(several, end(ds, 0.0), ds) for end in (np.minimum, np.maximum))
        below, above = ([np.where(each, share, zero) for each in equal] for share in (least, most))
        return put_back(self.windows, image, 2, *tied) > 0.5, *(
            put_back(self.windows, image, 2, *s) for s in (below, above)
        )


class AvgPool2d(_Pooling):
    def __init__(
        self, kernel: Size, stride: Size | None = None, padding: Size = 0, count_include_pad: bool = True
    ) -> None:
        super().__init__(kernel, stride, padding)
        self.count_include_pad = count_include_pad

    def _terms(self, x: Array) -> Any:
        """How many numbers each mean is of: R S, or fewer where padding does not count, (1, 1, H', V')."""
        if self.count_include_pad:
            return float(prod(self.windows.kernel))
        count = sum(self.entries(np.ones((1, 1, *x.shape[2:])), 0.0))
        return np.full_like(self.windows.of(self.windows.padded(x[:1, :1]))[..., 0, 0], count)

    def forward(self, x: Array) -> Array:
        return accumulate(*self.entries(x, 0.0)) / self._terms(x)

    def shares(self, ds: Array, x: Array) -> list[Array]:
        return [ds / self._terms(x)] * prod(self.windows.kernel)


class GlobalAvgPool2d(Parametrised):
    reads, gives = "x", "s"

    def forward(self, x: Array) -> Array:
        return x.mean(axis=(2, 3))

    def dx(self, ds: Array, x: Array) -> Array:
        return +np.broadcast_to((ds / prod(x.shape[2:]))[:, :, None, None], x.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x is no image."""
        if len(read["x"]) != 4:
            raise ValueError("it reads images, (N, channels, rows, columns)")
        return {"s": read["x"][:2]}
