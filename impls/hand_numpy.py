"""The hand implementation behind the contract: NumPy arrays in, NumPy arrays out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from impls.contract import Array, Arrays, Measured, Pass, Update
from impls.hand import Network
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.optimizers import update_links
from impls.hand_conventions import measures

ELEMENTARY: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "sqrt": np.sqrt,
    "divide": np.divide,
}
"""From the name in the constants table to NumPy's function; NumPy has no rsqrt, and erf is SciPy's."""


class Hand:
    """`impls.hand` in one dtype; its arrays belong to the caller."""

    eager = True

    def __init__(self, network: Network, dtype: str) -> None:
        self.network, self.dtype = network, np.dtype(dtype)
        self.version = f"numpy {np.__version__}"

    def differentiate(self, weights: Arrays, x: Array, y: Array, *, tap: bool = True) -> Pass:
        """Forward and backward through the hand-written links."""
        activations = self.network.forward(weights, x)
        loss = np.asarray(self.network.loss_of(activations, y))
        gradients = self.network.backward(weights, x, y, activations)
        if tap:
            return Pass(loss, gradients, activations)
        return Pass(loss, {name: gradients[name] for name in self.network.gradients})

    def start(self, optimizer: Any, weights: Arrays) -> HandUpdater:
        """The hand-written optimizer itself."""
        return HandUpdater(optimizer, weights)

    def conventions(self) -> dict[str, Callable[[], Measured]]:
        """What the hand-written layers choose."""
        return measures(self.dtype)

    def elementary(self) -> dict[str, Callable[..., Array]]:
        """NumPy's functions, and SciPy's erf and erfc where SciPy is installed."""
        with suppress(ModuleNotFoundError):
            from scipy import special

            return {**ELEMENTARY, "erf": special.erf, "erfc": special.erfc}
        return ELEMENTARY


class HandUpdater:
    """Applies an optimizer's rules to every weight and keeps their state."""

    def __init__(self, optimizer: Any, weights: Arrays) -> None:
        self.links, self.t = update_links(optimizer, weights), 0
        self.state = {s + name: np.zeros_like(w) for name, w in weights.items() for s in optimizer.state}

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """State first, then the weight, link by link."""
        self.t += 1
        tensors: dict[str, Any] = {**weights, **gradients, **self.state, "t": self.t}
        for link in self.links:
            tensors[link.output] = link(tensors)
        self.state = {name: tensors[name] for name in self.state}
        return Update({name: tensors[name] for name in weights}, self.state)
