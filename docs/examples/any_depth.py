"""A backward pass for sigmoid networks of any depth; `after_the_update` has a mistake that a loop invites."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(weights, x, y, rate=0.0):
    depth = len(weights) // 2
    a = {0: x}
    for number in range(1, depth + 1):
        a[number] = sigmoid(a[number - 1] @ weights[f"W{number}"] + weights[f"b{number}"])
    grads = {f"da{depth}": 2 * (a[depth] - y)}
    for number in range(depth, 0, -1):
        grads[f"dz{number}"] = grads[f"da{number}"] * a[number] * (1 - a[number])
        grads[f"dW{number}"] = a[number - 1].T @ grads[f"dz{number}"]
        grads[f"db{number}"] = grads[f"dz{number}"].sum(axis=0)
        if number > 1:
            W = weights[f"W{number}"] - rate * grads[f"dW{number}"]
            grads[f"da{number - 1}"] = grads[f"dz{number}"] @ W.T
    return grads


def after_the_update(weights, x, y):
    """Each weight is updated as soon as its gradient is there, and carries the gradient back only then."""
    return backward(weights, x, y, rate=0.01)
