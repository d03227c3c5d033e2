"""Windows: where a kernel of R x S entries is laid on an image of H rows and V columns.

    window (h, v)     rows h s - p + r d, columns v s - p + c d       s stride, p padding, d dilation, r < R, c < S
    H' = floor((H + p + p' - d (R - 1) - 1) / s) + 1                  windows along the rows; p' is the padding behind

Padding "same" gives ceil(H / s) windows: of what is padded the smaller half comes first, as in torch and in JAX.
Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), relationships 6 and 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from impls.graph import Array, Shape, primitive

Pair = tuple[int, int]
Size = int | list[int]
"""One number for rows and columns, or one for each."""


class Windows:
    """Size, stride, padding and dilation of windows, for rows and columns.

    Attributes:
        padding: in front and behind, alike; None for "same", which depends on the image.
    """

    def __init__(self, what: str, kernel: Any, stride: Any, padding: Any = 0, dilation: Any = 1) -> None:
        self.kernel = pair_of(what, "kernel", kernel)
        self.stride = pair_of(what, "stride", stride)
        self.dilation = pair_of(what, "dilation", dilation)
        if isinstance(padding, str) and padding != "same":
            raise ValueError(
                f"Cannot make a {what} with padding={padding!r}, because there is no such padding; give a whole number "
                f"from 0 on, or 'same'."
            )
        self.padding = None if isinstance(padding, str) else pair_of(what, "padding", padding, least=0)

    @property
    def reach(self) -> Pair:
        """Rows and columns from the first to the last entry of a window, both counted."""
        (R, S), (d, e) = self.kernel, self.dilation
        return d * (R - 1) + 1, e * (S - 1) + 1

    def frame(self, image: Pair) -> tuple[Pair, Pair]:
        """Rows of padding before and behind an image, and columns."""
        if self.padding is not None:
            return (self.padding[0],) * 2, (self.padding[1],) * 2
        both = [
            max((-(-size // step) - 1) * step + reach - size, 0)
            for size, step, reach in zip(image, self.stride, self.reach, strict=True)
        ]
        return (both[0] // 2, -(-both[0] // 2)), (both[1] // 2, -(-both[1] // 2))

    def count(self, image: Pair) -> Pair:
        """H' and V'.

        Raises:
            ValueError: a window is larger than the image with its padding.
        """
        rows, columns = (size + sum(more) for size, more in zip(image, self.frame(image), strict=True))
        if rows < self.reach[0] or columns < self.reach[1]:
            raise ValueError(
                f"its kernel takes {self.reach[0]} rows and {self.reach[1]} columns, and the image has {rows} and "
                f"{columns}, padding included"
            )
        return (rows - self.reach[0]) // self.stride[0] + 1, (columns - self.reach[1]) // self.stride[1] + 1

    def shape(self, read: Shape, channels: int | None = None) -> tuple[int | str, ...]:
        """The shape of one number for each window of images of the shape that is read."""
        if len(read) != 4 or not all(isinstance(size, int) for size in read[1:]):
            raise ValueError("it reads images, (N, channels, rows, columns)")
        return (read[0], channels or read[1], *self.count((int(read[2]), int(read[3]))))

    @property
    def overlap(self) -> int:
        """In how many windows an entry of the image is, at most."""
        every = zip(self.kernel, self.stride, self.dilation, strict=True)
        return prod(-(-size * gcd(step, apart) // step) for size, step, apart in every)

    def padded(self, x: Array, padding: float = 0.0, axis: int = 2) -> Array:
        """Images within their frame; their rows are this axis of x and their columns the next."""
        frame = self.frame(x.shape[axis : axis + 2])
        widths = ((0, 0),) * axis + frame + ((0, 0),) * (x.ndim - axis - 2)
        return np.pad(x, widths, constant_values=padding) if any(map(any, frame)) else x

    def of(self, x: Array, axis: int = 2) -> Array:
        """The windows of images that are within their frame: (..., H', V', ..., R, S)."""
        every = sliding_window_view(x, self.reach, axis=(axis, axis + 1))
        apart, within = (tuple(slice(None, None, step) for step in pair) for pair in (self.stride, self.dilation))
        return every[((slice(None),) * axis + apart + (...,) + within)]


@primitive
def put_back(windows: Windows, image: Pair, axis: int, *parts: Array) -> Array:
    """The sum, over all windows that an entry of the image (H, V) is in, of what each has for it, in any order.

    Args:
        axis: of the H' rows.
        parts: what every window has for its first entry, its second, ..., row by row, each (..., H', V', ...).
    """
    (s, t), (d, e), frame = windows.stride, windows.dilation, windows.frame(image)
    before, (rows, columns) = (slice(None),) * axis, parts[0].shape[axis : axis + 2]
    size = [n + sum(around) for n, around in zip(image, frame, strict=True)]
    behind = ((0, 0),) * (parts[0].ndim - axis - 2)
    total = np.pad(parts[0][(*before, slice(0), slice(0))], ((0, 0),) * axis + ((0, size[0]), (0, size[1])) + behind)
    for place, part in enumerate(parts):
        r, c = (n * apart for n, apart in zip(divmod(place, windows.kernel[1]), (d, e), strict=True))
        total[(*before, slice(r, r + s * rows, s), slice(c, c + t * columns, t))] += part
    return total[(*before, *(slice(first, first + n) for n, (first, _) in zip(image, frame, strict=True)))]


def pair_of(what: str, name: str, size: Any, least: int = 1) -> Pair:
    """A size for rows and for columns, of one number or of two.

    Raises:
        ValueError: it is neither, or below `least`.
    """
    sizes = tuple(size) if isinstance(size, Sequence) and not isinstance(size, str) else (size, size)
    if len(sizes) == 2 and all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in sizes):
        return sizes[0], sizes[1]
    raise ValueError(
        f"Cannot make a {what} with {name}={size!r}, because that is a count of rows and of columns; give a whole "
        f"number from {least} on, or two."
    )
