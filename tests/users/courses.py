"""Small networks in the manners of well-known courses, each right, or with one real mistake where it is `wrong`."""

import numpy as np


def sigmoid(x, deriv=False):
    return x * (1 - x) if deriv else 1 / (1 + np.exp(-x))


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW, self.db = self.x.T @ grad, grad.sum(axis=0, keepdims=True)
        return grad @ self.W.T


class Tanh:
    wrong = False

    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, grad):
        return grad * ((1 - self.out) ** 2 if self.wrong else 1 - self.out**2)


def layers(w, x, y, wrong=False):
    """A list of layers with forward and backward; the mean of the squares."""
    network = [Dense(w["W1"], w["b1"]), Tanh(), Dense(w["W2"], w["b2"])]
    network[1].wrong = wrong
    out = x
    for layer in network:
        out = layer.forward(out)
    grad = 2 * (out - y) / out.size
    for layer in reversed(network):
        grad = layer.backward(grad)
    return np.mean((out - y) ** 2), [(layer.dW, layer.db) for layer in network if hasattr(layer, "dW")]


def columns(p, X, Y, wrong=False):
    """Samples in columns, caches by name, dZ of each sample's own loss; the mask is taken from the wrong tensor."""
    m = X.shape[1]
    Z1 = p["W1"] @ X + p["b1"]
    A1 = np.maximum(Z1, 0)
    Z2 = p["W2"] @ A1 + p["b2"]
    A2 = np.exp(Z2 - Z2.max(axis=0))
    A2 = A2 / A2.sum(axis=0)
    cost = -np.sum(Y * np.log(A2)) / m
    dZ2 = A2 - Y
    dA1 = p["W2"].T @ dZ2
    dZ1 = np.array(dA1, copy=True)
    dZ1[(dA1 if wrong else A1) <= 0] = 0
    return {
        "dW1": dZ1 @ X.T / m, "db1": np.sum(dZ1, axis=1, keepdims=True) / m, "cost": cost, "dZ1": dZ1, "dZ2": dZ2,
        "dW2": dZ2 @ A1.T / m, "db2": np.sum(dZ2, axis=1, keepdims=True) / m,
    }  # fmt: skip


def book(w, x, y, wrong=False):
    """One sample at a time, as a column, lists of nablas; sigmoid' of an activation, which is applied twice so."""
    zs, activations = [], [x]
    for W, b in ((w["W1"], w["b1"]), (w["W2"], w["b2"])):
        zs.append(W @ activations[-1] + b)
        activations.append(sigmoid(zs[-1]))

    def prime(z):
        return sigmoid(sigmoid(z), deriv=True)

    delta = (activations[-1] - y) * prime(activations[-1] if wrong else zs[-1])
    before = (w["W2"].T @ delta) * prime(activations[-2] if wrong else zs[-2])
    nabla_b, nabla_w = [before, delta], [before @ activations[0].T, delta @ activations[1].T]
    return nabla_b, nabla_w


