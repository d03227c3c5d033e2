"""Right backward passes of 4-3-2-1, as golden cases check them."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def backward(w, x, y):
    z1 = x @ w["W1"] + w["b1"]
    a1 = sigmoid(z1)
    z2 = a1 @ w["W2"] + w["b2"]
    a2 = sigmoid(z2)
    z3 = a2 @ w["W3"] + w["b3"]
    a3 = sigmoid(z3)
    loss = ((a3 - y) ** 2).sum()
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


def weights_only(w, x, y):
    found = backward(w, x, y)
    return {name: found[name] for name in ("dW1", "db1", "dW2", "db2", "dW3", "db3")}


def in_torch(w, x, y):
    import torch

    leaves = {name: array.clone().requires_grad_() for name, array in w.items()}
    a = x
    for number in (1, 2, 3):
        a = torch.sigmoid(a @ leaves[f"W{number}"] + leaves[f"b{number}"])
    loss = ((a - y) ** 2).sum()
    loss.backward()
    return {"loss": loss} | {f"d{name}": leaf.grad for name, leaf in leaves.items()}


def in_jax(w, x, y):
    import jax

    def loss_of(w):
        a = x
        for number in (1, 2, 3):
            a = jax.nn.sigmoid(a @ w[f"W{number}"] + w[f"b{number}"])
        return ((a - y) ** 2).sum()

    loss, gradients = jax.value_and_grad(loss_of)(w)
    return {"loss": loss} | {f"d{name}": gradient for name, gradient in gradients.items()}
