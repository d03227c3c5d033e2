"""One network for each family of layers: every layer of it with its options, on odd sizes and on awkward numbers."""

import numpy as np

from impls.contract import Inputs
from impls.hand import (
    AdaptiveAvgPool2d,
    Add,
    Concatenate,
    Conv1d,
    ConvTranspose2d,
    Cos,
    CumulativeSum,
    Dense,
    Divide,
    Einsum,
    Flatten,
    Gather,
    Graph,
    GraphBuilder,
    GroupNorm,
    LogSumExp,
    MatrixProduct,
    Max,
    Maximum,
    MeanSquaredError,
    Minimum,
    Multiply,
    Pad,
    Pow,
    Power,
    RMSNorm,
    ScatterAdd,
    Sin,
    Slice,
    Split,
    Stack,
    Subtract,
    Variance,
    Where,
)

NUMBERS = {
    "normal": lambda x: x,
    "offset": lambda x: x + 1e3,
    "constant": lambda x: 0 * x + x.reshape(len(x), -1)[:, 0].reshape(-1, *[1] * (x.ndim - 1)),
    "positive": lambda x: np.exp(2 * x),
    "large": lambda x: 100 * x,
    "ties": np.round,
    "mild": lambda x: np.exp(x / 2),
}
"""From random normal numbers to those that a layer reads."""

FAMILIES = {
    "norms": [
        (RMSNorm(6), {"x": (3, 6)}, "normal"),
        (RMSNorm(1), {"x": (1,)}, "normal"),
        (RMSNorm(33), {"x": (33,)}, "offset"),
        (RMSNorm(5, eps=1e-5), {"x": (5,)}, "constant"),
        (GroupNorm(2, 4), {"x": (4, 3, 5)}, "normal"),
        (GroupNorm(1, 3), {"x": (3, 7)}, "offset"),
        (GroupNorm(3, 3), {"x": (3, 2, 2)}, "constant"),
        (GroupNorm(3, 6, eps=1e-3), {"x": (6,)}, "normal"),
    ],
    "indexed": [
        (Slice(1, 1, None, 2), {"x": (6,)}, "normal"),
        (Slice(2, -2), {"x": (2, 5, 3)}, "normal"),
        (Slice(1, 2, 3), {"x": (4, 2)}, "normal"),
        (Pad([[1, 2]]), {"x": (3,)}, "normal"),
        (Pad([[0, 1], [2, 0]], 0.1), {"x": (2, 3)}, "normal"),
        (Gather(4), {"x": (4,), "i": (7,)}, "normal"),
        (Gather(3, 2), {"x": (2, 3, 2), "i": (2, 9, 2)}, "normal"),
        (ScatterAdd(3), {"x": (8,), "i": (8,)}, "offset"),
        (ScatterAdd(5, 2), {"x": (2, 6, 3), "i": (2, 6, 3)}, "normal"),
        (Stack(), {"p": (3,), "q": (3,)}, "normal"),
        (Stack(3), {"p": (2, 3), "q": (2, 3)}, "normal"),
        (Concatenate(1), {"p": (2, 3), "q": (1, 3)}, "normal"),
        (Split(1, 1), {"x": (3, 4)}, "normal"),
    ],
    "reduced": [
        (Max([1]), {"x": (9,)}, "normal"),
        (Max([1, 2]), {"x": (3, 4)}, "ties"),
        (Max([2]), {"x": (2, 5, 3)}, "ties"),
        (Variance([1]), {"x": (7,)}, "normal"),
        (Variance([2, 3], True), {"x": (2, 3, 4)}, "offset"),
        (Variance([1]), {"x": (1,)}, "normal"),
        (Variance([1], True), {"x": (6,)}, "constant"),
        (LogSumExp([1]), {"x": (5,)}, "normal"),
        (LogSumExp([1, 3]), {"x": (2, 3, 2)}, "offset"),
        (LogSumExp([1]), {"x": (8,)}, "large"),
        (LogSumExp([2]), {"x": (2, 1)}, "constant"),
        (CumulativeSum(1), {"x": (9,)}, "normal"),
        (CumulativeSum(2), {"x": (2, 33, 2)}, "offset"),
        (CumulativeSum(1), {"x": (3, 2)}, "normal"),
        (CumulativeSum(1), {"x": (1,)}, "normal"),
    ],
    "functions": [
        (Power(0.3), {"z": (9,)}, "positive"),
        (Power(2), {"z": (9,)}, "normal"),
        (Power(-3), {"z": (9,)}, "normal"),
        (Power(-0.5), {"z": (5,)}, "positive"),
        (Power(7), {"z": (5,)}, "normal"),
        (Sin(), {"z": (9,)}, "large"),
        (Cos(), {"z": (2, 5)}, "large"),
        (Where(), {"c": (3, 2), "p": (3, 2), "q": (1, 2)}, "normal"),
        (Where(), {"c": (5,), "p": (5,), "q": (5,)}, "normal"),
    ],
    "repeated": [
        (Add(), {"p": (3, 1), "q": (3, 4)}, "normal"),
        (Add(), {"p": (3, 3), "q": (3, 1)}, "offset"),
        (Subtract(), {"p": (4, 1), "q": (1, 3)}, "normal"),
        (Multiply(), {"p": (2, 1, 3), "q": (1, 5, 3)}, "normal"),
        (Divide(), {"p": (3, 2), "q": (1, 1)}, "positive"),
        (Pow(), {"p": (2, 1), "q": (1, 3)}, "mild"),
        (Maximum(), {"p": (2, 1), "q": (1, 9)}, "ties"),
        (Where(), {"c": (2, 3), "p": (2, 1), "q": (2, 3)}, "normal"),
        (Minimum(), {"p": (1,), "q": (5,)}, "ties"),
        (MatrixProduct(), {"p": (1, 2, 3), "q": (4, 3, 2)}, "normal"),
        (MatrixProduct(), {"p": (2, 2, 3, 3), "q": (2, 1, 3, 1)}, "normal"),
    ],
    "products": [
        (Conv1d(2, 3, 3, padding=1), {"x": (2, 7)}, "normal"),
        (Conv1d(4, 6, 2, 2, 1, dilation=2, groups=2, bias=False), {"x": (4, 8)}, "normal"),
        (Conv1d(2, 2, 3, padding="same", stride=2), {"x": (2, 6)}, "normal"),
        (ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), {"x": (2, 3, 2)}, "normal"),
        (ConvTranspose2d(4, 6, [2, 3], [1, 2], dilation=[2, 1], groups=2, bias=False), {"x": (4, 2, 3)}, "normal"),
        (AdaptiveAvgPool2d([3, 2]), {"x": (2, 5, 7)}, "normal"),
        (AdaptiveAvgPool2d(2), {"x": (1, 4, 3)}, "offset"),
        (Einsum("nij,njk->nik"), {"p": (3, 3), "q": (3, 4)}, "normal"),
        (Einsum("nhtd,nd->nth"), {"p": (2, 3, 4), "q": (4,)}, "normal"),
        (Einsum("ni,nj->nji"), {"p": (3,), "q": (2,)}, "normal"),
    ],
}
"""Layers, the shapes of a row of what each reads, and what kind of numbers these are."""


