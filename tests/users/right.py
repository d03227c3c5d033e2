"""Correct backward passes of 4-3-2-1 with sigmoids and the sum of squared errors, written in several ways."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(weights, x, y):
    W1, b1, W2, b2, W3, b3 = (weights[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
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
    dz2 = da2 * a2 * (1 - a2)
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    da1 = dz2 @ W2.T
    dz1 = da1 * a1 * (1 - a1)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return locals()


def loops(weights, x, y):
    """Neuron by neuron and sample by sample, in plain Python numbers."""
    w = {name: array.astype(float).tolist() for name, array in weights.items()}
    gradients = {f"d{name}": np.zeros(array.shape) for name, array in weights.items()}
    for row, target in zip(x.astype(float).tolist(), y.astype(float).tolist(), strict=True):
        layers = [row]
        for number in (1, 2, 3):
            below, W, b = layers[-1], w[f"W{number}"], w[f"b{number}"]
            z = [b[j] + sum(below[i] * W[i][j] for i in range(len(below))) for j in range(len(b))]
            layers.append([1 / (1 + np.exp(-each)) for each in z])
        da = [2 * (a - t) for a, t in zip(layers[3], target, strict=True)]
        for number in (3, 2, 1):
            dz = [d * a * (1 - a) for d, a in zip(da, layers[number], strict=True)]
            for j, d in enumerate(dz):
                gradients[f"db{number}"][j] += d
                for i, a in enumerate(layers[number - 1]):
                    gradients[f"dW{number}"][i, j] += a * d
            da = [sum(d * w for d, w in zip(dz, W, strict=True)) for W in w[f"W{number}"]]
    return {name: array.astype(x.dtype) for name, array in gradients.items()}


def einsum_from_z(weights, x, y):
    """Sums by einsum over reversed rows; the sigmoid's derivative taken at z, in its other form."""
    a, z, grads = {0: x[::-1]}, {}, {}
    for number in (1, 2, 3):
        z[number] = np.einsum("ni,ij->nj", a[number - 1], weights[f"W{number}"]) + weights[f"b{number}"]
        a[number] = sigmoid(z[number])
    da = 2 * a[3] - 2 * y[::-1]
    for number in (3, 2, 1):
        e = np.exp(-np.abs(z[number]))
        dz = da * (e / (1 + e) ** 2)
        grads[f"dW{number}"] = np.einsum("ni,nj->ij", a[number - 1], dz)
        grads[f"db{number}"] = np.einsum("nj->j", dz)
        grads[f"dz{number}"] = dz[::-1]
        da = np.einsum("nj,ij->ni", dz, weights[f"W{number}"])
    return grads


def wide_sums(weights, x, y):
    """Sums of float32 numbers in float64, rounded once."""
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    kept = backward(wide, x.astype(np.float64), y.astype(np.float64))
    return {f"d{name}": kept[f"d{name}"].astype(x.dtype) for name in weights}


def in_torch(weights, x, y):
    import torch

    leaves = {name: w.clone().requires_grad_() for name, w in weights.items()}
    a = x
    for number in (1, 2, 3):
        a = torch.sigmoid(a @ leaves[f"W{number}"] + leaves[f"b{number}"])
    loss = ((a - y) ** 2).sum()
    loss.backward()
    return {"loss": loss} | {f"d{name}": w.grad for name, w in leaves.items()}


def in_jax(weights, x, y):
    import jax

    def loss_of(weights):
        a = x
        for number in (1, 2, 3):
            a = jax.nn.sigmoid(a @ weights[f"W{number}"] + weights[f"b{number}"])
        return ((a - y) ** 2).sum()

    loss, gradients = jax.jit(jax.value_and_grad(loss_of))(weights)
    return {"loss": loss} | {f"d{name}": g for name, g in gradients.items()}


def in_place(weights, x, y):
    """Each gradient of an activation is overwritten by the one of its pre-activation."""
    W1, b1, W2, b2, W3, b3 = (weights[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    a1 = sigmoid(x @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    a3 = sigmoid(a2 @ W3 + b3)
    da3 = 2 * (a3 - y)
    dz3 = da3
    dz3 *= a3 * (1 - a3)
    dW3, db3, da2 = a2.T @ dz3, dz3.sum(axis=0), dz3 @ W3.T
    dz2 = da2
    dz2 *= a2 * (1 - a2)
    dW2, db2, da1 = a1.T @ dz2, dz2.sum(axis=0), dz2 @ W2.T
    dz1 = da1
    dz1 *= a1 * (1 - a1)
    dW1, db1 = x.T @ dz1, dz1.sum(axis=0)
    return locals()
