"""From the optimizers that are written by hand to those of optax, with what they keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np
import optax

from impls import hand
from impls.contract import Arrays, CannotCompareError, Update
from impls.graph import prefixed


def _adagrad(optimizer: hand.Adagrad) -> optax.GradientTransformation:
    if optimizer.epsilon_from != "optax":
        raise CannotCompareError(
            f"Cannot update with {optimizer!r}, because optax.adagrad adds epsilon inside the root only; "
            f"use epsilon_from='optax'."
        )
    return optax.adagrad(optimizer.lr, 0.0, optimizer.epsilon)


def _rmsprop(optimizer: hand.RMSProp) -> optax.GradientTransformation:
    inside = optimizer.epsilon_from == "optax"
    return optax.rmsprop(optimizer.lr, optimizer.rho, optimizer.epsilon, eps_in_sqrt=inside)


OPTIMIZERS: dict[type, Callable[[Any], optax.GradientTransformation]] = {
    hand.GradientDescent: lambda o: optax.sgd(o.lr),
    hand.Momentum: lambda o: optax.sgd(o.lr, momentum=o.mu),
    hand.Nesterov: lambda o: optax.sgd(o.lr, momentum=o.mu, nesterov=True),
    hand.Adagrad: _adagrad,
    hand.RMSProp: _rmsprop,
    hand.Adam: lambda o: optax.adam(o.lr, b1=o.beta1, b2=o.beta2, eps=o.epsilon),
    hand.AdamW: lambda o: optax.adamw(o.lr, b1=o.beta1, b2=o.beta2, eps=o.epsilon, weight_decay=o.weight_decay),
}
"""From a hand optimizer to the optax optimizer equal to it in formula, coupled weight decay aside."""

STATE = {"trace": "m", "mu": "m", "nu": "v", "sum_of_squares": "v"}
"""From optax's name of an optimizer state to the hand optimizer's."""


class JaxUpdater:
    """An optax optimizer with its own state; the weights are set anew at every step."""

    def __init__(self, optimizer: Any, weights: Arrays, computing: Callable[[], AbstractContextManager[None]]) -> None:
        self.optimizer, self._computing = OPTIMIZERS[type(optimizer)](optimizer), computing
        if optimizer.weight_decay and not isinstance(optimizer, hand.AdamW):  # whose decay is decoupled, in the step
            self.optimizer = optax.chain(optax.add_decayed_weights(optimizer.weight_decay), self.optimizer)
        self._step = jax.jit(self._pure_step)
        with computing():
            self.state = jax.jit(self.optimizer.init)({name: np.array(w) for name, w in weights.items()})

    def _pure_step(self, weights: Any, gradients: Any, state: Any) -> Any:
        updates, state = self.optimizer.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """One update and apply_updates under jit."""
        given = {name: np.asarray(w) for name, w in weights.items()}
        slopes = {name: np.asarray(gradients[prefixed("d", name)]) for name in weights}
        with self._computing():
            moved, self.state = self._step(given, slopes, self.state)
        state = {
            prefixed(STATE[field], name): np.array(array)
            for part in _parts(self.state)
            for field, arrays in part._asdict().items()
            if field in STATE
            for name, array in arrays.items()
        }
        return Update({name: np.asarray(w) for name, w in moved.items()}, state)


def _parts(state: Any) -> Iterator[Any]:
    """The states of the transformations of a chain, which may hold chains."""
    if hasattr(state, "_asdict"):
        yield state
    else:
        for part in state:
            yield from _parts(part)
