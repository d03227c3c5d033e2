"""Optimizers that step along the gradient, or along a running sum of it.

    gradient descent    W <- W - lr g

    momentum            m <- mu m + g                        no dampening
                        W <- W - lr m

    Nesterov            m <- mu m + g
                        W <- W - lr (g + mu m)

with g = dW + weight_decay W (see `Optimizer`).

Equal in formula to torch.optim.SGD(lr, momentum=mu, nesterov=..., weight_decay=...) and to
optax.sgd(lr, momentum=mu, nesterov=...), behind optax.add_decayed_weights where there is weight decay.

Sources: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); Sutskever et al.,
"On the importance of initialization and momentum in deep learning" (2013), equations (1) to (4), in the form
of torch.optim.SGD, which adds lr where the gradient enters the weight and not where it enters m.
"""

from __future__ import annotations

from impls.graph.primitive import Array
from impls.hand.optimizers.base import Optimizer
from impls.hand.parameters import fraction


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
