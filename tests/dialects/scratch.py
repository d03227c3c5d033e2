"""A network of two layers as newcomers write it, tanh and sigmoid under binary cross-entropy, with a slip or none."""

import numpy as np

NET = ("4-3-1", {"activation": "tanh", "output_activation": "sigmoid", "loss": "binary-cross-entropy"})


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def passes(weights, x, y, *, moved=False, slip="", total=False, epsilon=0.0):
    """Every tensor; with 1/N in dW and db where it is `moved`, of the sum of the losses where it is `total`."""
    n = len(x)
    z1 = x @ weights["W1"] + weights["b1"]
    a1 = sigmoid(z1) if slip == "sigmoid for tanh" else np.tanh(z1)
    z2 = a1 @ weights["W2"] + (0 if slip == "no bias" else weights["b2"])
    a2 = sigmoid(z2)
    each = y * np.log(a2 + epsilon) + (1 - y) * np.log(1 - a2 + epsilon)
    dz2 = (a2 - y) / (1 if moved or total else n)
    if slip == "derivative twice":
        dz2 = dz2 * a2 * (1 - a2)
    m = n if moved else 1
    dW2, db2 = a1.T @ dz2 / m, dz2.sum(0) / m
    da1 = dz2 @ weights["W2"].T
    dz1 = da1 * (1 - a1 if slip == "no square" else 1 - a1**2)
    dW1, db1 = x.T @ dz1 / (1 if slip == "1/N lost" else m), dz1.sum(0) / m
    return {
        "z1": z1, "a1": a1, "z2": z2, "a2": a2, "loss": -each.sum() / (1 if total else n),
        "dz2": dz2, "dW2": dW2, "db2": db2, "da1": da1, "dz1": dz1, "dW1": dW1, "db1": db1,
    }  # fmt: skip


def gradients(weights, x, y, **manner):
    """Those of the weights alone."""
    return {f"d{name}": passes(weights, x, y, **manner)[f"d{name}"] for name in weights}


def update(rate=0.1, uphill=(), change=None, **manner):
    """A step of gradient descent, weights whose gradients are added by mistake among it."""

    def step(weights, x, y):
        found = gradients(weights, x, y, **manner)
        found = change(found) if change else found
        for name in weights:
            weights[name] = weights[name] + (rate if name in uphill else -rate) * found[f"d{name}"]

    return step
