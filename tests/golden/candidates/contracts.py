"""Functions that are no backward pass of 4-3-2-1 for another reason than their formulas, or not for all data."""

import os
import time

import numpy as np

kept, no_function = {}, 3


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def right(w, x, y):
    a1 = sigmoid(x @ w["W1"] + w["b1"])
    a2 = sigmoid(a1 @ w["W2"] + w["b2"])
    a3 = sigmoid(a2 @ w["W3"] + w["b3"])
    d3 = 2 * (a3 - y) * a3 * (1 - a3)
    d2 = d3 @ w["W3"].T * a2 * (1 - a2)
    d1 = d2 @ w["W2"].T * a1 * (1 - a1)
    return {"dW3": a2.T @ d3, "dW2": a1.T @ d2, "dW1": x.T @ d1, "db3": d3.sum(0), "db2": d2.sum(0), "db1": d1.sum(0)}


def returns_nothing(w, x, y):
    right(w, x, y)


def raises(w, x, y):
    return {"dW1": x @ y}


def one_nan(w, x, y):
    found = right(w, x, y)
    found["dW2"][1, 0] = np.nan
    return found


def bias_of_shape_1_k(w, x, y):
    found = right(w, x, y)
    return found | {"db1": found["db1"][None, :]}


def changes_x(w, x, y):
    x -= 1
    return right(w, x + 1, y)


def stale(w, x, y):
    if not kept:
        kept.update(right(w, x, y))
    return kept


def batch_of_150_built_in(w, x, y):
    return {name: array * (150 / len(x)) for name, array in right(w, x, y).items()}


def names_of_another_network(w, x, y):
    return {"dW7": w["W1"], "gradient": w["W2"]}


def as_float32(w, x, y):
    return {name: array.astype(np.float32) for name, array in right(w, x, y).items()}


def last_layer_only(w, x, y):
    found = right(w, x, y)
    return {name: found[name] for name in ("dW3", "db3")}


def prints(w, x, y):
    print("a word on stdout")
    return right(w, x, y)


def takes_other_arguments(a, b):
    return a, b


def never_ends(w, x, y):
    while True:
        time.sleep(0.01)


def ends_the_process(w, x, y):
    os._exit(0)
