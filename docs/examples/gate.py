"""A gate, x s(g), with a slip in its backward pass: s² is written for s (1 − s)."""

import numpy as np
import torch


def forward(x, g):
    return x / (1 + np.exp(-g))


def backward(upstream, x, g):
    s = 1 / (1 + np.exp(-g))
    dx = upstream * s
    dg = upstream * x * s * s
    return dx, dg


def reference(x, g):
    return x * torch.sigmoid(g)
