"""More backward passes of 4-3-2-1, right but for one line each: `correct` with that line changed.

Each slip is a function that is given the right tensors up to its line by name, and what it returns replaces the lines
from there on; later lines are the right ones, on what it made.
"""

import numpy as np

from tests.broken.backward_passes import forward


def pass_with(**lines):
    """A backward pass in which some lines are other ones: from everything computed so far to the tensor."""

    def backward(w, x, y):
        t = dict(zip(("z1", "a1", "z2", "a2", "z3", "a3"), forward(w, x), strict=True), **w, x=x, y=y)
        steps = {
            "da3": lambda t: 2 * (t["a3"] - t["y"]),
            "dz3": lambda t: t["da3"] * t["a3"] * (1 - t["a3"]),
            "dW3": lambda t: t["a2"].T @ t["dz3"],
            "db3": lambda t: np.sum(t["dz3"], axis=0),
            "da2": lambda t: t["dz3"] @ t["W3"].T,
            "dz2": lambda t: t["da2"] * t["a2"] * (1 - t["a2"]),
            "dW2": lambda t: t["a1"].T @ t["dz2"],
            "db2": lambda t: np.sum(t["dz2"], axis=0),
            "da1": lambda t: t["dz2"] @ t["W2"].T,
            "dz1": lambda t: t["da1"] * t["a1"] * (1 - t["a1"]),
            "dW1": lambda t: t["x"].T @ t["dz1"],
            "db1": lambda t: np.sum(t["dz1"], axis=0),
        }
        for name, line in steps.items():
            t[name] = lines.get(name, line)(t)
        return t

    return backward


def second_path(t):
    """The lecture's slip: the term of w_12 is written into the derivative of w_11 as well."""
    dW2 = np.zeros((3, 2))
    for i in range(3):
        for j in range(2):
            for n in range(len(t["x"])):
                dW2[i, j] += t["a1"][n, i] * (t["dz2"][n, 0] + t["dz2"][n, 1])
    return dW2


def last_path_only(t):
    da1 = np.zeros((len(t["x"]), 3))
    for n in range(len(da1)):
        for i in range(3):
            for j in range(2):
                da1[n, i] = t["dz2"][n, j] * t["W2"][i, j]
    return da1


def overwritten_sample_by_sample(t):
    for xn, dn in zip(t["a1"], t["dz2"], strict=True):
        dW2 = np.outer(xn, dn)
    return dW2


def range_from_one(t):
    dW1 = np.zeros((4, 3))
    for n in range(1, len(t["x"])):
        dW1 += np.outer(t["x"][n], t["dz1"][n])
    return dW1


def inputs_but_the_last(t):
    dW1 = np.zeros((4, 3))
    for i in range(3):  # there are four
        dW1[i] = t["x"][:, i] @ t["dz1"]
    return dW1


def updated_before_use(lr):
    def da1(t):
        W2 = t["W2"] - lr * t["dW2"]
        return t["dz2"] @ W2.T

    return da1


def in_half_precision(t):
    return (t["da2"] * t["a2"] * (1 - t["a2"])).astype(np.float16).astype(np.float64)


def in_single_precision(t):
    x, dz1 = t["x"].astype(np.float32), t["dz1"].astype(np.float32)
    return (x.T @ dz1).astype(np.float64)


def clipped(t):
    return np.clip(t["x"].T @ t["dz1"], -0.004, 0.004)


def fortran_order(t):
    return (t["x"].T @ t["dz1"]).flatten(order="F").reshape(4, 3)
