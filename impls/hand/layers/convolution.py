"""Convolution of images: one kernel is laid on every window, and each window gives one number for each kernel.

    z  = x * W + b                z_nkhv  = sum_mrc x_nm(h s - p + r d)(v s - p + c d) w_kmrc + b_k

    dx = full(dz) * flip(W)       dx_nmij = sum_krc dz_nkhv w_kmrc     every window h, v and entry r, c that lie on i, j
    dW = windows(x)^T dz          dw_kmrc = sum_nhv dz_nkhv x_nm(...)  w feeds z once for each window
    db = sum_nhv dz               db_k    = sum_nhv dz_nkhv

Shapes: x (N, M, H, V), W (K, M/G, R, S), b (K,), z (N, K, H', V'): as torch has them, and JAX's "NCHW" and "OIHW".
Of G groups of channels each gives K/G of the outputs, from M/G of the inputs. As usual in the field no kernel is
flipped going forward (cross-correlation); so it is going back. Each window is a row of a matrix (im2col), so that all
of it is a matrix product, in which a sum runs over M/G R S, over K/G R S and over N H' V' terms.

Sources: LeCun et al., "Gradient-based learning applied to document recognition" (1998), section II; Chellapilla, Puri
and Simard, "High performance convolutional neural networks for document processing" (2006), for the matrix product;
Dumoulin and Visin (2016), relationship 14, for dx.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from impls.graph import Array, Shape
from impls.hand.layers.windows import Size, Windows
from impls.hand.parts import Parametrised


def rows_of_windows(windows: Array, groups: int) -> Array:
    """(N, M, H', V', R, S) as matrices (G, N H' V', M/G R S), a row for each window."""
    N, M, rows, columns, R, S = windows.shape
    grouped = windows.reshape(N, groups, M // groups, rows, columns, R, S)
    return np.transpose(grouped, (1, 0, 3, 4, 2, 5, 6)).reshape(groups, N * rows * columns, -1)


def rows_of_images(z: Array, groups: int) -> Array:
    """(N, K, H', V') as matrices (G, N H' V', K/G)."""
    N, K, rows, columns = z.shape
    grouped = z.reshape(N, groups, K // groups, rows, columns)
    return np.transpose(grouped, (1, 0, 3, 4, 2)).reshape(groups, N * rows * columns, -1)


def images_of(rows: Array, shape: tuple[int, ...]) -> Array:
    """Matrices (G, N H' V', K/G) as (N, K, H', V'), which is `shape`."""
    N, _, height, width = shape
    grouped = rows.reshape(len(rows), N, height, width, -1)
    return np.transpose(grouped, (1, 0, 4, 2, 3)).reshape(shape)


class Conv2d(Parametrised):
    """`outputs` kernels on images of `inputs` channels; kernel, stride, padding and dilation for rows and columns.

    Padding is a number of zeros on every side, or "same".
    """

    reads, gives = "x", "z"

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        for name, size in (("inputs", inputs), ("outputs", outputs), ("groups", groups)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"Cannot make a Conv2d with {name}={size!r}, because it is a count; give a whole number from 1 on."
                )
        if inputs % groups or outputs % groups:
            raise ValueError(
                f"Cannot make a Conv2d with groups={groups} of inputs={inputs} and outputs={outputs}, because every "
                f"group has as many of both; give a number of groups that divides both."
            )
        self.windows = Windows("Conv2d", kernel, stride, padding, dilation)
        self.inputs, self.outputs, self.groups, self.bias = inputs, outputs, groups, bias
        self.kernel, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation

    @property
    def apart(self) -> dict[str, Any]:
        """An output channel at a time: axis 1 of dz, axis 0 of the gradient; a group's share their windows."""
        alone = ({"dz": 1}, 0)
        return {"dW": alone, "db": alone} if self.groups == 1 else {"db": alone}

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        shapes: dict[str, tuple[int, ...]] = {"W": (self.outputs, self.inputs // self.groups, *self.windows.kernel)}
        return shapes | {"b": (self.outputs,)} if self.bias else shapes

    def forward(self, x: Array, W: Array, b: Array = None) -> Array:
        return self._laid(self.windows.padded(x), W, self.windows, b)

    def _laid(self, x: Array, W: Array, windows: Windows, b: Array = None) -> Array:
        """W (K, M/G, R, S) laid on every window of x."""
        every, G = windows.of(x), self.groups
        z = rows_of_windows(every, G) @ np.transpose(W.reshape(G, len(W) // G, -1), (0, 2, 1))
        if b is not None:
            z += b.reshape(G, 1, -1)
        return images_of(z, (len(x), len(W), *every.shape[2:4]))

    def dx(self, dz: Array, W: Array, x: Array) -> Array:
        spread, G = self.windows.spread(dz, x.shape[2:]), self.groups
        inverse = Windows("Conv2d", self.windows.kernel, 1, 0, self.windows.dilation)
        return self._laid(spread, with_channels_exchanged(np.flip(W, (2, 3)), G), inverse)

    def dW(self, dz: Array, x: Array) -> Array:
        every = rows_of_windows(self.windows.of(self.windows.padded(x)), self.groups)
        dW = np.transpose(rows_of_images(dz, self.groups), (0, 2, 1)) @ every
        return dW.reshape(-1, x.shape[1] // self.groups, *self.windows.kernel)

    def db(self, dz: Array) -> Array:
        return dz.sum(axis=(0, 2, 3))

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of z; ValueError says what x does not have."""
        if len(read["x"]) != 4 or read["x"][1] != self.inputs:
            raise ValueError(f"it reads images of {self.inputs} channels, (N, {self.inputs}, rows, columns)")
        return {"z": self.windows.shape(read["x"], self.outputs)}

    def initial(self, rng: np.random.Generator, local: str, shape: tuple[int, ...]) -> np.ndarray:
        """W ~ uniform(-r, r), r = sqrt(6 / (f + f')), f and f' entries of a window and of those it gives; b as Dense.

        Source: Glorot and Bengio (2010), equation (16).
        """
        taken = prod(self.weights["W"][1:])
        given = self.outputs // self.groups * prod(self.windows.kernel)
        return rng.uniform(-1, 1, shape) * (np.sqrt(6 / (taken + given)) if local == "W" else 1 / np.sqrt(taken))

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:
        """Multiply-adds of the rule that gives `local`: one for each number given and weight of its kernel."""
        return 0 if local == "db" else prod(sizes["z"]) * prod(self.weights["W"][1:])

    def __repr__(self) -> str:
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
        told = "".join(f", {n}={getattr(self, n)!r}" for n, value in usual.items() if getattr(self, n) != value)
        return f"Conv2d({self.inputs}, {self.outputs}, {self.kernel!r}{told})"


def with_channels_exchanged(W: Array, groups: int) -> Array:
    """W (K, M/G, R, S) with what it reads and gives exchanged, (M, K/G, R, S)."""
    K, M, R, S = W.shape
    grouped = W.reshape(groups, K // groups, M, R, S)
    return np.transpose(grouped, (0, 2, 1, 3, 4)).reshape(groups * M, K // groups, R, S)
