"""One backward pass in many manners: as it is written with another loss, or another convention, in mind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Sizes = Callable[[int, int], float]


def one(rows: int, outputs: int) -> float:
    return 1.0


def written(
    *,
    output: str = "sigmoid",
    squared: bool = True,
    mean: bool = False,
    factor: Sizes = one,
    moved: Sizes = one,
    fused: bool = False,
    shows: tuple[str, ...] = (),
    mistake: str = "",
):
    """A backward pass of two layers, tanh and then `output`, for squared errors or a cross-entropy.

    Args:
        mean: over all entries of squared errors; a cross-entropy always is one over the samples.
        factor: of the loss, and of all gradients, by the numbers of rows and outputs.
        moved: from the gradients of the weights into those of every sample.
        fused: whether da2 is what others call dz2.
        shows: the tensors that are returned, all if empty.
        mistake: the name of one that is made.
    """

    def backward(weights, x, y):
        W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
        z1 = x @ W1 + b1
        a1 = np.tanh(z1)
        z2 = a1 @ W2 + b2
        n, k = len(x), z2.shape[1]
        if output == "softmax":
            e = np.exp(z2 - z2.max(axis=0 if mistake == "softmax over samples" else 1, keepdims=True))
            a2 = e / e.sum(axis=0 if mistake == "softmax over samples" else 1, keepdims=True)
        else:
            a2 = 1 / (1 + np.exp(-z2))
        t = np.eye(k, dtype=x.dtype)[y] if y.ndim == 1 else y
        c = x.dtype.type(factor(n, k))
        f = x.dtype.type(moved(n, k))
        if squared:
            scale = 1 / (n * k) if mean else 1
            loss = c * ((a2 - t) ** 2).sum() * x.dtype.type(scale)
            da2 = 2 * (a2 - t) * x.dtype.type(scale)
            dz2 = da2 * a2 * (1 - a2)
        elif output == "softmax":
            loss = -c * (t * np.log(a2)).sum() / n
            da2 = -t / a2 / n
            dz2 = (a2 - t) / n
        else:
            loss = -c * (t * np.log(a2) + (1 - t) * np.log(1 - a2)).mean()
            da2 = ((1 - t) / (1 - a2) - t / a2) / (n * k)
            dz2 = (a2 - t) / (n * k)
        if mistake == "factor in the loss only":
            c = x.dtype.type(1)
        if mistake == "factor in the gradients only":
            loss = loss / c
        da2, dz2 = da2 * (c * f), dz2 * (c * f)
        if mistake == "slope forgotten":
            dz2 = da2
        da1 = dz2 @ (W2 if mistake == "not transposed" else W2.T)
        dz1 = da1 * (1 if mistake == "derivative of tanh forgotten" else 1 - a1**2)
        dW2, db2 = a1.T @ dz2 / f, dz2.sum(0) / f
        dW1, db1 = x.T @ dz1 / f, dz1.sum(0) / f
        if mistake == "factor lost in one layer":
            dW2 = dW2 * f
        if mistake == "half in one layer":
            dW1 = dW1 / 2
        if mistake == "bias of the first sample":
            db1 = dz1[0] / f
        if fused:
            da2 = dz2.copy()
        made = {
            "z1": z1, "a1": a1, "z2": z2, "a2": a2, "loss": loss, "da2": da2, "dz2": dz2, "da1": da1, "dz1": dz1,
            "dW2": dW2, "db2": db2, "dW1": dW1, "db1": db1,
        }  # fmt: skip
        return {name: made[name] for name in shows or made}

    return backward


def penalised(
    *,
    l2: float = 0.0,
    l1: float = 0.0,
    half: bool = False,
    mean: bool = False,
    biases: bool = False,
    of=None,
    mistake: str = "",
):
    """A program with a penalty on its weights: in the loss, and in the gradients unless that is the mistake."""
    program = written() if of is None else of

    def backward(weights, x, y):
        found = program(weights, x, y)
        real, n = x.dtype.type, len(x) if mean else 1
        for name, w in weights.items():
            if w.ndim > 1 or biases:
                square = real(l2 / 2 if half else l2)
                if mistake != "penalty in the gradients only":
                    found["loss"] = found["loss"] + (square * (w**2).sum() + real(l1) * np.abs(w).sum()) / n
                if mistake == "penalty in the loss only" or (mistake == "penalty of one layer" and name == "W2"):
                    continue
                slope = square * w if mistake == "factor 2 forgotten" else 2 * square * w
                found[f"d{name}"] = found[f"d{name}"] + (slope + real(l1) * np.sign(w)) / n
        return found

    return backward
