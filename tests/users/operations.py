"""Operations with backward passes of their own, right and wrong, as a user's file holds them."""

import time

import numpy as np

from impls.hand import Tanh


def forward(z):
    return np.tanh(z)


def backward(upstream, z):
    return upstream * (1 - np.tanh(z) ** 2)


def unsquared(upstream, z):
    a = np.tanh(z)
    dz = upstream * (1 - a)  # and not 1 - a^2
    return {"dz": dz}


def never(upstream, z):
    time.sleep(60)


def leaves(upstream, z):
    raise SystemExit(0)


def product(x, W):
    return x @ W


def product_backward(upstream, x, W):
    return upstream @ W.T, x.T @ upstream


def naive(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def naive_backward(upstream, z):
    a = naive(z)
    return a * (upstream - (upstream * a).sum(axis=-1, keepdims=True))


reference = Tanh()
