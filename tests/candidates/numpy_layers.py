"""Operations with their own backward pass, written in NumPy as people write them, with switches for what goes wrong."""

import numpy as np


def layer_norm(x, w, b):
    return normalised(x, 1e-5)[0] * w + b


def normalised(x, eps):
    c = x - x.mean(-1, keepdims=True)
    r = 1 / np.sqrt(np.mean(c * c, -1, keepdims=True) + eps)
    return c * r, r


def layer_norm_backward(upstream, x, w, b, *, eps=1e-5, mean=True, variance=True, offset=0):
    hat, r = normalised(x, eps)
    g = upstream * (w + offset)
    dx = g.copy()
    if mean:
        dx -= g.mean(-1, keepdims=True)
    if variance:
        dx -= hat * (g * hat).mean(-1, keepdims=True)
    return dx * r, (upstream * hat).sum(0), upstream.sum(0)


def rms_norm(x, w):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w


def rms_norm_backward(upstream, x, w):
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    g = upstream * w
    return {"dx": r * (g - x * r * r * (g * x).mean(-1, keepdims=True)), "dw": (upstream * x * r).sum(0)}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(upstream, x):
    a = softmax(x)
    return a * (upstream - (upstream * a).sum(-1, keepdims=True))


def embedding(W, ids):
    return W[ids]


def embedding_backward(upstream, W, ids):
    dW = np.zeros_like(W)
    np.add.at(dW, ids, upstream)
    return dW, None


def embedding_overwriting(upstream, W, ids):
    dW = np.zeros_like(W)
    dW[ids] = upstream
    return dW, None


def dense(x, W, b):
    return x @ W + b


def dense_backward(upstream, x, W, b):
    return upstream @ W.T, x.T @ upstream, upstream.sum(0)


def relu(z):
    return np.maximum(z, 0)


def tanh_backward(upstream, z):
    return upstream * (1 - np.tanh(z) ** 2)


def matmul_backward(upstream, a, b):
    return upstream @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ upstream
