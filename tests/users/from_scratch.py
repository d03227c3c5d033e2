"""Networks from scratch, as people write them: right backward passes in nine manners, to have slips planted in them.

Each returns what its author has at the end. `PROGRAMS` says for which network each is, and to which tensors the lines
that assign a name belong, where that is not the tensor of the same name.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def line_by_line(weights, x, y):
    W1, b1, W2, b2, W3, b3 = (weights[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    z1 = x @ W1 + b1
    a1 = sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = sigmoid(z2)
    z3 = a2 @ W3 + b3
    a3 = sigmoid(z3)
    da3 = 2 * (a3 - y)
    dz3 = da3 * a3 * (1 - a3)
    dW3 = a2.T @ dz3
    db3 = np.sum(dz3, axis=0)
    da2 = dz3 @ W3.T
    dz2 = da2 * a2 * (1 - a2)
    dW2 = a1.T @ dz2
    db2 = np.sum(dz2, axis=0)
    da1 = dz2 @ W2.T
    dz1 = da1 * a1 * (1 - a1)
    dW1 = x.T @ dz1
    db1 = np.sum(dz1, axis=0)
    return locals()


def weights_only(weights, x, y):
    a1 = np.tanh(x @ weights["W1"] + weights["b1"])
    out = a1 @ weights["W2"] + weights["b2"]
    n, k = out.shape
    d_out = 2 * (out - y) / (n * k)
    g_W2 = a1.T.dot(d_out)
    g_b2 = d_out.sum(axis=0)
    d_a1 = d_out.dot(weights["W2"].T)
    d_z1 = d_a1 * (1 - a1**2)
    g_W1 = x.T.dot(d_z1)
    g_b1 = d_z1.sum(axis=0)
    return {"dW1": g_W1, "db1": g_b1, "dW2": g_W2, "db2": g_b2}


def classifier(weights, x, y):
    W1, b1, W2, b2, W3, b3 = (weights[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    z1 = x @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    a2 = np.maximum(z2, 0)
    z3 = a2 @ W3 + b3
    scores = np.exp(z3 - z3.max(axis=1, keepdims=True))
    probs = scores / scores.sum(axis=1, keepdims=True)
    onehot = np.eye(probs.shape[1])[y]
    dz3 = (probs - onehot) / len(x)
    dW3 = a2.T @ dz3
    db3 = dz3.sum(axis=0)
    da2 = dz3 @ W3.T
    dz2 = da2 * (z2 > 0)
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    da1 = dz2 @ W2.T
    dz1 = np.where(z1 > 0, da1, 0)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return {
        "dz3": dz3, "dW3": dW3, "db3": db3, "da2": da2, "dz2": dz2, "dW2": dW2, "db2": db2, "da1": da1, "dz1": dz1,
        "dW1": dW1, "db1": db1,
    }  # fmt: skip


def with_labels(weights, x, y):
    hidden = np.tanh(x @ weights["W1"] + weights["b1"])
    logits = hidden @ weights["W2"] + weights["b2"]
    e = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    grad = e / np.sum(e, axis=1, keepdims=True)
    grad[np.arange(len(y)), y] -= 1
    grad /= len(y)
    dW2 = hidden.T @ grad
    db2 = grad.sum(axis=0)
    dhidden = grad @ weights["W2"].T
    dpre = dhidden * (1 - hidden * hidden)
    dW1 = x.T @ dpre
    db1 = dpre.sum(axis=0)
    return {"dW2": dW2, "db2": db2, "dW1": dW1, "db1": db1}


def yes_or_no(weights, x, y):
    W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
    m = x.shape[0]
    z1 = np.dot(x, W1) + b1
    a1 = 1 / (1 + np.exp(-z1))
    z2 = np.dot(a1, W2) + b2
    a2 = 1 / (1 + np.exp(-z2))
    loss = -np.sum(y * np.log(a2) + (1 - y) * np.log(1 - a2)) / m
    da2 = -(y / a2 - (1 - y) / (1 - a2)) / m
    dz2 = da2 * a2 * (1 - a2)
    dW2 = np.dot(a1.T, dz2)
    db2 = np.sum(dz2, axis=0)
    da1 = np.dot(dz2, W2.T)
    dz1 = da1 * a1 * (1 - a1)
    dW1 = np.dot(x.T, dz1)
    db1 = np.sum(dz1, axis=0)
    return locals()


def sample_by_sample(weights, x, y):
    W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
    dW1, db1, dW2, db2 = (np.zeros_like(weight) for weight in (W1, b1, W2, b2))
    for n in range(len(x)):
        a1 = sigmoid(x[n] @ W1 + b1)
        a2 = sigmoid(a1 @ W2 + b2)
        delta2 = 2 * (a2 - y[n]) * a2 * (1 - a2)
        dW2 += np.outer(a1, delta2)
        db2 += delta2
        delta1 = (W2 @ delta2) * a1 * (1 - a1)
        dW1 += np.outer(x[n], delta1)
        db1 += delta1
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


def block_by_block(weights, x, y):
    W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
    hidden = len(b1)
    a1, a2 = np.zeros((len(x), hidden)), np.zeros(y.shape)
    dz1, dz2 = np.zeros((len(x), hidden)), np.zeros(y.shape)
    for start in range(0, len(x), 4):
        rows = slice(start, start + 4)
        a1[rows] = np.tanh(x[rows] @ W1 + b1)
        a2[rows] = a1[rows] @ W2 + b2
        dz2[rows] = 2 * (a2[rows] - y[rows]) / y.size
        da1 = dz2[rows] @ W2.T
        dz1[rows] = da1 * (1 - a1[rows] ** 2)
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return {"a1": a1, "a2": a2, "dz2": dz2, "dz1": dz1, "dW2": dW2, "db2": db2, "dW1": dW1, "db1": db1}


def layer_by_layer(weights, x, y):
    depth = len(weights) // 2
    activations, pre = [x], []
    for k in range(1, depth + 1):
        z = activations[-1] @ weights[f"W{k}"] + weights[f"b{k}"]
        pre.append(z)
        a = np.where(z > 0, z, 0.01 * z) if k < depth else z
        activations.append(a)
    grads = {}
    da = 2 * (activations[-1] - y) / y.size
    for k in range(depth, 0, -1):
        dz = np.where(pre[k - 1] > 0, da, 0.01 * da) if k < depth else da
        grads[f"dz{k}"] = dz
        grads[f"dW{k}"] = activations[k - 1].T @ dz
        grads[f"db{k}"] = dz.sum(axis=0)
        da = dz @ weights[f"W{k}"].T
        grads[f"da{k - 1}"] = da
    return grads


def weight_by_weight(weights, x, y):
    W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
    z1 = x @ W1 + b1
    s1 = sigmoid(z1)
    a1 = z1 * s1
    z2 = a1 @ W2 + b2
    dz2 = (sigmoid(z2) - y) / y.size
    dW2 = np.zeros(W2.shape)
    for i in range(W2.shape[0]):
        for j in range(W2.shape[1]):
            dW2[i, j] = np.sum(a1[:, i] * dz2[:, j])
    da1 = np.zeros(a1.shape)
    for j in range(W2.shape[1]):
        da1 += np.outer(dz2[:, j], W2[:, j])
    dz1 = da1 * (s1 + z1 * s1 * (1 - s1))
    dW1 = np.zeros(W1.shape)
    for n in range(len(x)):
        dW1 += x[n][:, None] * dz1[n][None, :]
    db1 = dz1.sum(axis=0)
    db2 = dz2.sum(axis=0)
    return {
        "z1": z1, "a1": a1, "z2": z2, "dz2": dz2, "dW2": dW2, "da1": da1, "dz1": dz1, "dW1": dW1, "db1": db1,
        "db2": db2,
    }  # fmt: skip


LAST = ("da3", "dz3")
PROGRAMS = {
    line_by_line: (("4-3-2-1", {}), {}),
    weights_only: (
        ("5-4-3", {"activation": "tanh", "output_activation": "identity", "loss": "mean-squared-error"}),
        {"a1": ("z1", "a1"), "out": ("z2", "a2"), "n": ("da2", "dz2"), "d_out": ("da2", "dz2"), "d_a1": ("da1",),
         "d_z1": ("dz1",), "g_W1": ("dW1",), "g_b1": ("db1",), "g_W2": ("dW2",), "g_b2": ("db2",)},
    ),
    classifier: (
        ("5-4-4-3", {"activation": "relu", "output_activation": "identity", "loss": "cross-entropy"}),
        {"scores": LAST, "probs": LAST, "onehot": LAST, "dz3": LAST, "z3": (*LAST, "z3", "a3"), "a1": ("a1", "z1"),
         "a2": ("a2", "z2")},
    ),
    with_labels: (
        ("4-5-3", {"activation": "tanh", "output_activation": "identity", "loss": "cross-entropy"}),
        {"hidden": ("z1", "a1"), "logits": ("z2", "a2"), "e": ("da2", "dz2"), "grad": ("da2", "dz2"),
         "grad[np.arange(len(y)), y]": ("da2", "dz2"), "dhidden": ("da1",), "dpre": ("dz1",)},
    ),
    yes_or_no: (("4-3-1", {"loss": "binary-cross-entropy"}), {"m": ("loss", "da2", "dz2")}),
    sample_by_sample: (
        ("4-3-2", {}),
        {"a1": ("z1", "a1"), "a2": ("z2", "a2"), "delta2": ("da2", "dz2"), "delta1": ("da1", "dz1")},
    ),
    block_by_block: (
        ("3-4-2", {"activation": "tanh", "output_activation": "identity", "loss": "mean-squared-error"}),
        {"a1[rows]": ("z1", "a1"), "a2[rows]": ("z2", "a2"), "dz2[rows]": ("da2", "dz2"), "dz1[rows]": ("da1", "dz1"),
         "da1": ("da1", "dz1"), "rows": ("a1", "a2", "dz1", "dz2", "z1", "z2", "da1", "da2")},
    ),
    layer_by_layer: (
        ("4-5-4-2", {"activation": "leaky-relu", "output_activation": "identity", "loss": "mean-squared-error"}),
        {"da": ("da1", "da2", "da3", "dz3"), "dz": ("dz1", "dz2", "dz3"), "z": ("z1", "z2", "z3"),
         "a": ("a1", "a2", "a3"), "grads[f'dW{k}']": ("dW1", "dW2", "dW3"), "grads[f'db{k}']": ("db1", "db2", "db3")},
    ),
    weight_by_weight: (
        ("4-3-2", {"activation": "silu", "output_activation": "identity", "loss": "binary-cross-entropy-on-logits"}),
        {"s1": ("a1", "dz1"), "dz2": ("da2", "dz2"), "dW2[i, j]": ("dW2",), "z2": ("z2", "a2", "da2", "dz2")},
    ),
}  # fmt: skip
"""By program: the network, and the tensors that a line belongs to which assigns a name."""
