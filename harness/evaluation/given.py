"""What a pass is given, weights and batch, by name and in any kind of number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from impls.contract import Array, Inputs
from impls.graph import TARGET, Graph


def named(network: Graph, weights: Mapping[str, Array], x: Array | Inputs, y: Array) -> dict[str, Array]:
    """Weights and batch by the names that the network's links read."""
    return {**weights, **network.given(x), TARGET: y}


def as_numbers(network: Graph, given: Mapping[str, Array], number: Callable[[Array], Any]) -> dict[str, Any]:
    """What is given, real numbers made into another kind by `number`; whole numbers stay what they are."""
    tensors = network.tensors
    return {name: np.asarray(array) if tensors[name].whole else number(array) for name, array in given.items()}


def with_buffers(network: Graph, x: Array | Inputs, buffers: Mapping[str, Array]) -> Array | Inputs:
    """What a network is fed besides weights: its inputs, and the buffers that it has."""
    if not buffers:
        return x
    inputs = x if isinstance(x, Inputs) else {network.sources[0].name: x}
    return Inputs({**inputs, **buffers})


def fed(network: Graph, given: Mapping[str, Array]) -> Array | Inputs:
    """What a network is fed besides weights, of what is given by name."""
    names = [*(source.name for source in network.sources), *network.buffers]
    return given[names[0]] if len(names) == 1 else Inputs({name: given[name] for name in names})
