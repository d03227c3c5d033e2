"""An operation with a backward pass of its own, and a mistake in it."""

import numpy as np


def forward(z):
    return np.tanh(z)


def backward(upstream, z):
    a = np.tanh(z)
    return upstream * (1 - a)
