"""Convolution of sequences, and the transposed convolution of images, by the rules of a `Conv2d`.

    conv1d      z_nkh = sum_mr w_kmr x_nm(h s - p + r d) + b_k        a Conv2d of images of one row
    transposed  z = put back W^T . x + b      dx = W . windows(dz)    dW = x . windows(dz)^T    db = sum_nhv dz_nkhv

A transposed convolution does going forward what a Conv2d does going back, and the other way round: each entry of x lays
its kernels on a window of z, and where windows overlap they add up.

Shapes: of sequences x (N, M, H), W (K, M/G, R), z (N, K, H'). Transposed: x (N, M, H, V), W (M, K/G, R, S), b (K,),
z (N, K, H', V') with H' = (H - 1) s - 2 p + d (R - 1) + 1 + output padding: of the image sizes whose windows are H it
says which. As torch has them. Flax's ConvTranspose flips the kernel unless it is told transpose_kernel=True, counts no
output padding and pads by "SAME".

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), relationships 6 and 14.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from impls.graph import Array, Shape
from impls.hand.layers.convolution import Conv2d, transposed_convolution
from impls.hand.layers.windows import Pair, Size, Windows, pair_of
from impls.hand.parts import Parametrised, count


def laid_out(inner: Conv2d, x: Array, W: Array, image: Pair) -> Array:
    """What a Conv2d sends back to an image of this size."""
    return transposed_convolution(x, W, inner.windows, image, inner.groups)


class Conv1d(Conv2d):
    """`outputs` kernels on sequences; its options as those of a Conv2d, one number each."""

    def laid(self, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Windows:
        """Its windows, of images of one row."""
        for name, size in {"kernel": kernel, "stride": stride, "dilation": dilation}.items():
            count(name, size, doing="make a Conv1d with")
        around = padding if isinstance(padding, str) else [0, pair_of("Conv1d", "padding", padding, least=0)[0]]
        return Windows("Conv1d", [1, kernel], [1, stride], around, [1, dilation])

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        shapes = super().weights
        outputs, inputs, _, length = shapes["W"]
        return shapes | {"W": (outputs, inputs, length)}

    def forward(self, x: Array, W: Array, b: Array = None) -> Array:
        return super().forward(x[:, :, None], W[:, :, None], b)[:, :, 0]

    def dx(self, dz: Array, W: Array, x: Array) -> Array:
        return super().dx(dz[:, :, None], W[:, :, None], x[:, :, None])[:, :, 0]

    def dW(self, dz: Array, x: Array) -> Array:
        return super().dW(dz[:, :, None], x[:, :, None])

    def db(self, dz: Array) -> Array:
        return dz.sum(axis=(0, 2))

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of z; ValueError says what x does not have."""
        x = read["x"]
        if len(x) != 3 or x[1] != self.inputs:
            raise ValueError(f"it reads sequences of {self.inputs} channels, (N, {self.inputs}, positions)")
        rows, channels, _, length = super().shapes({"x": (x[0], x[1], 1, x[2])})["z"]
        return {"z": (rows, channels, length)}


class ConvTranspose2d(Parametrised):
    """`inputs` channels to `outputs`; output padding is what z has more, at its end, than its windows reach."""

    reads, gives = "x", "z"

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        pair_of("ConvTranspose2d", "padding", padding, least=0)
        self.inner = Conv2d(outputs, inputs, kernel, stride, padding, dilation, groups, bias=False)
        self.more = pair_of("ConvTranspose2d", "output_padding", output_padding, least=0)
        if any(more >= step for more, step in zip(self.more, self.inner.windows.stride, strict=True)):
            raise ValueError(
                f"Cannot make a ConvTranspose2d with output_padding={output_padding!r}, because z would hold another "
                f"window; give less than the stride."
            )
        self.inputs, self.outputs, self.groups, self.bias = inputs, outputs, groups, bias
        self.kernel, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation
        self.output_padding = output_padding

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        return self.inner.weights | ({"b": (self.outputs,)} if self.bias else {})

    def initial(self, rng: np.random.Generator, local: str, shape: tuple[int, ...]) -> np.ndarray:
        """As those of a Conv2d."""
        return self.inner.initial(rng, local, shape)

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:
        """Multiply-adds of the rule that gives `local`: one for each number read and weight of its kernel."""
        return 0 if local == "db" else prod(sizes["x"]) * prod(self.weights["W"][1:])

    def image(self, shape: Any) -> Pair:
        """H' and V' of x (N, M, H, V)."""
        windows, around = self.inner.windows, self.inner.windows.padding or (0, 0)
        every = zip(shape[2:], windows.stride, around, windows.reach, self.more, strict=True)
        rows, columns = ((int(size) - 1) * step - 2 * p + reach + more for size, step, p, reach, more in every)
        return rows, columns

    def forward(self, x: Array, W: Array, b: Array = None) -> Array:
        z = laid_out(self.inner, x, W, self.image(x.shape))
        return z + b[:, None, None] if self.bias else z

    def dx(self, dz: Array, W: Array) -> Array:
        return self.inner.forward(dz, W)

    def dW(self, dz: Array, x: Array) -> Array:
        return self.inner.dW(x, dz)

    def db(self, dz: Array) -> Array:
        return dz.sum(axis=(0, 2, 3))

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of z; ValueError says what x does not have."""
        if len(read["x"]) != 4 or read["x"][1] != self.inputs:
            raise ValueError(f"it reads images of {self.inputs} channels, (N, {self.inputs}, rows, columns)")
        image = self.image(read["x"])
        if min(image) < 1:
            raise ValueError(f"its padding leaves {image[0]} rows and {image[1]} columns")
        return {"z": (read["x"][0], self.outputs, *image)}
