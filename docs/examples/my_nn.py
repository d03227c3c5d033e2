"""A backward pass of 4-3-2-1 as a learner writes it, with one mistake in it."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(weights, x, y):
    W1, b1, W2, b2, W3, b3 = (weights[k] for k in ("W1", "b1", "W2", "b2", "W3", "b3"))
    z1 = x @ W1 + b1
    a1 = sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = sigmoid(z2)
    z3 = a2 @ W3 + b3
    a3 = sigmoid(z3)
    loss = ((a3 - y) ** 2).sum()
    da3 = 2 * (a3 - y)
    dz3 = da3 * a3 * (1 - a3)
    dW3 = a2.T @ dz3
    db3 = dz3.sum(axis=0)
    da2 = dz3 @ W3.T
    dz2 = da2 * z2 * (1 - z2)
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    da1 = dz2 @ W2.T
    dz1 = da1 * a1 * (1 - a1)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return locals()
