"""Backward passes of two layers for cross-entropies and squares with a factor, a guard and a penalty at once."""

from __future__ import annotations

import numpy as np

WEIGHTS = ("loss", "dW1", "db1", "dW2", "db2")
MISTAKES = {
    "derivative of tanh forgotten": "dz1",
    "half in one layer": "dW1",
    "bias of the first sample": "db1",
    "not transposed": "da1",
    "factor in the loss only": "",
    "factor in the gradients only": "",
    "guard in the loss only": "",
    "guard in the gradients only": "",
    "another guard in the gradients": "",
    "penalty in the loss only": "",
    "penalty in the gradients only": "",
    "penalty of one layer": "",
    "factor 2 forgotten": "",
    "biases in the loss only": "",
    "factor in one layer only": "",
}
"""What can be mistaken, and the first wrong tensor where it is always the same."""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def another(kind, *, factor=1.0, epsilon=0.0, clip=0.0, l2=0.0, l1=0.0, mean=False, biases=False, shows=(), mistake=""):
    """A program for ``kind`` = squares, binary, binary on logits, classes, classes on logits."""

    def guarded(p, side):
        without = mistake == f"guard in the {'gradients' if side == 'loss' else 'loss'} only"
        e = 0.0 if without else epsilon
        c = 0.0 if without else clip
        if mistake == "another guard in the gradients" and side != "loss":
            e, c = 2 * e, 2 * c
        q = np.clip(p, c, 1 - c) if c else p
        slope = ((p > c) & (p < 1 - c)) if c else 1.0
        return q + e, 1 - q + e, slope

    def backward(weights, x, y):
        W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
        z1 = x @ W1 + b1
        a1 = np.tanh(z1)
        z2 = a1 @ W2 + b2
        n = len(x)
        if kind == "squares":
            a2 = sigmoid(z2)
            loss, da2 = ((a2 - y) ** 2).sum(), 2 * (a2 - y)
            dz2 = da2 * a2 * (1 - a2)
        elif kind.startswith("binary"):
            p = a2 = sigmoid(z2)
            yes, no, _ = guarded(p, "loss")
            loss = -(y * np.log(yes) + (1 - y) * np.log(no)).mean()
            yes, no, slope = guarded(p, "gradients")
            da2 = ((1 - y) / no - y / yes) / p.size * slope
            dz2 = da2 * p * (1 - p)
        else:
            p = a2 = softmax(z2)
            t = np.eye(p.shape[1])[y]
            loss = -(t * np.log(guarded(p, "loss")[0])).sum() / n
            q, _, slope = guarded(p, "gradients")
            da2 = -t / q / n * slope
            dz2 = p * (da2 - (da2 * p).sum(axis=1, keepdims=True))
        c, g = factor, factor
        if mistake == "factor in the loss only":
            g = 1.0
        if mistake == "factor in the gradients only":
            c = 1.0
        loss, da2, dz2 = c * loss, g * da2, g * dz2
        da1 = dz2 @ (W2 if mistake == "not transposed" else W2.T)
        dz1 = da1 if mistake == "derivative of tanh forgotten" else da1 * (1 - a1**2)
        made = {
            "z1": z1, "a1": a1, "z2": z2, "a2": a2, "da2": da2, "dz2": dz2, "dW2": a1.T @ dz2, "db2": dz2.sum(0),
            "da1": da1, "dz1": dz1, "dW1": x.T @ dz1, "db1": dz1.sum(0),
        }  # fmt: skip
        if mistake == "half in one layer":
            made["dW1"] = made["dW1"] / 2
        if mistake == "bias of the first sample":
            made["db1"] = dz1[0]
        if mistake == "factor in one layer only":
            made["dW1"], made["db1"] = made["dW1"] / factor, made["db1"] / factor
        for name, w in weights.items():
            many = n if mean else 1
            if w.ndim > 1 or biases or mistake == "biases in the loss only":
                if mistake != "penalty in the gradients only":
                    loss = loss + (l2 * (w**2).sum() + l1 * np.abs(w).sum()) / many
                left_out = mistake == "penalty in the loss only" or (mistake == "penalty of one layer" and name == "W2")
                if not left_out and (w.ndim > 1 or biases):
                    twice = 1 if mistake == "factor 2 forgotten" else 2
                    made[f"d{name}"] = made[f"d{name}"] + (twice * l2 * w + l1 * np.sign(w)) / many
        made["loss"] = np.float64(loss)
        if kind.endswith("on logits"):
            del made["a2"], made["da2"]
        return {name: made[name] for name in shows or made}

    return backward
