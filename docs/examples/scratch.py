"""A network with one hidden layer, trained as a newcomer writes it, with one mistake in it."""

import numpy as np

LEARNING_RATE = 0.01


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Net:
    def __init__(self, inputs=4, hidden=5, seed=1):
        rng = np.random.default_rng(seed)
        self.W1, self.b1 = rng.normal(size=(inputs, hidden)), np.zeros(hidden)
        self.W2, self.b2 = rng.normal(size=(hidden, 1)), np.zeros(1)

    def train_step(self, X, y):
        hidden = sigmoid(X @ self.W1 + self.b1)
        output = sigmoid(hidden @ self.W2 + self.b2)
        delta = 2 * (output - y) * output * (1 - output)
        self.W2 -= LEARNING_RATE * hidden.T @ delta
        self.b2 -= LEARNING_RATE * delta.sum(axis=0)
        delta = delta @ self.W2.T * hidden * (1 - hidden)
        self.W1 -= LEARNING_RATE * X.T @ delta
        self.b1 -= LEARNING_RATE * delta.sum(axis=0)


class Corrected(Net):
    def train_step(self, X, y):
        hidden = sigmoid(X @ self.W1 + self.b1)
        output = sigmoid(hidden @ self.W2 + self.b2)
        delta2 = 2 * (output - y) * output * (1 - output)
        delta1 = delta2 @ self.W2.T * hidden * (1 - hidden)
        self.W2 -= LEARNING_RATE * hidden.T @ delta2
        self.b2 -= LEARNING_RATE * delta2.sum(axis=0)
        self.W1 -= LEARNING_RATE * X.T @ delta1
        self.b1 -= LEARNING_RATE * delta1.sum(axis=0)


if __name__ == "__main__":
    X = np.random.default_rng(0).normal(size=(100, 4))
    y = (X.sum(axis=1, keepdims=True) > 0).astype(float)
    net = Net()
    for _ in range(1000):
        net.train_step(X, y)
