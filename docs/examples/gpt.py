"""A GPT's backward pass as its author would write it in NumPy, knowing nothing of the harness; and with one mistake.

For ``gpt:layers=1,heads=2``. `backward("mean")` is the pass in which LayerNorm's mean term is missing, and so on.
"""

from functools import partial

import numpy as np

HEADS = 2


def ln(x, g, b):
    r = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    n = (x - x.mean(-1, keepdims=True)) * r
    return g * n + b, (n, r, g)


def ln_back(mistake, d, kept):
    n, r, g = kept
    t = d if mistake == "gain" else d * g
    mean = 0 if mistake == "mean" else t.mean(-1, keepdims=True)
    return r * (t - mean - n * (t * n).mean(-1, keepdims=True)), (d * n).sum((0, 1)), d.sum((0, 1))


def linear_back(d, x, W):
    return d @ W.T, x.reshape(-1, x.shape[-1]).T @ d.reshape(-1, d.shape[-1]), d.sum((0, 1))


def heads(x):
    N, T, C = x.shape
    return x.reshape(N, T, HEADS, C // HEADS).transpose(0, 2, 1, 3)


def merged(x):
    N, H, T, D = x.shape
    return x.transpose(0, 2, 1, 3).reshape(N, T, H * D)


def gelu(z):
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def gelu_back(d, z):
    t = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    return d * (0.5 * (1 + t) + 0.5 * z * (1 - t**2) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2))


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def backward(mistake=None):
    """The whole pass, right or with a mistake."""
    return partial(_backward, mistake)


def without_mean(w, i, y):
    """LayerNorm's mean term forgotten."""
    return _backward("mean", w, i, y)


def _backward(mistake, w, i, y):
    (N, T), C = i.shape, w["wte.W"].shape[1]
    D = C // HEADS
    x = w["wte.W"][i] + w["wpe.W"][:T]
    h1, kept1 = ln(x, w["h0.ln1.g"], w["h0.ln1.b"])
    qkv = h1 @ w["h0.attn.qkv.W"] + w["h0.attn.qkv.b"]
    q, k, v = (heads(qkv[..., j * C : (j + 1) * C]) for j in range(3))
    s = q @ k.swapaxes(-1, -2) / np.sqrt(D)
    a = softmax(np.where(np.tri(T, dtype=bool), s, -np.inf))
    o = merged(a @ v)
    x1 = x + o @ w["h0.attn.proj.W"] + w["h0.attn.proj.b"]
    h2, kept2 = ln(x1, w["h0.ln2.g"], w["h0.ln2.b"])
    z = h2 @ w["h0.mlp.fc.W"] + w["h0.mlp.fc.b"]
    m = gelu(z)
    x2 = x1 + m @ w["h0.mlp.proj.W"] + w["h0.mlp.proj.b"]
    hf, kept = ln(x2, w["ln.g"], w["ln.b"])
    p = softmax(hf @ w["wte.W"].T)
    at = np.arange(N)[:, None], np.arange(T)[None], y
    g = {"loss": -np.log(p[at]).mean()}

    d = p.copy()
    d[at] -= 1
    d /= N * T
    dwte = d.reshape(N * T, -1).T @ hf.reshape(N * T, C)
    d, g["ln.dg"], g["ln.db"] = ln_back(mistake, d @ w["wte.W"], kept)
    dm, g["h0.mlp.proj.dW"], g["h0.mlp.proj.db"] = linear_back(d, m, w["h0.mlp.proj.W"])
    dh, g["h0.mlp.fc.dW"], g["h0.mlp.fc.db"] = linear_back(gelu_back(dm, z), h2, w["h0.mlp.fc.W"])
    dx, g["h0.ln2.dg"], g["h0.ln2.db"] = ln_back(mistake, dh, kept2)
    d = dx if mistake == "residual" else d + dx
    do, g["h0.attn.proj.dW"], g["h0.attn.proj.db"] = linear_back(d, o, w["h0.attn.proj.W"])
    do = heads(do)
    da, dv = do @ v.swapaxes(-1, -2), a.swapaxes(-1, -2) @ do
    seen = softmax(s) if mistake == "mask" else a
    ds = seen * (da if mistake == "softmax" else da - (da * seen).sum(-1, keepdims=True))
    dq, dk = ds @ k / np.sqrt(D), ds.swapaxes(-1, -2) @ q / (D if mistake == "scale" else np.sqrt(D))
    dv = dv[:, ::-1] if mistake == "head" else dv
    dqkv = np.concatenate([merged(dq), merged(dk), merged(dv)], -1)
    dh, g["h0.attn.qkv.dW"], g["h0.attn.qkv.db"] = linear_back(dqkv, h1, w["h0.attn.qkv.W"])
    dx, g["h0.ln1.dg"], g["h0.ln1.db"] = ln_back(mistake, dh, kept1)
    d = d + dx
    g["wpe.dW"] = d.sum(0)
    if mistake == "repeat":
        looked_up = np.zeros_like(dwte)
        looked_up[i] = d
    else:
        looked_up = np.zeros_like(dwte)
        np.add.at(looked_up, i, d)
    g["wte.dW"] = dwte if mistake == "tied" else dwte + looked_up
    return g