def network_of(cases) -> Graph:
    """Layers side by side, their outputs joined."""
    net, parts = GraphBuilder(), []
    for place, (layer, inputs, kind) in enumerate(cases):
        whole = getattr(layer, "whole", {})
        reads = [
            net.input(f"{local}{place}_{kind}", shape, choices=whole.get(local, 0), gradient=local not in whole)
            for local, shape in inputs.items()
        ]
        given = net(f"n{place}", layer, *reads)
        for output in given if isinstance(given, tuple) else (given,):
            parts.append(net(f"f{len(parts)}", Flatten(), output))
    joined = parts[0]
    for place, part in enumerate(parts[1:]):
        joined = net(f"j{place}", Concatenate(), joined, part)
    size = net.loss(MeanSquaredError(), joined).outputs
    return net.loss(MeanSquaredError(), net("out", Dense(size, 2), joined))


def batch_of(network: Graph, rows: int, dtype: str = "float64", seed: int = 0):
    """Inputs of their kinds, and targets."""
    rng = np.random.default_rng(seed)
    x = Inputs()
    for source in network.sources:
        shape, kind = (rows, *source.shape), NUMBERS[source.name.rpartition("_")[2]]
        real = kind(rng.normal(size=shape)).astype(dtype)
        x[source.name] = rng.integers(0, source.choices, shape) if source.choices else real
    return x, rng.normal(size=(rows, network.outputs)).astype(dtype)
