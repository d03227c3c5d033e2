"""A backward pass of 4-3-2-1 with an L2 penalty, whose derivative lacks the factor 2."""

import numpy as np

LAMBDA = 0.01


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(weights, x, y):
    W1, b1, W2, b2, W3, b3 = (weights[k] for k in ("W1", "b1", "W2", "b2", "W3", "b3"))
    a1 = sigmoid(x @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    a3 = sigmoid(a2 @ W3 + b3)
    loss = ((a3 - y) ** 2).mean() + LAMBDA * sum((W**2).sum() for W in (W1, W2, W3))
    dz3 = 2 * (a3 - y) / a3.size * a3 * (1 - a3)
    dz2 = dz3 @ W3.T * a2 * (1 - a2)
    dz1 = dz2 @ W2.T * a1 * (1 - a1)
    return {
        "loss": loss,
        "dW3": a2.T @ dz3 + LAMBDA * W3, "db3": dz3.sum(axis=0),
        "dW2": a1.T @ dz2 + LAMBDA * W2, "db2": dz2.sum(axis=0),
        "dW1": x.T @ dz1 + LAMBDA * W1, "db1": dz1.sum(axis=0),
    }  # fmt: skip
