"""Historical mistakes of backward passes: each as it was published, in a small operation of the hand code.

The source of each is an issue or a pull request, in which the mistake is told with its formula. What stands here is the
formula, not the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from harness.evaluation.references.derived import HandReference
from impls.contract import Array
from impls.hand import Gelu, WeightedCrossEntropy
from impls.hand.layers import AttentionScores, Embedding, LayerNorm, LogSumExp, MatrixProduct, RMSNorm

Gradients = Mapping[str, Array]


class Mistake(NamedTuple):
    """One.

    Attributes:
        says: what goes wrong.
        source: where it was reported.
        layer: what the operation computes.
        inputs: of which it is asked, as ``--inputs`` says them.
        gradients: those that are wrong, from the upstream and the inputs by name; the others are right.
    """

    says: str
    source: str
    layer: Any
    inputs: str
    gradients: Callable[[Array, Gradients], Gradients]

    def right(self, upstream: Array, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every gradient by the hand code's rules, in the dtype of the inputs."""
        return HandReference(self.layer).computed(inputs, upstream, np.asarray)[1]

    def wrong(self, upstream: Array, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every gradient, with the mistake."""
        right = self.right(upstream, inputs)
        mistaken = self.gradients(upstream, inputs)
        return right | {name: np.asarray(array, right[name].dtype) for name, array in mistaken.items()}


def _normalised(x: Array, eps: float = 1e-5) -> tuple[Array, Array]:
    r = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    return (x - x.mean(axis=-1, keepdims=True)) * r, r


def _mean_twice(u: Array, at: Gradients) -> Gradients:
    (h, r), t = _normalised(at["x"]), u * at["g"]
    return {"x": r * (t - 2 * t.mean(-1, keepdims=True) - h * (t * h).mean(-1, keepdims=True))}


def _last_block_of_the_sum(u: Array, at: Gradients) -> Gradients:
    (h, r), t = _normalised(at["x"]), u * at["g"]
    second = (t * h)[..., -32:].sum(-1, keepdims=True) / t.shape[-1]
    return {"x": r * (t - t.mean(-1, keepdims=True) - h * second)}


def _swapped(u: Array, at: Gradients) -> Gradients:
    h, _ = _normalised(at["x"])
    return {"g": u.sum(axis=0), "b": (u * h).sum(axis=0)}


def _of_one(u: Array, at: Gradients) -> Gradients:
    """x r - fl(m r), the product and the difference rounded once: what is left is the rounding error of m r."""
    x, wide = at["x"], np.longdouble
    r = 1 / np.sqrt(x.dtype.type(1e-5))
    left = (x.astype(wide) * wide(r) - (x * r).astype(wide)).astype(x.dtype)
    return {"g": (u * left).sum(axis=0)}


def _of_two_axes(u: Array, at: Gradients) -> Gradients:
    """Rows are told from the first axis alone, and so are the statistics that are read."""
    x = at["x"]
    mean, r = (each.reshape(-1)[: len(x), None] for each in (x.mean(-1), 1 / np.sqrt(x.var(-1) + 1e-5)))
    t, flat = (u * at["g"]).reshape(len(x), -1), x.reshape(len(x), -1)
    h = (flat - mean) * r
    return {"x": (r * (t - t.mean(-1, keepdims=True) - h * (t * h).mean(-1, keepdims=True))).reshape(x.shape)}


def _variance_for_root(u: Array, at: Gradients) -> Gradients:
    x, t = at["x"], u * at["g"]
    r = (x * x).mean(axis=-1, keepdims=True)  # in place of 1 / sqrt of it
    h = x * r
    return {"x": r * (t - h * (t * h).mean(-1, keepdims=True)), "g": (u * h).sum(axis=0)}


def _last_copy(u: Array, at: Gradients) -> Gradients:
    dW = np.zeros_like(at["W"])
    dW[at["i"]] = u
    return {"W": dW}


def _cross_entropy(a: Array, q: Array, count: Any) -> Array:
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True) * q.sum(axis=-1, keepdims=True) - q) / count


def _smoothed_where_ignored(u: Array, at: Gradients) -> Gradients:
    a, y = at["a"], at["y"]
    kept, classes = y != 0, a.shape[-1]
    q = 0.8 * (np.arange(classes) == y[:, None]) * kept[:, None] + 0.2 / classes
    return {"a": u * _cross_entropy(a, q.astype(a.dtype), kept.sum().astype(a.dtype))}


def _mean_of_means(u: Array, at: Gradients) -> Gradients:
    a, y, da = at["a"], at["y"], np.zeros_like(at["a"])
    for rows in (slice(0, len(a) // 2), slice(len(a) // 2, None)):
        kept = y[rows] != 0
        q = (np.arange(a.shape[-1]) == y[rows][:, None]) * kept[:, None]
        if kept.any():
            da[rows] = _cross_entropy(a[rows], q.astype(a.dtype), (2 * kept.sum()).astype(a.dtype))
    return {"a": u * da}


def _first_upstream(u: Array, at: Gradients) -> Gradients:
    x = at["x"]
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return {"x": u.reshape(-1)[0] * e / e.sum(axis=-1, keepdims=True)}


def _contiguous_upstream(u: Array, at: Gradients) -> Gradients:
    """The memory of the upstream, read in order from its beginning, whatever its strides are."""
    memory = u if u.flags.c_contiguous or u.base is None else u.base
    read = np.resize(memory.ravel(order="K"), u.shape)
    return {"p": read @ at["q"].swapaxes(-1, -2)}


def _no_last_block(u: Array, at: Gradients) -> Gradients:
    q, k = at["q"], at["k"]
    dk = (u.swapaxes(-1, -2) @ q) / np.sqrt(q.shape[-1]).astype(q.dtype)
    if (rest := k.shape[-2] % 16) and k.shape[-2] > 16:
        dk[..., -rest:, :] = 0
    return {"k": dk}


def _of_another_form(u: Array, at: Gradients) -> Gradients:
    """The derivative of z sigmoid(1.702 z)."""
    z = at["z"]
    s = expit(1.702 * z)
    return {"z": u * s * (1 + 1.702 * z * (1 - s))}


_NORM = "x=12,64; g=64; b=64"
MISTAKES = (
    Mistake("layer norm: the mean is subtracted twice", "tenstorrent/tt-metal#53204", LayerNorm(64), _NORM,
            _mean_twice),
    Mistake("layer norm: a mean of the last block alone", "tenstorrent/tt-metal#53204", LayerNorm(64), _NORM,
            _last_block_of_the_sum),
    Mistake("layer norm: dgamma and dbeta changed places", "Oneflow-Inc/oneflow#6149", LayerNorm(64), _NORM, _swapped),
    Mistake("layer norm of one element: a gradient of gamma", "pytorch/pytorch#188372", LayerNorm(1),
            "x=12,1; g=1; b=1", _of_one),
    Mistake("layer norm: rows of two axes taken for one", "flagos-ai/FlagGems#5392", LayerNorm(16),
            "x=4,6,16; g=16; b=16", _of_two_axes),
    Mistake("RMS norm: the mean square for its root", "flagos-ai/FlagGems#5771", RMSNorm(64), "x=12,64; g=64",
            _variance_for_root),
    Mistake("gelu: the derivative of another form", "harvard-edge/cs249r_book#1399", Gelu(), "z=12,32",
            _of_another_form),
    Mistake("repeated indices: the last gradient alone", "pytorch/pytorch#1528", Embedding(6, 8), "i=24 below 6; W=6,8",
            _last_copy),
    Mistake("cross-entropy: ignored rows are smoothed", "pytorch/pytorch#73205",
            WeightedCrossEntropy(ignore_index=0, label_smoothing=0.2), "a=24,5; y=24 below 5", _smoothed_where_ignored),
    Mistake("cross-entropy: a mean of micro-batches' means", "huggingface/transformers#34191",
            WeightedCrossEntropy(ignore_index=0), "a=24,3; y=24 below 3", _mean_of_means),
    Mistake("rows: the first one's upstream for all", "linkedin/Liger-Kernel#1298", LogSumExp([1]), "x=12,32",
            _first_upstream),
    Mistake("upstream: read as if it were contiguous", "Dao-AILab/flash-attention#355", MatrixProduct(),
            "p=2,8,16; q=2,16,12", _contiguous_upstream),
    Mistake("attention: rows past the last whole block are 0", "flagos-ai/FlagGems#898", AttentionScores(),
            "q=2,8,16; k=2,40,16", _no_last_block),
)  # fmt: skip
