"""Training steps of 4-3-2-1 as people write them, which hand over no gradients; slips by name."""

import numpy as np

RATE = 0.1
NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gradients(weights, x, y, slip=None):
    W1, b1, W2, b2, W3, b3 = (weights[name] for name in NAMES)
    a1 = sigmoid(x @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    a3 = sigmoid(a2 @ W3 + b3)
    dz3 = 2 * (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ W3.T * (1 if slip == "derivative missing" else a2 * (1 - a2))
    dz1 = dz2 @ W2.T * a1 * (1 - a1)
    dW1 = x.T @ dz1
    dW2 = a1.T @ dz2
    if slip == "mean for sum":
        dW2 = dW2 / len(x)
    if slip == "sign":
        dW2 = -dW2
    if slip == "transposed":
        dW2 = dW2.T.reshape(dW2.shape)
    found = dW1, dz1.sum(axis=0), dW2, dz2.sum(axis=0), a2.T @ dz3, dz3.sum(axis=0)
    return {f"d{name}": gradient for name, gradient in zip(NAMES, found, strict=True)}


def in_place(weights, x, y, rate=RATE, slip=None):
    found = gradients(weights, x, y, slip)
    for name in NAMES:
        weights[name] -= rate * found[f"d{name}"]


def returned(weights, x, y):
    found = gradients(weights, x, y)
    return {name: weights[name] - RATE * found[f"d{name}"] for name in NAMES}


def in_order(weights, x, y):
    W1, b1, W2, b2, W3, b3 = weights
    found = gradients({"W1": W1, "b1": b1, "W2": W2, "b2": b2, "W3": W3, "b3": b3}, x, y)
    return [w - RATE * g for w, g in zip(weights, found.values(), strict=True)]


def with_loss(weights, x, y, learning_rate):
    found = gradients(weights, x, y)
    a1 = sigmoid(x @ weights["W1"] + weights["b1"])
    a2 = sigmoid(a1 @ weights["W2"] + weights["b2"])
    loss = float(((sigmoid(a2 @ weights["W3"] + weights["b3"]) - y) ** 2).sum())
    return {name: weights[name] - learning_rate * found[f"d{name}"] for name in NAMES}, loss


def folded(weights, x, y):
    """The learning rate is multiplied into a factor of the gradient."""
    found = gradients(weights, x, y)
    a1 = sigmoid(x @ weights["W1"] + weights["b1"])
    a2 = sigmoid(a1 @ weights["W2"] + weights["b2"])
    a3 = sigmoid(a2 @ weights["W3"] + weights["b3"])
    dz3 = 2 * (a3 - y) * a3 * (1 - a3)
    weights["W3"] = weights["W3"] - RATE * a2.T @ dz3
    for name in NAMES:
        if name != "W3":
            weights[name] = weights[name] - found[f"d{name}"] * RATE


class Net:
    def __init__(self):
        for name in NAMES:
            setattr(self, name, None)

    def train_step(self, X, Y):
        found = gradients(vars(self), X, Y)
        for name in NAMES:
            setattr(self, name, getattr(self, name) - RATE * found[f"d{name}"])


class Kept:
    """Keeps its weights in a dictionary, and takes the rate."""

    def __init__(self):
        self.parameters = dict.fromkeys(NAMES)

    def train(self, X, Y, lr):
        in_place(self.parameters, X, Y, lr)


class Momentum:
    def __init__(self):
        self.v = dict.fromkeys(NAMES, 0)

    def step(self, weights, x, y):
        for name, gradient in zip(NAMES, gradients(weights, x, y).values(), strict=True):
            self.v[name] = 0.9 * self.v[name] + gradient
            weights[name] -= RATE * self.v[name]


class Sized:
    def __init__(self, sizes):
        self.sizes = sizes

    def step(self, x, y):
        raise NotImplementedError


def in_torch(weights, x, y):
    import torch

    own = {name: w.clone().requires_grad_() for name, w in weights.items()}
    a = x
    for layer in "123":
        a = torch.sigmoid(a @ own[f"W{layer}"] + own[f"b{layer}"])
    ((a - y) ** 2).sum().backward()
    return {name: w.detach() - RATE * w.grad for name, w in own.items()}


def rebinding(weights, x, y):
    W1 = weights["W1"]
    W1 = W1 - RATE * gradients(weights, x, y)["dW1"]
    return W1.sum()
