"""Textbook forms: a softmax that overflows far out, and rounding whose gradient is to be that of the identity."""

import numpy as np


def forward(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def backward(upstream, z):
    a = forward(z)
    return a * (upstream - (upstream * a).sum(axis=-1, keepdims=True))


def rounded(z):
    return np.round(z)


def straight_through(upstream, z):
    return upstream * np.ones_like(z)
