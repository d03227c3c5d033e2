"""Convolution of images: one kernel is laid on every window, and each window gives one number for each kernel.

    z  = W . windows(x) + b       z_nkhv  = sum_mrc w_kmrc x_nm(h s - p + r d)(v s - p + c d) + b_k

    dx = put back W^T . dz        dx_nmij = sum_krc w_kmrc dz_nkhv     every window h, v and entry r, c that lie on i, j
    dW = dz . windows(x)^T        dw_kmrc = sum_nhv dz_nkhv x_nm(...)  w feeds z once for each window
    db = sum_nhv dz               db_k    = sum_nhv dz_nkhv

Shapes: x (N, M, H, V), W (K, M/G, R, S), b (K,), z (N, K, H', V'): as torch has them, and JAX's "NCHW" and "OIHW".
Of G groups of channels each gives K/G of the outputs, from M/G of the inputs. As usual in the field no kernel is
flipped going forward (cross-correlation), so that dx is a convolution of dz with the flipped kernel.

A window is a column of a matrix (im2col), so that all of it is a product of matrices: M/G R S entries of a window by
H' V' N windows. The samples come last in memory, as in each row of the matrix: they are copied as they lie.

Sources: LeCun et al., "Gradient-based learning applied to document recognition" (1998), section II; Chellapilla, Puri
and Simard, "High performance convolutional neural networks for document processing" (2006), for the matrix product;
Dumoulin and Visin (2016), relationship 14, for dx.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np

from impls.graph import Array, Shape, primitive
from impls.hand.layers.windows import Pair, Size, Windows, put_back
from impls.hand.parts import Parametrised, count


def samples_last(x: Array) -> Array:
    """(N, M, H, V) as (M, H, V, N)."""
    return np.transpose(x, (1, 2, 3, 0))


def samples_first(x: Array) -> Array:
    """(M, H, V, N) as (N, M, H, V)."""
    return np.transpose(x, (3, 0, 1, 2))


def columns(windows: Windows, x: Array, groups: int) -> Array:
    """The windows of x (N, M, H, V) as matrices (G, M/G R S, H' V' N), a column for each."""
    last = np.copy(samples_last(x), order="C")  # so that a window's entry is read for all samples in a row
    every = windows.of(windows.padded(last, axis=1), axis=1)
    return np.transpose(every, (0, 4, 5, 1, 2, 3)).reshape(groups, -1, prod(every.shape[1:4]))


def matrices(z: Array, groups: int) -> Array:
    """What there is of every window, (N, K, H', V'), as matrices (G, K/G, H' V' N)."""
    return samples_last(z).reshape(groups, z.shape[1] // groups, -1)


@primitive
def transposed_convolution(dz: Array, W: Array, windows: Windows, image: Pair, groups: int) -> Array:
    """What every window has for its entries, W^T dz, put back where these are in the image: (N, M, H, V), from z's.

    Each entry is one sum, in any order, over the windows that it is in and the outputs of its group.
    """
    K, M, R, S = W.shape
    parts = np.transpose(W.reshape(groups, K // groups, -1), (0, 2, 1)) @ matrices(dz, groups)
    parts = parts.reshape(groups * M, R * S, *dz.shape[2:], len(dz))
    return samples_first(put_back(windows, image, 1, *(parts[:, at] for at in range(R * S))))


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
        counted = partial(count, doing="make a Conv2d with")
        self.inputs, self.outputs = counted("inputs", inputs), counted("outputs", outputs)
        self.groups, self.bias = counted("groups", groups), bias
        if inputs % groups or outputs % groups:
            raise ValueError(
                f"Cannot make a Conv2d with groups={groups} of inputs={inputs} and outputs={outputs}, because every "
                f"group has as many of both; give a number of groups that divides both."
            )
        self.windows = self.laid(kernel, stride, padding, dilation)
        self.kernel, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation

    def laid(self, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Windows:
        """Its windows."""
        return Windows("Conv2d", kernel, stride, padding, dilation)

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
        z = W.reshape(self.groups, self.outputs // self.groups, -1) @ columns(self.windows, x, self.groups)
        if self.bias:
            z += b.reshape(self.groups, -1, 1)
        return samples_first(z.reshape(self.outputs, *self.windows.count(x.shape[2:]), len(x)))

    def dx(self, dz: Array, W: Array, x: Array) -> Array:
        return transposed_convolution(dz, W, self.windows, x.shape[2:], self.groups)

    def dW(self, dz: Array, x: Array) -> Array:
        every = columns(self.windows, x, self.groups)
        return (matrices(dz, self.groups) @ np.transpose(every, (0, 2, 1))).reshape(-1, *self.weights["W"][1:])

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
        return f"{type(self).__name__}({self.inputs}, {self.outputs}, {self.kernel!r}{told})"


def with_channels_exchanged(W: Array, groups: int) -> Array:
    """W (K, M/G, R, S), or (K, M/G, R), with what it reads and gives exchanged, (M, K/G, ...)."""
    K, M, *kernel = W.shape
    grouped = W.reshape(groups, K // groups, M, *kernel)
    exchanged = np.transpose(grouped, (0, 2, 1, *range(3, len(W.shape) + 1)))
    return exchanged.reshape(groups * M, K // groups, *kernel)
