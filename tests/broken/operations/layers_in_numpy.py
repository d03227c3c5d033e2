"""Wrong backward passes of layers and losses in NumPy: products, lookups, attention, cross-entropies, windows."""

import math

import numpy as np
import torch
from torch.nn import functional

from harness import Indices
from impls.hand import Dense
from tests.broken.operations import wrong
from tests.broken.operations.in_numpy import softmax

QKV = {"q": ("N", "D"), "k": ("T", "D"), "v": ("T", "K")}
LOGITS = {"a": ("N", "K"), "y": Indices(("N",), below="K")}
DENSE = {"x": ("N", "D"), "W": ("D", "D"), "b": ("D",)}


@wrong(lambda x, W, b: x @ W + b, lambda x, W, b: x @ W + b, DENSE, "W is (not )?transposed")
def dense_untransposed(u, x, W, b):
    return u @ W, x.T @ u, u.sum(0)  # slip


@wrong(lambda x, W, b: x @ W + b, Dense(4, 3), None, "a mean for a sum")
def dense_mean_bias(u, x, W, b):
    dx = u @ W.T
    dW = x.T @ u
    db = u.mean(axis=0)  # slip
    return {"dx": dx, "dW": dW, "db": db}


@wrong(lambda x, W, b: x @ W + b, Dense(4, 3), None, "sample|row")
def dense_without_last_row(u, x, W, b):
    dW, db = np.zeros_like(W), np.zeros_like(b)
    for n in range(len(x) - 1):  # slip
        dW += np.outer(x[n], u[n])
        db += u[n]
    return u @ W.T, dW, db


@wrong(lambda x, W: x @ W, torch.matmul, {"x": ("B", "N", "M"), "W": ("M", "K")}, "not summed")
def matmul_not_summed_over_batch(u, x, W):
    return u @ W.T, x.swapaxes(-1, -2) @ u  # slip


@wrong(lambda x, c: x * c, lambda x, c: x * c, {"x": ("N", "M"), "c": (1, "M")}, "x is left out")
def broadcast_factor_misses_x(u, x, c):
    return u * c, u.sum(0, keepdims=True)  # slip


IDS = {"W": ("V", "D"), "ids": Indices(("N",), below="V")}


@wrong(lambda W, ids: W[ids], lambda W, ids: functional.embedding(ids, W), IDS, "keeps only the last")
def embedding_overwrites(u, W, ids):
    dW = np.zeros_like(W)
    dW[ids] = u  # slip
    return dW, None


@wrong(lambda W, ids: W[ids], lambda W, ids: functional.embedding(ids, W, padding_idx=0), IDS, "option left out")
def embedding_padding_ignored(u, W, ids):
    dW = np.zeros_like(W)
    np.add.at(dW, ids, u)  # slip
    return dW, None


def attention(q, k, v):
    return softmax(q @ k.T / np.sqrt(q.shape[-1])) @ v


def torch_attention(q, k, v):
    return torch.softmax(q @ k.T / math.sqrt(q.shape[-1]), -1) @ v


@wrong(attention, torch_attention, QKV, "√\\(the size of axis 1 of q\\)")
def attention_scale_missing(u, q, k, v):
    p = softmax(q @ k.T / np.sqrt(q.shape[-1]))
    dp = u @ v.T
    ds = p * (dp - (dp * p).sum(-1, keepdims=True))  # slip
    return ds @ k, ds.T @ q, p.T @ u


@wrong(attention, torch_attention, QKV)
def attention_softmax_term(u, q, k, v):
    scale = np.sqrt(q.shape[-1])
    p = softmax(q @ k.T / scale)
    dp = u @ v.T
    ds = p * (dp - dp.sum(-1, keepdims=True)) / scale  # slip
    return ds @ k, ds.T @ q, p.T @ u


@wrong(attention, torch_attention, QKV)
def attention_scores_for_probabilities(u, q, k, v):
    scale = np.sqrt(q.shape[-1])
    s = q @ k.T / scale
    p = softmax(s)
    dp = u @ v.T
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / scale
    return ds @ k, ds.T @ q, s.T @ u  # slip


def causal(q, k, v):
    s = q @ k.T / np.sqrt(q.shape[-1])
    return softmax(np.where(np.tri(len(q), dtype=bool), s, -np.inf)) @ v


