"""Programs in the manners of well-known courses, as they stood before anyone thought of checking them."""

from itertools import pairwise

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Course:
    """Samples in columns, caches, 1/m in dW and db; `slip` multiplies db1, or leaves out the relu's derivative."""

    def __init__(self, parameters):
        self.parameters = parameters

    def forward(self, X):
        Z1 = self.parameters["W1"] @ X + self.parameters["b1"]
        A1 = np.maximum(0, Z1)
        return sigmoid(self.parameters["W2"] @ A1 + self.parameters["b2"]), (X, Z1, A1)

    def backward(self, AL, Y, caches, slip=None):
        X, Z1, A1 = caches
        m = Y.shape[1]
        dZ2 = AL - Y
        grads = {"dA1": self.parameters["W2"].T @ dZ2, "dW2": dZ2 @ A1.T / m}
        grads["db2"] = dZ2.sum(axis=1, keepdims=True) / m
        dZ1 = grads["dA1"] * (1 if slip == "no mask" else Z1 > 0)
        grads |= {"dW1": dZ1 @ X.T / m, "db1": dZ1.sum(axis=1, keepdims=True) / (1 if slip == "1/m lost" else m)}
        return grads


def course(slip=None, loss=True):
    def gradients(weights, x, y):
        net = Course(weights)
        AL, caches = net.forward(x)
        cost = -np.sum(y * np.log(AL) + (1 - y) * np.log(1 - AL)) / y.shape[1]
        return net.backward(AL, y, caches, slip) | ({"loss": cost} if loss else {})

    return gradients


class Book:
    """Lists of weights and biases, one sample at a time, mini-batches."""

    def __init__(self, sizes):
        self.biases = [np.zeros((n, 1)) for n in sizes[1:]]
        self.weights = [np.zeros((n, m)) for m, n in pairwise(sizes)]

    def update_mini_batch(self, batch, eta):
        nabla = [self.backprop(x, y) for x, y in batch]
        for k in range(len(self.weights)):
            self.biases[k] = self.biases[k] - eta / len(batch) * sum(nabla_b[k] for nabla_b, _ in nabla)
            self.weights[k] = self.weights[k] - eta / len(batch) * sum(nabla_w[k] for _, nabla_w in nabla)

    def backprop(self, x, y):
        activations = [x]
        for w, b in zip(self.weights, self.biases, strict=True):
            activations.append(sigmoid(w @ activations[-1] + b))
        delta = (activations[-1] - y) * activations[-1] * (1 - activations[-1])
        nabla_b, nabla_w = [delta], [delta @ activations[-2].T]
        for k in range(2, len(activations)):
            delta = self.weights[1 - k].T @ delta * activations[-k] * (1 - activations[-k])
            nabla_b, nabla_w = [delta, *nabla_b], [delta @ activations[-k - 1].T, *nabla_w]
        return nabla_b, nabla_w


def mini_batch(weights, x, y):
    net = Book([4, 5, 3])
    net.weights, net.biases = [weights["W1"], weights["W2"]], [weights["b1"], weights["b2"]]
    net.update_mini_batch([(x[:, [i]], y[:, [i]]) for i in range(x.shape[1])], 0.1)
    return {"W1": net.weights[0], "W2": net.weights[1], "b1": net.biases[0], "b2": net.biases[1]}


def online(weights, x, y, lr, slip=None):
    """One row at a time, += and the error the other way round."""
    hidden = sigmoid(x @ weights["W1"] + weights["b1"])
    output = sigmoid(hidden @ weights["W2"] + weights["b2"])
    d_output = (y - output) * output * (1 - output)
    if slip == "order":
        weights["W2"] += lr * np.outer(hidden, d_output)
    d_hidden = weights["W2"] @ d_output * hidden * (1 - hidden) * (2 if slip == "doubled" else 1)
    if slip != "order":
        weights["W2"] += lr * np.outer(hidden, d_output)
    weights["b2"] += lr * d_output
    weights["W1"] += lr * np.outer(x, d_hidden)
    weights["b1"] += lr * d_hidden


class Scores:
    """Softmax, labels and a penalty; keeps its weights in a dictionary, and takes inputs and labels."""

    def __init__(self, params):
        self.params = params

    def loss(self, X, y, reg=0.0, slip=None):
        hidden = np.maximum(0, X @ self.params["W1"] + self.params["b1"])
        scores = hidden @ self.params["W2"] + self.params["b2"]
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        data = -np.log(p[np.arange(len(X)), y]).mean()
        p[np.arange(len(X)), y] -= 1
        p /= len(X)
        dhidden = p @ self.params["W2"].T * (1 if slip == "no mask" else hidden > 0)
        grads = {"W2": hidden.T @ p, "b2": p.sum(axis=0), "W1": X.T @ dhidden, "b1": dhidden.sum(axis=0)}
        for name in ("W1",) if slip == "no decay of W2" else () if slip == "no decay" else ("W1", "W2"):
            grads[name] += 2 * reg * self.params[name]
        return data + reg * sum((self.params[name] ** 2).sum() for name in ("W1", "W2")), grads


def scores(slip=None):
    return lambda weights, x, y: Scores(weights).loss(x, y, 0.05, slip)


def in_torch(weights, x, y):
    return {"dW1": x.mm(weights["W1"])}
