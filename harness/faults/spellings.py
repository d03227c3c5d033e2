"""Spellings: the rules of the hand code as people write them in NumPy, by the layer's own names.

One formula has several spellings, and a slip in one is no slip in another: ``da * a * (1 - a)`` with a sum for the
second product is not ``da * (a * (1 - a))`` with one. Beside the layer's own names a spelling may read

    N, K        samples, and outputs of the network
    Y           the labels, one-hot
    slope, ...  a parameter of the layer

and may have lines of its own before the last, which is what it gives. A test holds every spelling to the rule.
A rule without one is read as the hand code has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.faults.place import Place, of_class
from impls.hand import (
    Add,
    BinaryCrossEntropy,
    Dense,
    Elu,
    Gelu,
    HardSigmoid,
    LeakyRelu,
    LogitBinaryCrossEntropy,
    MeanSquaredError,
    Multiply,
    OneHotCrossEntropy,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    SoftmaxCrossEntropy,
    Softplus,
    SumSquaredError,
    Tanh,
)  # fmt: skip
from impls.hand.losses.guards import Guarded
from impls.hand.losses.scaled import bare

Spelled = tuple[str, ...]

LOGISTIC = "s = 1 / (1 + np.exp(-z)); "
SOFTMAX = "e = np.exp(a - a.max(axis=-1, keepdims=True)); p = e / e.sum(axis=-1, keepdims=True); "

SPELLINGS: Mapping[type, Mapping[str, Spelled]] = {
    Dense: {
        "z": ("x @ W + b",),
        "dx": ("dz @ W.T",),
        "dW": ("x.T @ dz",),
        "db": ("dz.sum(axis=0)",),
    },
    Sigmoid: {
        "a": ("1 / (1 + np.exp(-z))",),
        "dz": ("da * a * (1 - a)", "da * (a * (1 - a))", "a * (1 - a) * da", "da * (a - a ** 2)",
               f"{LOGISTIC}da * s * (1 - s)", f"{LOGISTIC}da * (s * (1 - s))"),
    },
    Tanh: {
        "a": ("np.tanh(z)", "(np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))"),
        "dz": ("da * (1 - a ** 2)", "da * (1 - a * a)", "da * (1 - np.tanh(z) ** 2)", "da - da * a ** 2",
               "da * (1 - a) * (1 + a)"),
    },
    Relu: {
        "a": ("np.maximum(z, 0)", "z * (z > 0)", "np.where(z > 0, z, 0 * z)"),
        "dz": ("da * (z > 0)", "da * (a > 0)", "np.where(z > 0, da, 0 * da)"),
    },
    LeakyRelu: {
        "a": ("np.where(z > 0, z, slope * z)", "np.maximum(z, 0) + slope * np.minimum(z, 0)"),
        "dz": ("np.where(z > 0, da, slope * da)", "da * (z > 0) + slope * da * (z < 0)",
               "da * (slope + (1 - slope) * (z > 0))"),
    },
    Elu: {
        "a": ("np.where(z > 0, z, alpha * (np.exp(np.minimum(z, 0)) - 1))",),
        "dz": ("np.where(z > 0, da, da * alpha * np.exp(np.minimum(z, 0)))", "np.where(z > 0, da, da * (a + alpha))"),
    },
    Softplus: {
        "a": ("np.log(1 + np.exp(z))", "np.log1p(np.exp(z))",
              "np.log1p(np.exp(-np.absolute(z))) + np.maximum(z, 0)"),
        "dz": ("da / (1 + np.exp(-z))", "da * (1 / (1 + np.exp(-z)))", f"{LOGISTIC}da * s"),
    },
    Silu: {
        "a": ("z / (1 + np.exp(-z))", f"{LOGISTIC}z * s"),
        "dz": (f"{LOGISTIC}da * (s * (1 + z * (1 - s)))", f"{LOGISTIC}da * (s + z * s * (1 - s))",
               f"{LOGISTIC}da * (a + s * (1 - a))"),
    },
    Gelu: {
        "a": ("0.5 * z * (1 + erf(z / np.sqrt(2)))",),
        "dz": ("da * (0.5 * (1 + erf(z / np.sqrt(2))) + z * np.exp(-0.5 * z ** 2) / np.sqrt(2 * np.pi))",),
    },
    HardSigmoid: {"dz": ("da * (z + 3 > 0) * (z + 3 < 6) / 6",)},
    Softmax: {
        "a": ("e = np.exp(z - z.max(axis=-1, keepdims=True)); e / e.sum(axis=-1, keepdims=True)",),
        "dz": ("a * (da - (da * a).sum(axis=-1, keepdims=True))", "a * da - a * (a * da).sum(axis=-1, keepdims=True)"),
    },
    Add: {"s": ("p + q",), "dp": ("ds",), "dq": ("ds",)},
    Multiply: {"s": ("p * q",), "dp": ("ds * q",), "dq": ("ds * p",)},
    SumSquaredError: {
        "loss": ("((a - y) ** 2).sum()", "((y - a) ** 2).sum()"),
        "da": ("2 * (a - y)", "-2 * (y - a)"),
    },
    MeanSquaredError: {
        "loss": ("((a - y) ** 2).sum() / a.size", "((a - y) ** 2).sum() / N / K"),
        "da": ("2 * (a - y) / a.size", "2 * (a - y) / N / K", "2 / (N * K) * (a - y)", "-2 * (y - a) / a.size"),
    },
    SoftmaxCrossEntropy: {
        "loss": (f"{SOFTMAX}-(Y * np.log(p)).sum() / N",),
        "da": (f"{SOFTMAX}(p - Y) / N", f"{SOFTMAX}p / N - Y / N"),
    },
    OneHotCrossEntropy: {
        "loss": (f"{SOFTMAX}-(y * np.log(p)).sum() / N",),
        "da": (f"{SOFTMAX}(p * y.sum(axis=-1, keepdims=True) - y) / N",),
    },
    BinaryCrossEntropy: {
        "loss": ("-(y * np.log(a) + (1 - y) * np.log(1 - a)).sum() / a.size",),
        "da": ("(a - y) / (a * (1 - a)) / a.size", "((1 - y) / (1 - a) - y / a) / a.size",
               "-(y / a - (1 - y) / (1 - a)) / a.size", "(-y / a + (1 - y) / (1 - a)) / N / K",
               "(a - y) / (a * (1 - a) * N * K)"),
    },
    LogitBinaryCrossEntropy: {
        "loss": ("s = 1 / (1 + np.exp(-a)); -(y * np.log(s) + (1 - y) * np.log(1 - s)).sum() / a.size",
                 "(np.maximum(a, 0) - a * y + np.log(1 + np.exp(-np.absolute(a)))).sum() / a.size"),
        "da": ("s = 1 / (1 + np.exp(-a)); (s - y) / a.size", "(1 / (1 + np.exp(-a)) - y) / N / K"),
    },
}  # fmt: skip
"""By the class of the layer, then by what the layer calls what the rule gives."""

WITHOUT_BIAS: Mapping[str, Spelled] = {"z": ("x @ W",)}
OTHERWISE: Mapping[type, Callable[[Any], Mapping[str, Spelled] | None]] = {
    Dense: lambda layer: None if layer.bias else {**SPELLINGS[Dense], **WITHOUT_BIAS},
    Softplus: lambda layer: None if layer.threshold is None else {},
    Guarded: lambda loss: {} if loss.guard or getattr(loss, "clamp", None) else None,
}
"""By the class of the layer: its spellings with these parameters, where those of `SPELLINGS` are not its own."""

BY_ENTRY: Mapping[type, Mapping[str, Spelled]] = {
    Dense: {
        "dx": ("(dz[:, None, :] * W[None, :, :]).sum(axis=-1)",),
        "dW": ("(x[:, :, None] * dz[:, None, :]).sum(axis=0)",),
    },
}
"""In loops over entries, each of which is a sum of products."""

FUSED: Mapping[tuple[type, type], Spelled] = {
    (BinaryCrossEntropy, Sigmoid): ("(a - y) / a.size", "(a - y) / N / K"),
    (SumSquaredError, Sigmoid): ("2 * (a - y) * a * (1 - a)",),
    (MeanSquaredError, Sigmoid): ("2 * (a - y) * a * (1 - a) / a.size",),
    (MeanSquaredError, Tanh): ("2 * (a - y) * (1 - a ** 2) / a.size",),
}
"""Of a loss and the activation before it: dz in one step."""


def spellings_of(place: Place) -> Spelled:
    """The spellings of a place's rule; none where nobody wrote one down."""
    layer, local = bare(place.layer), place.link.local
    if place.adds or place.repeated or (layer is not place.layer):
        return ()
    return _table_of(layer).get(local, ()) + fused_spellings(place)


def _table_of(layer: Any) -> Mapping[str, Spelled]:
    otherwise = of_class(OTHERWISE, layer)
    own = otherwise(layer) if otherwise else None
    return (of_class(SPELLINGS, layer) or {}) if own is None else own


def entry_spellings_of(place: Place) -> Spelled:
    """Spellings by loops over entries."""
    return place.of_rule(BY_ENTRY) or ()


def fused_spellings(place: Place) -> Spelled:
    """Spellings of the gradient by the last pre-activation that read the target."""
    loss = place.network.loss
    if place.link.local != "dz" or place.names.get("a") != place.network.output or not _table_of(loss):
        return ()
    return FUSED.get((type(loss), type(place.layer)), ())


def parameters_of(place: Place) -> Mapping[str, Any]:
    """What a spelling may read beside tensors: parameters of the layer that are numbers, K."""
    layer = place.layer
    given = layer.parameters() if hasattr(layer, "parameters") else {}
    return {**{name: n for name, n in given.items() if isinstance(n, int | float)}, "K": place.network.outputs}
