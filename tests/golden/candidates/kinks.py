"""Backward passes of 3-4-2, relu and a last layer without activation, at arguments exactly on the kink."""

import numpy as np


def passed(w, x, y, slope):
    z1 = x @ w["W1"] + w["b1"]
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w["W2"] + w["b2"]
    a2 = z2.copy()
    loss = ((a2 - y) ** 2).sum()
    da2 = 2 * (a2 - y)
    dz2 = da2.copy()
    dW2, db2, da1 = a1.T @ dz2, dz2.sum(axis=0), dz2 @ w["W2"].T
    dz1 = da1 * slope(z1)
    dW1, db1 = x.T @ dz1, dz1.sum(axis=0)
    return {name: value for name, value in locals().items() if name not in ("w", "x", "y", "slope")}


def other_side(w, x, y):
    return passed(w, x, y, lambda z: z >= 0)


def middle(w, x, y):
    return passed(w, x, y, lambda z: (np.sign(z) + 1) / 2)


def twice(w, x, y):
    return passed(w, x, y, lambda z: np.where(z == 0, 2, z > 0))
