"""Optimizers that divide each entry of the gradient by the root of its own past squares.

    Adagrad     v <- v + g^2
                W <- W - lr g / d(v)

    RMSProp     v <- rho v + (1 - rho) g^2
                W <- W - lr g / d(v)

    Adam        m <- beta1 m + (1 - beta1) g
                v <- beta2 v + (1 - beta2) g^2
                W <- W - lr mhat / (sqrt(vhat) + epsilon)
                mhat = m / (1 - beta1^t),  vhat = v / (1 - beta2^t),  t = 1, 2, ...

    AdamW       as Adam with g = dW, and decoupled weight decay: lr weight_decay W is taken from W besides

with g = dW + weight_decay W (see `Optimizer`) and a divisor that frameworks disagree on:

    epsilon_from = "torch"    d(v) = sqrt(v) + epsilon
    epsilon_from = "optax"    d(v) = sqrt(v + epsilon)

Equal in formula to
    torch.optim.Adagrad(lr, eps)                 and optax.adagrad(lr, 0, eps), which has the second divisor only
    torch.optim.RMSprop(lr, alpha=rho, eps)      and optax.rmsprop(lr, rho, eps, eps_in_sqrt=...): first and second
    torch.optim.Adam(lr, betas, eps)             and optax.adam(lr, b1, b2, eps)
    torch.optim.AdamW(lr, betas, eps, weight_decay)   and optax.adamw(lr, b1, b2, eps, weight_decay=...)
What a framework lacks is not comparable there.

Sources: Duchi, Hazan and Singer, "Adaptive subgradient methods" (2011), section 1.1; Tieleman and Hinton,
"Lecture 6.5: RMSProp" (2012); Kingma and Ba, "Adam" (2015), Algorithm 1; Loshchilov and Hutter, "Decoupled
weight decay regularization" (2019), Algorithm 2, whose lambda is lr weight_decay, as torch and optax have it.
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.optimizers.descent import Optimizer
from impls.hand.parts import choice, fraction, positive

DIVISORS = ("torch", "optax")


@primitive
def moving_average(m: Array, g: Array, beta: float) -> Array:
    return beta * m + (1 - beta) * g


@primitive
def step_over(g: Array, d: Array, lr: float) -> Array:
    return lr * (g / d)


@primitive
def step_over_root(g: Array, v: Array, epsilon: float, lr: float) -> Array:
    return lr * (g / np.sqrt(v + epsilon))


@primitive
def adam_step(m: Array, v: Array, beta1: float, beta2: float, epsilon: float, t: int, lr: float) -> Array:
    mhat = m / (1 - beta1**t)
    vhat = v / (1 - beta2**t)
    return lr * (mhat / (np.sqrt(vhat) + epsilon))


@primitive
def decoupled_step(W: Array, step: Array, lr: float, weight_decay: float) -> Array:
    return W - (step + lr * weight_decay * W)


class Adaptive(Optimizer):
    """What Adagrad and RMSProp share: the step, with one of two divisors."""

    state = ("v",)

    def __init__(self, lr: float, epsilon: float, epsilon_from: str, weight_decay: float) -> None:
        super().__init__(lr, weight_decay)
        self.epsilon = positive("epsilon", epsilon, "it keeps the divisor from being 0")
        self.epsilon_from = choice("epsilon_from", epsilon_from, DIVISORS)

    def W(self, W: Array, dW: Array, v: Array) -> Array:
        g = self.decayed(dW, W)
        if self.epsilon_from == "optax":
            return W - step_over_root(g, v, self.epsilon, self.lr)
        return W - step_over(g, np.sqrt(v) + self.epsilon, self.lr)


class Adagrad(Adaptive):
    def __init__(
        self, lr: float = 0.05, epsilon: float = 1e-10, epsilon_from: str = "torch", weight_decay: float = 0.0
    ) -> None:
        super().__init__(lr, epsilon, epsilon_from, weight_decay)

    def v(self, v: Array, dW: Array, W: Array) -> Array:
        return v + np.square(self.decayed(dW, W))


class RMSProp(Adaptive):
    def __init__(
        self,
        lr: float = 0.01,
        rho: float = 0.99,
        epsilon: float = 1e-8,
        epsilon_from: str = "torch",
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, epsilon, epsilon_from, weight_decay)
        self.rho = fraction("rho", rho)

    def v(self, v: Array, dW: Array, W: Array) -> Array:
        return moving_average(v, np.square(self.decayed(dW, W)), self.rho)


class Adam(Optimizer):
    state = ("m", "v")

    def __init__(
        self,
        lr: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.epsilon = positive("epsilon", epsilon, "it keeps the divisor from being 0")
        self.beta1, self.beta2 = fraction("beta1", beta1), fraction("beta2", beta2)

    def m(self, m: Array, dW: Array, W: Array) -> Array:
        return moving_average(m, self.decayed(dW, W), self.beta1)

    def v(self, v: Array, dW: Array, W: Array) -> Array:
        return moving_average(v, np.square(self.decayed(dW, W)), self.beta2)

    def W(self, W: Array, m: Array, v: Array, t: int) -> Array:
        return W - self._step(m, v, t)

    def _step(self, m: Array, v: Array, t: int) -> Array:
        return adam_step(m, v, self.beta1, self.beta2, self.epsilon, t, self.lr)


class AdamW(Adam):
    def __init__(
        self,
        lr: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon, weight_decay)

    def decayed(self, dW: Array, W: Array) -> Array:  # noqa: ARG002  (the decay is in the step, not in the gradient)
        return dW

    def W(self, W: Array, m: Array, v: Array, t: int) -> Array:
        return decoupled_step(W, self._step(m, v, t), self.lr, self.weight_decay)
