"""Operations on rows, along any one axis or the last ones: softmax, its logarithm, layer norm, attention, lookup.

    softmax      a = exp(z) / sum exp(z)             dz = a (da - sum da a)
    log-softmax  a = z - log sum exp(z)              dz = da - exp(a) sum da
    layer norm   h = (x - m) r g + b                 see `impls.hand.layers.layer_norm`; rows are several axes in one
    attention    p = softmax(q k^T c + mask), o = p v
                 dv = p^T do,  dp = do v^T,  ds = p (dp - sum do o),  dq = ds k c,  dk = ds^T q c
    lookup       e_n = W_i(n)                        dW_k = sum of de_n over n with i(n) = k

Attention's sum over keys of p dp is that over the entries of a head of do o, since o = p v: Dao et al.,
"FlashAttention" (2022), section 3.1. Sources of the others: `impls.hand`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.activations.softmax import log_softmax, softmax, softmax_vjp
from impls.hand.layers.indexing import scattered
from impls.hand.layers.layer_norm import layer_norm, layer_norm_gain_vjp, layer_norm_vjp
from impls.hand.layers.masking import masked_softmax
from impls.hand.layers.matrix_product import swapped
from impls.hand.parts import Parametrised


class Softmax(Parametrised):
    reads, gives = "z", "a"

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def last(self, x: Array) -> Array:
        """With the axis last; and back."""
        return x.swapaxes(self.axis, -1) if x.ndim else x.reshape(1)

    def forward(self, z: Array) -> Array:
        return self.last(softmax(self.last(z))).reshape(z.shape)

    def dz(self, da: Array, a: Array) -> Array:
        return self.last(softmax_vjp(self.last(da), self.last(a))).reshape(da.shape)


class LogSoftmax(Softmax):
    def forward(self, z: Array) -> Array:
        return self.last(log_softmax(self.last(z))).reshape(z.shape)

    def dz(self, da: Array, a: Array) -> Array:
        sent, rows = self.last(da), self.last(a)
        return self.last(sent - np.exp(rows) * sent.sum(axis=-1, keepdims=True)).reshape(da.shape)


class LayerNorm(Parametrised):
    """Rows are the last `axes` axes; g and b have their shape."""

    reads, gives = ("x", "g", "b"), "h"

    def __init__(self, axes: int, eps: float) -> None:
        self.axes, self.eps = axes, eps

    def _rows(self, x: Array) -> Array:
        return x.reshape(-1, int(np.prod(x.shape[x.ndim - self.axes :])))

    def forward(self, x: Array, g: Array, b: Array) -> Array:
        return layer_norm(self._rows(x), g.reshape(-1), b.reshape(-1), self.eps).reshape(x.shape)

    def dx(self, dh: Array, x: Array, g: Array) -> Array:
        return layer_norm_vjp(self._rows(dh), self._rows(x), g.reshape(-1), self.eps).reshape(x.shape)

    def dg(self, dh: Array, x: Array, g: Array) -> Array:
        return layer_norm_gain_vjp(self._rows(dh), self._rows(x), self.eps).reshape(g.shape)

    def db(self, dh: Array, b: Array) -> Array:
        return self._rows(dh).sum(axis=0).reshape(b.shape)


class Attention(Parametrised):
    """q (..., H, T, D), k and v (..., G, S, D) of as many heads or of a divisor of them, each for H/G queries in a row.

    `mask`, of the shape of the scores or broadcast to it, is added to them; `seen` says which of them count at all.
    """

    reads, gives = ("q", "k", "v"), "o"

    def __init__(self, scale: float, causal: bool = False, mask: Any = None, seen: Any = None) -> None:
        self.scale, self.causal, self.mask, self.seen = scale, causal, mask, seen

    def __repr__(self) -> str:
        told = f"{', causal=True' if self.causal else ''}{', mask=...' if self.mask is not None else ''}"
        return f"Attention({self.scale:.6g}{told})"

    def _shares(self, q: Array, k: Array) -> Array:
        scores = (q @ swapped(k)) * self.scale
        if self.mask is not None:
            scores = scores + self.mask
        if self.causal or self.seen is not None:
            seen = np.tri(q.shape[-2], k.shape[-2], dtype=bool) if self.causal else np.ones((), bool)
            seen = seen if self.seen is None else seen & self.seen
            return masked_softmax(scores, np.broadcast_to(seen, scores.shape))
        return softmax(scores)

    def forward(self, q: Array, k: Array, v: Array) -> Array:
        return self._shares(q, repeated(k, q)) @ repeated(v, q)

    def _ds(self, do: Array, q: Array, k: Array, v: Array) -> Array:
        p = self._shares(q, k)
        return p * (do @ swapped(v) - (do * (p @ v)).sum(axis=-1, keepdims=True))

    def dq(self, do: Array, q: Array, k: Array, v: Array) -> Array:
        k, v = repeated(k, q), repeated(v, q)
        return (self._ds(do, q, k, v) @ k) * self.scale

    def dk(self, do: Array, q: Array, k: Array, v: Array) -> Array:
        sent = swapped(self._ds(do, q, repeated(k, q), repeated(v, q))) @ q
        return in_groups(sent * self.scale, k)

    def dv(self, do: Array, q: Array, k: Array, v: Array) -> Array:
        return in_groups(swapped(self._shares(q, repeated(k, q))) @ do, v)


def repeated(k: Array, q: Array) -> Array:
    """(..., G, S, D) with each of its heads for as many of q's, (..., H, S, D)."""
    if k.ndim < 3 or k.shape[-3] == q.shape[-3]:
        return k
    *front, groups, keys, width = k.shape
    each = q.shape[-3] // groups
    several = np.broadcast_to(k.reshape(*front, groups, 1, keys, width), (*front, groups, each, keys, width))
    return several.reshape(*front, groups * each, keys, width)


def in_groups(sent: Array, k: Array) -> Array:
    """What the heads of a group send back to theirs, added up."""
    if sent.shape == k.shape:
        return sent
    *front, groups, keys, width = k.shape
    return sent.reshape(*front, groups, -1, keys, width).sum(axis=-3)


class Lookup(Parametrised):
    """Rows of W by whole numbers i of any shape; the row `padding`, if there is one, has no gradient."""

    reads, gives = ("W", "i"), "e"

    def __init__(self, padding: int | None = None) -> None:
        self.padding = padding

    def forward(self, W: Array, i: Any) -> Array:
        return +W[i]

    def dW(self, de: Array, W: Array, i: Any) -> Array:
        rows, width = W.shape[0], int(np.prod(W.shape[1:]))
        sent = de.reshape(-1, width)
        if self.padding is not None:
            counted = np.ravel(i) != self.padding
            sent, i = sent[counted], np.ravel(i)[counted]
        # scattered counts along the last axis: each column of W is a sample of its own
        return scattered(sent.T, np.ravel(i), rows).T.reshape(W.shape)
