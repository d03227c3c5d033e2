"""What the optimizers share: state, coupled weight decay, and an update made of links.

An optimizer has one rule for each array of its state and one, ``W``, for the weight. A rule is named after
what it gives, and its parameters say what it reads; ``W`` reads the state as *already* updated. All
operations are entry by entry: every array has the shape of the weight. State starts at 0.

Coupled weight decay is a part of the gradient: every rule reads g = dW + weight_decay W instead of dW. That is
what weight_decay means to torch.optim.SGD, Adam, Adagrad and RMSprop; in optax it is
``chain(add_decayed_weights(weight_decay), ...)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from typing import Any

from impls.graph import Link, prefixed
from impls.graph.primitive import Array
from impls.hand.parameters import Parametrised, number, positive


class Optimizer(Parametrised):
    """An optimizer with a learning rate and a coupled weight decay, which is off at 0."""

    state: tuple[str, ...] = ()

    def __init__(self, lr: float, weight_decay: float) -> None:
        self.lr = positive("lr", lr, "an update moves by lr times the gradient")
        self.weight_decay = number(
            "weight_decay", weight_decay, least=0, why="it is the share of the weight in the gradient"
        )

    def decayed(self, dW: Array, W: Array) -> Array:
        """g, the gradient of the loss plus weight_decay/2 W^2."""
        return dW + self.weight_decay * W if self.weight_decay else dW


def update_links(optimizer: Any, weights: Iterable[str]) -> list[Link]:
    """The update as links: for each weight the rules of its state, then its own, which reads the new state.

    They read ``W1``, ``dW1``, the state ``mW1`` and the step ``t``, and give new state and new weight under
    the same names.
    """
    links = []
    for weight in weights:
        names = {"W": weight, "dW": prefixed("d", weight), "t": "t"}
        names |= {s: prefixed(s, weight) for s in optimizer.state}
        for rule in (*optimizer.state, "W"):
            method = getattr(optimizer, rule)
            inputs = tuple(names[p] for p in signature(method).parameters)
            entries = {name: 0 for name in inputs if name != "t"}
            links.append(Link(names[rule], inputs, method, optimizer, entries))
    return links
