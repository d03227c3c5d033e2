"""Backward passes of 4-3-2-1 with a mistake in each, written out as somebody would write them.

Sigmoids, L = sum of squared errors. Each is ``backward(weights, x, y)`` and returns its local variables, or the
gradients of the weights only. Nothing here uses the catalogue.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(w, x):
    z1 = x @ w["W1"] + w["b1"]
    a1 = sigmoid(z1)
    z2 = a1 @ w["W2"] + w["b2"]
    a2 = sigmoid(z2)
    z3 = a2 @ w["W3"] + w["b3"]
    return z1, a1, z2, a2, z3, sigmoid(z3)


def weights_only(backward):
    """What the same program gives if it returns only the gradients of the weights."""

    def function(w, x, y):
        result = backward(w, x, y)
        return {name: result[name] for name in ("dW1", "db1", "dW2", "db2", "dW3", "db3")}

    return function


def correct(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    da3 = 2 * (a3 - y)
    dz3 = da3 * a3 * (1 - a3)
    dW3 = a2.T @ dz3
    db3 = dz3.sum(axis=0)
    da2 = dz3 @ w["W3"].T
    dz2 = da2 * a2 * (1 - a2)
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    da1 = dz2 @ w["W2"].T
    dz1 = da1 * a1 * (1 - a1)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return locals()


def derivative_of_z(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)

    def slope(s):
        return s * (1 - s)

    dz3 = 2 * (a3 - y) * slope(a3)
    dz2 = (dz3 @ w["W3"].T) * slope(z2)
    dz1 = (dz2 @ w["W2"].T) * slope(a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def derivative_of_z_everywhere(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    d3 = 2 * (a3 - y) * z3 * (1 - z3)
    d2 = (d3 @ w["W3"].T) * z2 * (1 - z2)
    d1 = (d2 @ w["W2"].T) * z1 * (1 - z1)
    return {"dW3": a2.T @ d3, "dW2": a1.T @ d2, "dW1": x.T @ d1, "db3": d3.sum(0), "db2": d2.sum(0), "db1": d1.sum(0)}


def sigmoid_of_sigmoid(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)

    def sigmoid_prime(t):
        return sigmoid(t) * (1 - sigmoid(t))

    dz3 = 2 * (a3 - y) * sigmoid_prime(z3)
    dz2 = (dz3 @ w["W3"].T) * sigmoid_prime(z2)
    dz1 = (dz2 @ w["W2"].T) * sigmoid_prime(a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def no_derivative_at_the_output(w, x, y):
    _, a1, _, a2, _, a3 = forward(w, x)
    error = a3 - y
    delta3 = 2 * error
    delta2 = delta3 @ w["W3"].T * a2 * (1 - a2)
    delta1 = delta2 @ w["W2"].T * a1 * (1 - a1)
    return {
        "da3": 2 * error, "dz3": delta3, "dz2": delta2, "dz1": delta1, "dW3": a2.T @ delta3, "dW2": a1.T @ delta2,
        "dW1": x.T @ delta1, "db3": delta3.sum(0), "db2": delta2.sum(0), "db1": delta1.sum(0),
    }  # fmt: skip


def no_derivative_anywhere(w, x, y):
    _, a1, _, a2, _, a3 = forward(w, x)
    g3 = 2 * (a3 - y)
    g2 = g3 @ w["W3"].T
    g1 = g2 @ w["W2"].T
    return {"dW3": a2.T @ g3, "dW2": a1.T @ g2, "dW1": x.T @ g1, "db3": g3.sum(0), "db2": g2.sum(0), "db1": g1.sum(0)}


def half_of_the_square(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    dz3 = (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ w["W3"].T * a2 * (1 - a2)
    dz1 = dz2 @ w["W2"].T * a1 * (1 - a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def target_minus_output(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    da3 = 2 * (y - a3)
    dz3 = da3 * a3 * (1 - a3)
    dz2 = dz3 @ w["W3"].T * a2 * (1 - a2)
    dz1 = dz2 @ w["W2"].T * a1 * (1 - a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def mean_of_the_square(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    n = x.shape[0]
    dz3 = 2 / n * (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ w["W3"].T * a2 * (1 - a2)
    dz1 = dz2 @ w["W2"].T * a1 * (1 - a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def cross_entropy_gradient(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    dz3 = a3 - y
    dz2 = dz3 @ w["W3"].T * a2 * (1 - a2)
    dz1 = dz2 @ w["W2"].T * a1 * (1 - a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def tanh_derivative(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    dz3 = 2 * (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ w["W3"].T * (1 - a2**2)
    dz1 = dz2 @ w["W2"].T * (1 - a1**2)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()