def scores(p, X, y, wrong=False, reg=1e-2):
    """Scores, labels, and a penalty with 1/2, which one gradient has twice."""
    N = X.shape[0]
    h = np.maximum(0, X.dot(p["W1"]) + p["b1"])
    s = h.dot(p["W2"]) + p["b2"]
    probs = np.exp(s - s.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    loss = -np.log(probs[range(N), y]).mean() + 0.5 * reg * ((p["W1"] ** 2).sum() + (p["W2"] ** 2).sum())
    d = probs.copy()
    d[range(N), y] -= 1
    d /= N
    dh = d.dot(p["W2"].T)
    dh[h <= 0] = 0
    first = X.T.dot(dh) + (2 if wrong else 1) * reg * p["W1"]
    return loss, {"W1": first, "b1": dh.sum(axis=0), "W2": h.T.dot(d) + reg * p["W2"], "b2": d.sum(axis=0)}


def halves(w, x, y, wrong=False):
    """ELU, and J = sum of squares / 2m; exp z − 1 for the derivative."""
    m = len(x)
    z1 = x @ w["W1"] + w["b1"]
    a1 = np.where(z1 > 0, z1, np.exp(z1) - 1)
    out = a1 @ w["W2"] + w["b2"]
    d = (out - y) / m
    dz1 = d @ w["W2"].T * np.where(z1 > 0, 1, np.exp(z1) - (1 if wrong else 0))
    J = ((out - y) ** 2).sum() / (2 * m)
    return J, {"dW1": x.T @ dz1, "db1": dz1.sum(0), "dW2": a1.T @ d, "db2": d.sum(0)}


def everything(w, x, y, wrong=False):
    """Three layers, leaky relu, locals(); the derivative is taken at another layer."""
    z1 = x @ w["W1"] + w["b1"]
    a1 = np.where(z1 > 0, z1, 0.01 * z1)
    z2 = a1 @ w["W2"] + w["b2"]
    a2 = np.where(z2 > 0, z2, 0.01 * z2)
    z3 = a2 @ w["W3"] + w["b3"]
    a3 = sigmoid(z3)
    da3 = (-(y / a3) + (1 - y) / (1 - a3)) / len(x)
    dz3 = da3 * a3 * (1 - a3)
    dW3, db3 = a2.T @ dz3, dz3.sum(0)
    dz2 = dz3 @ w["W3"].T * np.where(z2 > 0, 1, 0.01)
    dW2, db2 = a1.T @ dz2, dz2.sum(0)
    dz1 = dz2 @ w["W2"].T * np.where((z2 if wrong else z1) > 0, 1, 0.01)
    dW1, db1 = x.T @ dz1, dz1.sum(0)
    return locals()


def named(weights, inputs, targets, wrong=False):
    """Softplus, grad_W1, ...; the number of outputs is forgotten in the mean."""
    z1 = inputs @ weights["W1"] + weights["b1"]
    hidden = np.log1p(np.exp(z1))
    err = hidden @ weights["W2"] + weights["b2"] - targets
    g = 2 * err / (len(err) if wrong else err.size)
    gz = g @ weights["W2"].T / (1 + np.exp(-z1))
    return {
        "grad_W1": inputs.T @ gz, "grad_b1": gz.sum(0), "grad_W2": hidden.T @ g, "grad_b2": g.sum(0),
        "loss": (err**2).mean(),
    }  # fmt: skip


def loop(w, x, y, wrong=False):
    """A loop over the samples inside, sums that are divided at the end; one of them is not."""
    total_loss, g = 0.0, {name: np.zeros_like(v) for name, v in w.items()}
    for xi, yi in zip(x, y, strict=True):
        a1 = np.tanh(w["W1"].T @ xi + w["b1"])
        p = sigmoid(w["W2"].T @ a1 + w["b2"])
        total_loss -= (yi * np.log(p) + (1 - yi) * np.log(1 - p)).item()
        d2 = p - yi
        d1 = w["W2"] @ d2 * (1 - a1**2)
        for name, gradient in (("W2", np.outer(a1, d2)), ("b2", d2), ("W1", np.outer(xi, d1)), ("b1", d1)):
            g[name] += gradient
    divided = {name: v if wrong and name == "b1" else v / len(x) for name, v in g.items()}
    return total_loss / len(x), divided


def total(w, x, y, wrong=False):
    """The sum of the cross-entropies, called error; the slope left of 0 is forgotten."""
    z1 = x @ w["W1"] + w["b1"]
    h = np.maximum(0.01 * z1, z1)
    out = sigmoid(h @ w["W2"] + w["b2"])
    error = float(-(y * np.log(out) + (1 - y) * np.log(1 - out)).sum())
    d = out - y
    dh = d @ w["W2"].T * np.where(z1 > 0, 1, 0 if wrong else 0.01)
    return {"error": error, "W1": x.T @ dh, "b1": dh.sum(0), "W2": h.T @ d, "b2": d.sum(0)}


def no_biases(w, x, y, wrong=False):
    """Eleven lines, without biases and without a learning rate; the derivative of the other layer."""
    l1 = sigmoid(x @ w["W1"])
    l2 = sigmoid(l1 @ w["W2"])
    l2_delta = (y - l2) * sigmoid(l2, deriv=True)
    l1_delta = l2_delta.dot(w["W2"].T) * sigmoid(l2 if wrong else l1, deriv=True)
    w["W2"] += l1.T.dot(l2_delta)
    w["W1"] += x.T.dot(l1_delta)


class Net:
    """An object with a dictionary of weights, whose step returns the loss."""

    lr = 0.1

    def __init__(self, wrong=False):
        self.params, self.wrong = dict.fromkeys(("W1", "b1", "W2", "b2")), wrong

    def train_step(self, X, y):
        p, n = self.params, len(X)
        z1 = X @ p["W1"] + p["b1"]
        z2 = np.maximum(0, z1) @ p["W2"] + p["b2"]
        d = np.exp(z2 - z2.max(1, keepdims=True))
        d /= d.sum(1, keepdims=True)
        loss = -np.log(d[np.arange(n), y]).mean()
        d[np.arange(n), y] -= 1
        dW2, db2 = np.maximum(0, z1).T @ d / n, d.sum(0) / n
        if self.wrong:
            p["W2"] -= self.lr * dW2
        dz1 = d @ p["W2"].T * (z1 > 0) / n
        if not self.wrong:
            p["W2"] -= self.lr * dW2
        p["b2"] -= self.lr * db2
        p["W1"] -= self.lr * X.T @ dz1
        p["b1"] -= self.lr * dz1.sum(0)
        return loss


class Updated(Net):
    """The same, with W2 updated before it is used."""

    def __init__(self):
        super().__init__(wrong=True)


class Velocity:
    """Momentum, from the first step on that of plain descent: what one update tells."""

    def __init__(self, of, lr=0.1, beta=0.9):
        self.of, self.lr, self.beta = of, lr, beta

    def step(self, w, x, y):
        v = dict.fromkeys(w, 0.0)
        _, g = self.of(w, x, y)
        for name in w:
            v[name] = self.beta * v[name] - self.lr * g[name]
            w[name] = w[name] + v[name]
