"""Two layers of sigmoids in the way of most courses: samples in columns, W of shape (outputs, inputs)."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gradients(params, x, y):
    W1, b1, W2, b2 = (params[name] for name in ("W1", "b1", "W2", "b2"))
    A1 = sigmoid(W1 @ x + b1)
    A2 = sigmoid(W2 @ A1 + b2)
    delta2 = 2 * (A2 - y) * A2 * (1 - A2)
    delta1 = W2.T @ delta2 * A1 * (1 - A1)
    layer1 = {"W": delta1 @ x.T, "b": delta1.sum(axis=1)}
    layer2 = {"W": delta2 @ A1.T, "b": delta2.sum(axis=1)}
    return {"layer1": layer1, "layer2": layer2}
