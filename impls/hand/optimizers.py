"""Optimizers: how a weight W moves against its gradient dW, once per batch.

    gradient descent    W <- W - lr dW

    momentum            m <- mu m + dW                       m starts at 0; no dampening
                        W <- W - lr m

    Adam                m <- beta1 m + (1 - beta1) dW        m, v start at 0
                        v <- beta2 v + (1 - beta2) dW^2
                        W <- W - lr mhat / (sqrt(vhat) + epsilon)
                        mhat = m / (1 - beta1^t),  vhat = v / (1 - beta2^t),  t = 1, 2, ...

All operations are entry by entry: every array has the shape of W. A rule is named after what it
gives, and its parameters say what it reads; the rule for W reads the state as *already* updated.

Equal in formula to torch.optim.SGD(momentum=mu), torch.optim.Adam(betas, eps); optax.sgd(momentum=mu),
optax.adam(b1, b2, eps), epsilon outside the root.

Sources: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964), in the
form of Sutskever et al., "On the importance of initialization and momentum" (2013), equations (1), (2);
Kingma and Ba, "Adam" (2015), Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from inspect import signature
from typing import Any

import numpy as np

from impls.hand.links import Link
from impls.hand.primitive import Array, primitive


@primitive
def moving_average(m: Array, dW: Array, beta: float) -> Array:
    return beta * m + (1 - beta) * dW


@primitive
def adam_direction(m: Array, v: Array, beta1: float, beta2: float, epsilon: float, t: int) -> Array:
    mhat = m / (1 - beta1**t)
    vhat = v / (1 - beta2**t)
    return mhat / (np.sqrt(vhat) + epsilon)


class GradientDescent:
    state: tuple[str, ...] = ()
    label = "gradient descent"

    def __init__(self, lr: float = 0.02) -> None:
        self.lr = _positive("lr", lr)

    def W(self, W: Array, dW: Array) -> Array:
        return W - self.lr * dW

    def __repr__(self) -> str:
        return f"GradientDescent(lr={self.lr!r})"


class Momentum:
    state = ("m",)
    label = "momentum"

    def __init__(self, lr: float = 0.002, mu: float = 0.9) -> None:
        self.lr, self.mu = _positive("lr", lr), _fraction("mu", mu)

    def m(self, m: Array, dW: Array) -> Array:
        return self.mu * m + dW

    def W(self, W: Array, m: Array) -> Array:
        return W - self.lr * m

    def __repr__(self) -> str:
        return f"Momentum(lr={self.lr!r}, mu={self.mu!r})"


class Adam:
    state = ("m", "v")
    label = "Adam"

    def __init__(self, lr: float = 0.01, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.lr, self.epsilon = _positive("lr", lr), _positive("epsilon", epsilon)
        self.beta1, self.beta2 = _fraction("beta1", beta1), _fraction("beta2", beta2)

    def m(self, m: Array, dW: Array) -> Array:
        return moving_average(m, dW, self.beta1)

    def v(self, v: Array, dW: Array) -> Array:
        return moving_average(v, dW * dW, self.beta2)

    def W(self, W: Array, m: Array, v: Array, t: int) -> Array:
        return W - self.lr * adam_direction(m, v, self.beta1, self.beta2, self.epsilon, t)

    def __repr__(self) -> str:
        return f"Adam(lr={self.lr!r}, beta1={self.beta1!r}, beta2={self.beta2!r}, epsilon={self.epsilon!r})"


def update_links(optimizer: Any, weights: Iterable[str]) -> list[Link]:
    """The update as links: for each weight the rules of its state, then its own, which reads the new state.

    They read ``W1``, ``dW1``, the state ``mW1`` and the step ``t``, and give new state and new weight under
    the same names.
    """
    links = []
    for weight in weights:
        names = {"W": weight, "dW": "d" + weight, "t": "t"} | {s: s + weight for s in optimizer.state}
        for rule in (*optimizer.state, "W"):
            method = getattr(optimizer, rule)
            inputs = tuple(names[p] for p in signature(method).parameters)
            entries = {name: 0 for name in inputs if name != "t"}
            links.append(Link(names[rule], inputs, method, optimizer, entries))
    return links


def _positive(name: str, value: float) -> float:
    if isinstance(value, int | float) and 0 < value < math.inf:
        return float(value)
    raise ValueError(
        f"Cannot use {name}={value!r}, because an update needs a finite {name} above 0; give a number such as 0.01."
    )


def _fraction(name: str, value: float) -> float:
    if isinstance(value, int | float) and 0 <= value < 1:
        return float(value)
    raise ValueError(
        f"Cannot use {name}={value!r}, because it is the share of the old average that is kept; "
        f"give a number from 0 to below 1, such as 0.9."
    )
