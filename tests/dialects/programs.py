"""A network 4-3-2 with sigmoids and the sum of squared errors, written in the manners in which people write it.

Each program takes `slope`, the derivative of the sigmoid: the mistake that is planted is to take it of z.
"""

import numpy as np

MODEL = "4-3-2"
LAYERS = (1, 2)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def right_slope(z, a):
    return a * (1 - a)


def slope_of_z(z, a):
    return z * (1 - z)


def in_rows(weights, x, y, slope=right_slope):
    """z = x W + b; the names that the harness has."""
    W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
    z1 = x @ W1 + b1
    a1 = sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = sigmoid(z2)
    loss = ((a2 - y) ** 2).sum()
    da2 = 2 * (a2 - y)
    dz2 = da2 * a2 * (1 - a2)
    dW2, db2 = a1.T @ dz2, dz2.sum(axis=0)
    da1 = dz2 @ W2.T
    dz1 = da1 * slope(z1, a1)
    dW1, db1 = x.T @ dz1, dz1.sum(axis=0)
    del slope
    return locals()


def in_columns(weights, x, y, slope=right_slope):
    """z = W x + b: the way of most courses."""
    W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
    z1 = np.dot(W1, x) + b1
    a1 = sigmoid(z1)
    z2 = np.dot(W2, a1) + b2
    a2 = sigmoid(z2)
    loss = np.sum((a2 - y) ** 2)
    da2 = 2 * (a2 - y)
    dz2 = da2 * a2 * (1 - a2)
    dW2 = np.dot(dz2, a1.T)
    db2 = np.sum(dz2, axis=1, keepdims=True)
    da1 = np.dot(W2.T, dz2)
    dz1 = da1 * slope(z1, a1)
    dW1 = np.dot(dz1, x.T)
    db1 = np.sum(dz1, axis=1, keepdims=True)
    del slope
    return locals()


def of_a_sample(weights, x, y, slope=right_slope):
    """One sample at a time, vectors and outer products."""
    a1 = sigmoid(z1 := x @ weights["W1"] + weights["b1"])
    a2 = sigmoid(a1 @ weights["W2"] + weights["b2"])
    dz2 = 2 * (a2 - y) * a2 * (1 - a2)
    dz1 = weights["W2"] @ dz2 * slope(z1, a1)
    assert x.ndim == 1
    return {"dW1": np.outer(x, dz1), "db1": dz1, "dW2": np.outer(a1, dz2), "db2": dz2, "dz1": dz1, "a1": a1}


def backprop(weights, x, y, slope=right_slope):
    """One column at a time, lists of the gradients layer by layer."""
    biases, matrices = [weights["b1"], weights["b2"]], [weights["W1"], weights["W2"]]
    activation, activations, zs = x, [x], []
    for b, w in zip(biases, matrices, strict=True):
        zs.append(np.dot(w, activation) + b)
        activation = sigmoid(zs[-1])
        activations.append(activation)
    assert x.shape == (4, 1)
    nabla_b, nabla_w = [np.zeros(b.shape) for b in biases], [np.zeros(w.shape) for w in matrices]
    delta = 2 * (activations[-1] - y) * right_slope(zs[-1], activations[-1])
    nabla_b[-1], nabla_w[-1] = delta, np.dot(delta, activations[-2].T)
    delta = np.dot(matrices[-1].T, delta) * slope(zs[-2], activations[-2])
    nabla_b[-2], nabla_w[-2] = delta, np.dot(delta, activations[-3].T)
    return nabla_b, nabla_w


def of_labels(weights, x, y):
    """Softmax and cross-entropy of one layer, samples in columns, labels one for each."""
    z1 = np.dot(weights["W1"], x) + weights["b1"]
    p = np.exp(z1 - z1.max(axis=0))
    p /= p.sum(axis=0)
    samples = np.arange(len(y))
    loss = -np.log(p[y, samples]).mean()
    dz1 = p.copy()
    dz1[y, samples] -= 1
    dz1 /= len(y)
    return {"loss": loss, "dz1": dz1, "dW1": np.dot(dz1, x.T), "db1": dz1.sum(axis=1, keepdims=True)}


def of_a_label(weights, x, y):
    """The same, one sample at a time: the loss of the batch is their mean."""
    z1 = x @ weights["W1"] + weights["b1"]
    p = np.exp(z1 - z1.max())
    p /= p.sum()
    loss = -np.log(p[y])
    dz1 = p - (np.arange(len(p)) == y)
    return loss, (np.outer(x, dz1), dz1)
