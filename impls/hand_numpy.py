"""The hand implementation behind the contract: NumPy arrays in, NumPy arrays out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.abilities import Comparer, Measured
from impls.contract import Array, Arrays, CannotCompareError, Inputs, Pass, Update
from impls.graph import Graph, evaluate, prefixed
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

NO_AUTOGRAD = (
    "Cannot differentiate a function of NumPy arrays, because NumPy has no autograd; write it in torch or JAX, or "
    "give its backward pass too."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class HandPass(Pass):
    """A pass of the hand code that knows where it was taken, so that an allowance can be derived from it.

    Attributes:
        network: that was differentiated.
        weights, x, y: where; read-only, and nobody else's, so that they stay what they were.
    """

    network: Graph
    weights: Arrays
    x: Array | Inputs
    y: Array


class Hand:
    """`impls.hand` in one dtype; its arrays belong to the caller."""

    eager, package = True, "numpy"

    def __init__(self, network: Graph, dtype: str) -> None:
        self.network, self.dtype = network, np.dtype(dtype)
        self.version = f"numpy {np.__version__}"

    def differentiate(self, weights: Arrays, x: Array | Inputs, y: Array, *, tap: bool = True) -> HandPass:
        """Forward and backward through the hand-written links."""
        activations = self.network.forward(weights, x)
        loss = np.asarray(self.network.loss_of(activations, y))
        gradients = self.network.backward(weights, x, y, activations)
        if not tap:
            gradients, activations = {name: gradients[name] for name in self.network.gradients}, {}
        at = {name: _kept(w) for name, w in weights.items()}
        fed = Inputs({n: _kept(a) for n, a in x.items()}) if isinstance(x, Inputs) else _kept(x)
        return HandPass(loss, gradients, activations, network=self.network, weights=at, x=fed, y=_kept(y))

    def start(self, optimizer: Any, weights: Arrays) -> HandUpdater:
        """The hand-written optimizer itself."""
        return HandUpdater(optimizer, weights)

    def conventions(self) -> dict[str, Callable[[], Measured]]:
        """What the hand-written layers choose."""
        return measures(self.dtype)

    def comparers(self) -> dict[str, Comparer]:
        """What people compare NumPy arrays with."""
        return {"np.allclose": Comparer("np.allclose(actual, expected) of every gradient", _allclose)}

    def elementary(self) -> dict[str, Callable[..., Array]]:
        """NumPy's functions, and SciPy's erf and erfc where SciPy is installed."""
        with suppress(ModuleNotFoundError):
            from scipy import special

            return {**ELEMENTARY, "erf": special.erf, "erfc": special.erfc}
        return ELEMENTARY

    def owns(self, value: Any) -> bool:
        """NumPy arrays, and its single numbers."""
        return isinstance(value, (np.ndarray, np.generic))

    def give(self, array: Array) -> Array:
        """A contiguous copy, writable."""
        return np.array(array, order="C")

    def take(self, own: Any) -> Array:
        """A copy."""
        return np.array(own)

    def running(self) -> nullcontext[None]:
        """Nothing needs to be set."""
        return nullcontext()

    def vjp(self, *_: Any) -> tuple[Array, list[Array | None]]:
        """NumPy differentiates nothing."""
        raise CannotCompareError(NO_AUTOGRAD)

    def perturbed(self, *_: Any) -> tuple[Array, list[Array | None]]:
        """NumPy differentiates nothing."""
        raise CannotCompareError(NO_AUTOGRAD)

    def brings_backward(self, _: Any) -> bool:
        """No object of NumPy's does."""
        return False

    def pair(self, _: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """NumPy differentiates nothing."""
        raise CannotCompareError(NO_AUTOGRAD)


def _kept(array: Array) -> Array:
    """The array itself if nobody can write to it, else a read-only copy."""
    if array.base is None and not array.flags.writeable:
        return array
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def _allclose(actual: Arrays, expected: Arrays) -> bool:
    return all(np.allclose(actual[name], expected[name]) for name in expected)


class HandUpdater:
    """Applies an optimizer's rules to every weight and keeps their state."""

    def __init__(self, optimizer: Any, weights: Arrays) -> None:
        self.links, self.t = update_links(optimizer, weights), 0
        self.state = {prefixed(s, name): np.zeros_like(w) for name, w in weights.items() for s in optimizer.state}

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """State first, then the weight, link by link."""
        self.t += 1
        tensors: dict[str, Any] = {**weights, **gradients, **self.state, "t": self.t}
        evaluate(self.links, tensors)
        self.state = {name: tensors[name] for name in self.state}
        return Update({name: tensors[name] for name in weights}, self.state)