@wrong(causal, lambda q, k, v: functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0],
       {"q": ("N", "D"), "k": ("N", "D"), "v": ("N", "K")}, "option left out")  # fmt: skip
def causal_mask_ignored(u, q, k, v):
    scale = np.sqrt(q.shape[-1])
    p = softmax(q @ k.T / scale)  # slip
    dp = u @ v.T
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / scale
    return ds @ k, ds.T @ q, p.T @ u


def nll(a, y):
    return -np.log(softmax(a)[np.arange(len(y)), y]).mean()


@wrong(nll, functional.cross_entropy, LOGITS, "N|sum for a mean|axis 0")
def cross_entropy_not_averaged(u, a, y):
    da = softmax(a)
    da[np.arange(len(y)), y] -= 1  # slip
    return u * da, None


@wrong(lambda a, y: np.where(y == 0, 0, -np.log(softmax(a)[np.arange(len(y)), y])).sum(),
       lambda a, y: functional.cross_entropy(a, y, ignore_index=0, reduction="sum"), LOGITS,
       "option left out")  # fmt: skip
def cross_entropy_ignores_the_option(u, a, y):
    da = softmax(a)  # slip
    da[np.arange(len(y)), y] -= 1
    return u * da, None


@wrong(lambda a, y: 0.9 * nll(a, y) - 0.1 * np.log(softmax(a)).mean(),
       lambda a, y: functional.cross_entropy(a, y, label_smoothing=0.1), LOGITS, "option left out")  # fmt: skip
def label_smoothing_ignored(u, a, y):
    target = np.eye(a.shape[1])[y]  # slip
    return u * (softmax(a) - target) / len(a), None


PAIR = {"a": ("N", "K"), "y": ("N", "K")}


@wrong(lambda a, y: ((a - y) ** 2).mean(), functional.mse_loss, PAIR, "1/2")
def mse_without_two(u, a, y):
    d = u * (a - y) / a.size  # slip
    return d, -d


@wrong(lambda a, y: np.where(abs(a - y) < 1, 0.5 * (a - y) ** 2, abs(a - y) - 0.5).mean(), functional.huber_loss, PAIR)
def huber_region(u, a, y):
    e = a - y
    d = u * np.where(e < 1, e, np.sign(e)) / e.size  # slip
    return d, -d


def conv1d(x, w):
    return np.stack([(x[:, i : i + len(w)] * w).sum(1) for i in range(x.shape[1] - len(w) + 1)], 1)


def torch_conv1d(x, w):
    return functional.conv1d(x[:, None], w[None, None])[:, 0]


@wrong(conv1d, torch_conv1d, {"x": ("N", 9), "w": (4,)})
def conv_kernel_not_flipped(u, x, w):
    k, dx, dw = len(w), np.zeros_like(x), np.zeros_like(w)
    for i in range(u.shape[1]):
        dx[:, i : i + k] += u[:, i : i + 1] * w[::-1]  # slip
        dw += (u[:, i : i + 1] * x[:, i : i + k]).sum(0)
    return dx, dw


@wrong(conv1d, torch_conv1d, {"x": ("N", 9), "w": (4,)})
def conv_last_window_forgotten(u, x, w):
    k, dx, dw = len(w), np.zeros_like(x), np.zeros_like(w)
    for i in range(u.shape[1] - 1):  # slip
        dx[:, i : i + k] += u[:, i : i + 1] * w
        dw += (u[:, i : i + 1] * x[:, i : i + k]).sum(0)
    return dx, dw


@wrong(
    lambda x: x.reshape(len(x), -1, 2).max(2), lambda x: functional.max_pool1d(x[:, None], 2)[:, 0], {"x": ("N", 8)}, ""
)
def max_pool_to_the_first(u, x):
    dx = np.zeros_like(x)
    dx[:, ::2] = u  # slip
    return dx


@wrong(
    lambda x: x.reshape(len(x), -1, 2).mean(2),
    lambda x: functional.avg_pool1d(x[:, None], 2)[:, 0],
    {"x": ("N", 8)},
    "times 2",
)
def avg_pool_not_divided(u, x):
    return np.repeat(u, 2, axis=1)  # slip
