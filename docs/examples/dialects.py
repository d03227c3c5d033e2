"""One hidden layer as five kinds of course write it: all of them right, none as the others."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def columns(parameters, X, Y):
    """Samples in columns; dZ of each sample's own loss, and 1/m in dW and db."""
    W1, b1, W2, b2 = (parameters[name] for name in ("W1", "b1", "W2", "b2"))
    m = X.shape[1]
    A1 = np.tanh(W1 @ X + b1)
    A2 = sigmoid(W2 @ A1 + b2)
    cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
    dZ2 = A2 - Y
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    grads = {"dW2": dZ2 @ A1.T / m, "db2": dZ2.sum(axis=1, keepdims=True) / m}
    grads |= {"dW1": dZ1 @ X.T / m, "db1": dZ1.sum(axis=1, keepdims=True) / m}
    return {"loss": cost, "dZ2": dZ2, "dZ1": dZ1, **grads}


def backprop(weights, x, y):
    """One sample at a time, as a column; half of the square; lists of gradients."""
    a1 = sigmoid(weights["W1"] @ x + weights["b1"])
    a2 = sigmoid(weights["W2"] @ a1 + weights["b2"])
    delta2 = (a2 - y) * a2 * (1 - a2)
    delta1 = weights["W2"].T @ delta2 * a1 * (1 - a1)
    return {"loss": ((a2 - y) ** 2).sum() / 2, "W": [delta1 @ x.T, delta2 @ a1.T], "b": [delta1, delta2]}


def scores(weights, X, y, reg=0.05):
    """Softmax and labels, the gradient of both in one step; a penalty; the loss, and gradients named as the weights."""
    hidden = np.maximum(0, X @ weights["W1"] + weights["b1"])
    z = hidden @ weights["W2"] + weights["b2"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(X))
    loss = -np.log(p[rows, y]).mean() + reg * sum((weights[name] ** 2).sum() for name in ("W1", "W2"))
    dscores = p.copy()
    dscores[rows, y] -= 1
    dscores /= len(X)
    dhidden = dscores @ weights["W2"].T * (hidden > 0)
    grads = {"W2": hidden.T @ dscores + 2 * reg * weights["W2"], "b2": dscores.sum(axis=0)}
    grads |= {"W1": X.T @ dhidden + 2 * reg * weights["W1"], "b1": dhidden.sum(axis=0)}
    return {"loss": loss, "a2": p, "grads": grads}


def online(weights, x, y, lr=0.1):
    """One row at a time, which updates the weights with += and returns nothing."""
    hidden = sigmoid(x @ weights["W1"] + weights["b1"])
    output = sigmoid(hidden @ weights["W2"] + weights["b2"])
    d_output = (y - output) * output * (1 - output)
    d_hidden = weights["W2"] @ d_output * hidden * (1 - hidden)
    weights["W2"] += lr * np.outer(hidden, d_output)
    weights["b2"] += lr * d_output
    weights["W1"] += lr * np.outer(x, d_hidden)
    weights["b1"] += lr * d_hidden


def in_torch(weights, x, y):
    """Methods of torch's tensors; a tuple of the gradients in the order of the weights."""
    w1, b1, w2, b2 = weights.values()
    h = x.mm(w1) + b1
    h_relu = h.clamp(min=0)
    y_pred = h_relu.mm(w2) + b2
    grad_y_pred = 2.0 * (y_pred - y)
    grad_h = grad_y_pred.mm(w2.t())
    grad_h[h < 0] = 0
    return x.t().mm(grad_h), grad_h.sum(0), h_relu.t().mm(grad_y_pred), grad_y_pred.sum(0)
