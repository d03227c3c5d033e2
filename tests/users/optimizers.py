"""Optimizers as people write them: right ones, and the same with one mistake, by the name of its cause."""

import numpy as np

LR, B1, B2, EPS, MU, RHO, DECAY = 0.01, 0.9, 0.999, 1e-8, 0.9, 0.99, 0.1


def descent(weights, gradients, state):
    for name in weights:
        weights[name] = weights[name] - LR * gradients[name]
    return weights, state


def decayed_descent(weights, gradients):
    for name in weights:
        weights[name] *= 1 - LR * DECAY
        weights[name] -= LR * gradients[name]


def velocity(weights, gradients, state, *, nesterov=False, dampening=False, sign=1):
    """v = mu v - lr g, W + v."""
    for name, w in weights.items():
        g = gradients[name] * (1 - MU if dampening else 1)
        v = state[name] = MU * state.get(name, 0) - LR * g
        weights[name] = w + sign * (MU * v - LR * g if nesterov else v)
    return weights, state


def as_torch(weights, gradients, state, *, nesterov=False):
    """The buffer begins as the first gradient; lists in order."""
    buffers = state.setdefault("buffers", [None] * len(weights))
    for i, g in enumerate(gradients):
        buffers[i] = g.copy() if buffers[i] is None else MU * buffers[i] + g
        weights[i] -= LR * (g + MU * buffers[i] if nesterov else buffers[i])
    return weights


class Adam:
    """With one slip at a time."""

    def __init__(self, slip=None, decay=0.0):
        self.slip, self.decay = slip, decay
        self.m, self.v, self.t = {}, {}, 0

    def update(self, weights, grads):
        slip, b1, b2 = self.slip, B1, B2
        if slip == "betas swapped":
            b1, b2 = b2, b1
        if slip not in ("step counted per tensor", "step counted from 0", "step not counted"):
            self.t += 1
        if slip == "step not counted":
            self.t = 1
        for name in weights:
            g = grads["d" + name]
            if slip == "step counted per tensor":
                self.t += 1
            if self.decay and slip in ("weight decay coupled", None, "weight decay doubled") and slip != "adamw":
                g = g + (2 if slip == "weight decay doubled" else 1) * self.decay * weights[name]
            kept = {} if slip == "state not kept" else self.m
            m = kept.get(name, np.zeros_like(g))
            v = m if slip == "m and v in one array" else self.v.get(name, np.zeros_like(g))
            if slip == "state not kept":
                v = np.zeros_like(g)
            m *= b1
            m += (1 if slip in ("1 − beta1 missing", "1 − beta missing") else 1 - b1) * g
            squared = np.abs(g) if slip == "square missing" else m**2 if slip == "v of m" else g * g
            v *= b2
            v += (1 if slip in ("1 − beta2 missing", "1 − beta missing") else 1 - b2) * squared
            self.m[name], self.v[name] = m, v
            mhat = m if slip in ("bias correction missing", "bias correction of m missing") else m / (1 - b1**self.t)
            vhat = v if slip in ("bias correction missing", "bias correction of v missing") else v / (1 - b2**self.t)
            if slip == "epsilon inside the root":
                step = mhat / np.sqrt(vhat + EPS)
            elif slip == "epsilon before the bias correction":
                step = mhat / ((np.sqrt(v) + EPS) / np.sqrt(1 - b2**self.t))
            elif slip == "root missing":
                step = mhat / (vhat + EPS)
            else:
                step = mhat / (np.sqrt(vhat) + EPS)
            lr = {"learning rate twice": LR * LR, "sign": -LR, "learning rate missing": 1}.get(slip, LR)
            weights[name] -= lr * step
        if slip == "step counted from 0":
            self.t += 1


class AdamW(Adam):
    def update(self, weights, grads):
        slip, decay, self.decay = self.slip, self.decay, 0.0
        if slip == "weight decay coupled":
            self.decay = decay
        elif slip != "weight decay missing":
            for name in weights:
                weights[name] *= 1 - (decay if slip == "weight decay without lr" else LR * decay)
        super().update(weights, grads)
        self.decay = decay


def adagrad(weights, gradients, state, epsilon, *, slip=None):
    new = {}
    for name, g in gradients.items():
        state[name] = state.get(name, 0) + g**2
        root = np.sqrt(state[name] + epsilon) if slip == "epsilon inside the root" else np.sqrt(state[name]) + epsilon
        new[name] = weights[name] - LR * g / root
    return new, state


def rmsprop(weights, gradients, state, *, rho=RHO, epsilon=EPS, slip=None):
    for name, g in gradients.items():
        kept = {"rho swapped": 1 - rho}.get(slip, rho)
        state[name] = kept * state.get(name, 0) + (1 if slip == "1 − rho missing" else 1 - kept) * g**2
        weights[name] -= LR * g / (np.sqrt(state[name]) + epsilon)
    return weights, state
