"""Optimizers that step along the gradient, or along a running sum of it; and what all optimizers share.

    gradient descent    W <- W - lr g

    momentum            m <- mu m + g                        no dampening
                        W <- W - lr m

    Nesterov            m <- mu m + g
                        W <- W - lr (g + mu m)

with g = dW + weight_decay W: coupled weight decay is a part of the gradient, which every rule reads instead of dW.
That is what weight_decay means to torch.optim.SGD, Adam, Adagrad and RMSprop; in optax it is
``chain(add_decayed_weights(weight_decay), ...)``.

Equal in formula to torch.optim.SGD(lr, momentum=mu, nesterov=..., weight_decay=...) and to
optax.sgd(lr, momentum=mu, nesterov=...).

Sources: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); Sutskever et al.,
"On the importance of initialization and momentum in deep learning" (2013), equations (1) to (4), in the form
of torch.optim.SGD, which adds lr where the gradient enters the weight and not where it enters m.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

import numpy as np

from impls.graph import Link, prefixed
from impls.graph.primitive import Array, primitive
from impls.hand.parts import Parametrised, fraction, number, positive


@primitive
def read_off(dW: Array, W: Array, lr: float, updates: int = 1, mean: bool = False) -> Array:  # noqa: ARG001  (what is lost in reading depends on them)
    """(W - (W - lr dW)) / lr, the gradient as it is read off an update: dW, where nothing rounds.

    Of several updates, one for each sample and each of W as it was, what is read is added up, or averaged (`mean`).
    """
    return dW


class Optimizer(Parametrised):
    """An optimizer with a learning rate and a coupled weight decay, which is off at 0.

    It has one rule for each array of its `state`, which starts at 0, and one, ``W``, for the weight. A rule is named
    after what it gives, and its parameters say what it reads; ``W`` reads the state as *already* updated. All
    operations are entry by entry: every array has the shape of the weight.
    """

    state: tuple[str, ...] = ()

    def __init__(self, lr: float, weight_decay: float) -> None:
        self.lr = positive("lr", lr, "an update moves by lr times the gradient")
        self.weight_decay = number(
            "weight_decay", weight_decay, least=0, why="it is the share of the weight in the gradient"
        )

    def decayed(self, dW: Array, W: Array) -> Array:
        """g, the gradient of the loss plus weight_decay/2 W^2."""
        return dW + self.weight_decay * W if self.weight_decay else dW


class GradientDescent(Optimizer):
    def __init__(self, lr: float = 0.02, weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay)

    def W(self, W: Array, dW: Array) -> Array:
        return W - self.lr * self.decayed(dW, W)


class Momentum(Optimizer):
    state = ("m",)

    def __init__(self, lr: float = 0.002, mu: float = 0.9, weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay)
        self.mu = fraction("mu", mu)

    def m(self, m: Array, dW: Array, W: Array) -> Array:
        return self.mu * m + self.decayed(dW, W)

    def W(self, W: Array, m: Array) -> Array:
        return W - self.lr * m


class Nesterov(Momentum):
    def W(self, W: Array, m: Array, dW: Array) -> Array:  # type: ignore[override]  # (a rule reads what it reads)
        return W - self.lr * (self.decayed(dW, W) + self.mu * m)


def initial_state(optimizer: Any, weights: Mapping[str, Array]) -> dict[str, Array]:
    """What every optimizer's state is before the first step: zeros."""
    return {prefixed(s, name): np.zeros_like(w) for name, w in weights.items() for s in optimizer.state}


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
