"""Backward passes of 4-3-2-1, each with a mistake."""

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


def derivative_of_z(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    loss = ((a3 - y) ** 2).sum()
    da3 = 2 * (a3 - y)
    dz3 = da3 * a3 * (1 - a3)
    da2 = dz3 @ w["W3"].T
    dz2 = da2 * z2 * (1 - z2)
    da1 = dz2 @ w["W2"].T
    dz1 = da1 * a1 * (1 - a1)
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


def half_of_the_square(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    loss = ((a3 - y) ** 2).sum() / 2
    dz3 = (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ w["W3"].T * a2 * (1 - a2)
    dz1 = dz2 @ w["W2"].T * a1 * (1 - a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def tanh_derivative_hidden(w, x, y):
    _, a1, _, a2, _, a3 = forward(w, x)
    d3 = 2 * (a3 - y) * a3 * (1 - a3)
    d2 = d3 @ w["W3"].T * (1 - a2**2)
    d1 = d2 @ w["W2"].T * (1 - a1**2)
    return {"dW3": a2.T @ d3, "dW2": a1.T @ d2, "dW1": x.T @ d1, "db3": d3.sum(0), "db2": d2.sum(0), "db1": d1.sum(0)}


def no_derivative_hidden(w, x, y):
    _, a1, _, a2, _, a3 = forward(w, x)
    g3 = 2 * (a3 - y)
    g2 = g3 @ w["W3"].T
    g1 = g2 @ w["W2"].T
    return {"dW3": a2.T @ g3, "dW2": a1.T @ g2, "dW1": x.T @ g1, "db3": g3.sum(0), "db2": g2.sum(0), "db1": g1.sum(0)}


def right(w, x, y):
    z1, a1, z2, a2, z3, a3 = forward(w, x)
    dz3 = 2 * (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ w["W3"].T * a2 * (1 - a2)
    dz1 = dz2 @ w["W2"].T * a1 * (1 - a1)
    dW3, dW2, dW1 = a2.T @ dz3, a1.T @ dz2, x.T @ dz1
    db3, db2, db1 = dz3.sum(0), dz2.sum(0), dz1.sum(0)
    return locals()


def mean_in_every_gradient(w, x, y):
    found = right(w, x, y)
    return {name: found[name] / len(x) for name in ("dW1", "db1", "dW2", "db2", "dW3", "db3")}


def learning_rate_in_every_gradient(w, x, y):
    found = right(w, x, y)
    return {name: 0.05 * found[name] for name in ("dW1", "db1", "dW2", "db2", "dW3", "db3")}


def path_of_another_weight(w, x, y):
    found = right(w, x, y)
    a1, dz2 = found["a1"], found["dz2"]
    return found | {"dW2": a1.T @ np.repeat(dz2.sum(axis=1, keepdims=True), 2, axis=1)}


def first_sample_left_out(w, x, y):
    found = right(w, x, y)
    return found | {"dW1": x[1:].T @ found["dz1"][1:]}


def single_precision(w, x, y):
    found = right(w, x, y)
    return found | {"dW1": (x.astype(np.float32).T @ found["dz1"].astype(np.float32)).astype(np.float64)}


def transposed(w, x, y):
    found = right(w, x, y)
    return found | {"dW1": found["dW1"].T}


def two_mistakes(w, x, y):
    found = right(w, x, y)
    return found | {"dW2": -found["dW2"], "db1": found["dz1"].mean(axis=0)}


def unexplained(w, x, y):
    found = right(w, x, y)
    return found | {"dW2": np.cos(found["dW2"]) + 0.3}


def forward_without_bias(w, x, y):
    return right(w | {"b2": 0 * w["b2"]}, x, y)
