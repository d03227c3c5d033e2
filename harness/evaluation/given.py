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
