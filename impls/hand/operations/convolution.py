"""Convolution with axes in any order: samples, channels, one or two spatial axes; a `Conv2d` once they are sorted.

Before it x may have a frame of zeros, another on each side, and gaps of zeros between its entries, so that a transposed
convolution is one as well. Kernels lie (K, M/G, ...) in the order that is said, and are never flipped.

    z = convolution of framed x with W      dx = dx of the convolution, without the frame      dW = its dW

Source: `impls.hand.layers.convolution`; "Operation semantics" of OpenXLA, ConvWithGeneralPadding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impls.graph import Array
from impls.hand.layers.convolution import Conv2d
from impls.hand.operations.indexing import Frame
from impls.hand.parts import Parametrised


class Convolution(Parametrised):
    """`orders`: where x, W and z have samples, channels and spatial axes; W's outputs, inputs and spatial axes."""

    reads, gives = ("x", "W"), "z"

    def __init__(
        self,
        kernel: Sequence[int],
        orders: Sequence[Sequence[int]],
        stride: Sequence[int],
        frame: Sequence[tuple[int, int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> None:
        self.kernel, self.groups = tuple(kernel), groups
        self.orders = tuple(map(tuple, orders))
        self.stride, self.dilation, self.frame = tuple(stride), tuple(dilation), tuple(frame)
        self._framed = Frame([(0, 0, 0)] * 2 + [(0, 0, 0)] * (2 - len(stride)) + list(frame))
        outputs, inputs, *window = (self.kernel[axis] for axis in self.orders[1])
        self._inner = Conv2d(
            inputs * groups, outputs, self._two(window), self._two(stride), 0, self._two(dilation), groups, bias=False
        )

    @staticmethod
    def _two(sizes: Sequence[int]) -> list[int]:
        """For rows and columns: a sequence is an image of one row."""
        return [1] * (2 - len(sizes)) + list(sizes)

    def _sorted(self, x: Array, which: int) -> Array:
        """Samples, channels, rows, columns; of a sequence one row."""
        x = np.transpose(x, self.orders[which])
        return x if x.ndim == 4 else x.reshape(*x.shape[:2], 1, x.shape[2])

    def _back(self, x: Array, which: int) -> Array:
        if len(self.stride) == 1:
            x = x.reshape(*x.shape[:2], x.shape[3])
        return np.transpose(x, np.argsort(self.orders[which]))

    def forward(self, x: Array, W: Array) -> Array:
        return self._back(self._inner.forward(self._framed.framed(self._sorted(x, 0)), self._sorted(W, 1)), 2)

    def dx(self, dz: Array, x: Array, W: Array) -> Array:
        image = self._sorted(x, 0)
        sent = self._inner.dx(self._sorted(dz, 2), self._sorted(W, 1), self._framed.framed(image))
        return self._back(self._framed.taken_out(sent, image.shape), 0)

    def dW(self, dz: Array, x: Array) -> Array:
        return self._back(self._inner.dW(self._sorted(dz, 2), self._framed.framed(self._sorted(x, 0))), 1)
