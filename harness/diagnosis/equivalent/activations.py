"""Textbook forms of activations and of their derivatives.

tanh       the forms of `functions`; 1 − f(z)² for each, 4/(e^z + e^−z)²
sigmoid    the forms of `functions`; s(1 − s) and s − s² for each, e^−z/(1 + e^−z)², 1/(2 + e^z + e^−z), by tanh
elu        alpha (exp z − 1); elu + alpha, alpha exp z
softplus   log(1 + exp z), log(1 + exp(−|z|)) + max(z, 0), z + log(1 + exp(−z)); each sigmoid, 1 − exp(−softplus)
silu       z times each sigmoid, z/(1 + exp(−z)); a + s (1 − a), and as a quotient
gelu       by erf as it stands; its form by tanh with each tanh
hard sigmoid   z/6 + 1/2, clipped
softmax    without the shift; its Jacobian, multiplied out
"""

# ruff: noqa: ARG001, ARG005  (every rule of a table gets da, z and a, and reads what it needs)

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.diagnosis.equivalent.functions import SIGMOIDS, SOFTMAXES, TANHS, Written, plus_exp
from impls.hand import Elu, Gelu, GeluTanh, HardSigmoid, Sigmoid, Silu, Softmax, Softplus, Tanh
from impls.hand.activations.gelu import CUBIC, ROOT_TWO_OVER_PI, erf

Forms = tuple[list[Written], list[Written]]
"""Of a = f(z), as functions of z, and of dz, as functions of da, z and a."""


def _of_sigmoid(layer: Any) -> Forms:
    forward = [Written(f"sigmoid(z) = {text.format(z='z')}", loses, f) for text, loses, f in SIGMOIDS]
    backward = [
        Written("sigmoid′ = a − a²", "near 1", lambda da, z, a: da * (a - a * a)),
        Written("sigmoid′ = exp(−z)/(1 + exp(−z))²", "", lambda da, z, a: da * (np.exp(-z) / np.square(plus_exp(-z)))),
        Written("sigmoid′ = exp(z)/(1 + exp(z))²", "", lambda da, z, a: da * (np.exp(z) / np.square(plus_exp(z)))),
        Written("sigmoid′ = 1/(2 + exp(z) + exp(−z))", "", lambda da, z, a: da * (1 / (2 + np.exp(z) + np.exp(-z)))),
        Written("sigmoid′ = (1 − tanh²(z/2))/4", "far from 0",
                lambda da, z, a: da * ((1 - np.square(np.tanh(z / 2))) / 4)),
    ]  # fmt: skip
    for text, loses, f in SIGMOIDS:
        s = text.format(z="z")
        backward += [
            Written(f"sigmoid′ = s(1 − s), s = {s}", loses or "near 1",
                    lambda da, z, a, f=f: da * (f(z) * (1 - f(z)))),
            Written(f"sigmoid′ = s − s², s = {s}", "near 1", lambda da, z, a, f=f: da * (f(z) - np.square(f(z)))),
        ]  # fmt: skip
    return forward, backward


def _of_tanh(layer: Any) -> Forms:
    forward = [Written(f"tanh(z) = {text.format(z='z')}", loses, f) for text, loses, f in TANHS]
    far = "far from 0"
    backward = [
        Written("tanh′ = 4/(exp(z) + exp(−z))²", "", lambda da, z, a: da * (4 / np.square(np.exp(z) + np.exp(-z)))),
        Written("tanh′ = 1/cosh²(z)", "", lambda da, z, a: da * (1 / np.square((np.exp(z) + np.exp(-z)) / 2))),
        Written("tanh′ = 1 − tanh²(z)", far, lambda da, z, a: da * (1 - np.square(np.tanh(z)))),
    ]
    backward += [
        Written(f"tanh′ = 1 − t², t = {text.format(z='z')}", far, lambda da, z, a, f=f: da * (1 - np.square(f(z))))
        for text, _, f in TANHS
    ]
    return forward, backward


def _of_elu(layer: Any) -> Forms:
    alpha = layer.alpha

    def left(z: Any, value: Any) -> Any:
        return np.where(z > 0, z, value)

    def slope(da: Any, z: Any, value: Any) -> Any:
        return np.where(z > 0, da, da * value)

    forward = [
        Written("elu(z) = alpha·(exp(z) − 1)", "near 0", lambda z: left(z, alpha * (np.exp(z) - 1))),
        Written("elu(z) = alpha·exp(z) − alpha", "near 0", lambda z: left(z, alpha * np.exp(z) - alpha)),
    ]
    backward = [
        Written("elu′ = a + alpha", "far left", lambda da, z, a: slope(da, z, a + alpha)),
        Written("elu′ = alpha·exp(z)", "", lambda da, z, a: slope(da, z, alpha * np.exp(z))),
        Written("elu′ = alpha·(exp(z) − 1) + alpha", "far left",
                lambda da, z, a: slope(da, z, alpha * (np.exp(z) - 1) + alpha)),
        Written("elu′ = alpha·expm1(z) + alpha", "far left",
                lambda da, z, a: slope(da, z, alpha * np.expm1(z) + alpha)),
    ]  # fmt: skip
    return forward, backward


def _of_softplus(layer: Any) -> Forms:
    def below(z: Any, value: Any, above: Any) -> Any:
        return value if layer.threshold is None else np.where(z > layer.threshold, above, value)

    def shifted(z: Any) -> Any:
        return np.log(plus_exp(-np.absolute(z))) + np.maximum(z, 0)

    far = "far left"
    functions = [
        ("log(1 + exp(z))", far, lambda z: np.log(plus_exp(z))),
        ("log(1 + exp(−|z|)) + max(z, 0)", far, shifted),
        ("log1p(exp(z))", "", lambda z: np.log1p(np.exp(z))),
        ("z + log(1 + exp(−z))", far, lambda z: z + np.log(plus_exp(-z))),
        ("z + log1p(exp(−z))", far, lambda z: z + np.log1p(np.exp(-z))),
        ("−log(1 − sigmoid(z))", far, lambda z: -np.log(1 - 1 / plus_exp(-z))),
    ]
    forward = [
        Written(f"softplus(z) = {text}", loses, lambda z, f=f: below(z, f(z), z)) for text, loses, f in functions
    ]
    backward = [
        Written(f"softplus′ = {text.format(z='z')}", loses, lambda da, z, a, f=f: below(z, da * f(z), da))
        for text, loses, f in SIGMOIDS
    ]
    backward.append(Written("softplus′ = 1 − exp(−a)", far, lambda da, z, a: below(z, da * (1 - np.exp(-a)), da)))
    return forward, backward


def _of_silu(layer: Any) -> Forms:
    def quotient(da: Any, z: Any, a: Any) -> Any:
        down = np.exp(-z)
        return da * ((1 + down + z * down) / np.square(1 + down))

    def quotient_up(da: Any, z: Any, a: Any) -> Any:
        up = np.exp(z)
        return da * (up * (1 + up + z) / np.square(1 + up))

    forward = [Written("silu(z) = z/(1 + exp(−z))", "", lambda z: z / plus_exp(-z))]
    backward = [
        Written("silu′ = (1 + e + z·e)/(1 + e)², e = exp(−z)", "near its root", quotient),
        Written("silu′ = e(1 + e + z)/(1 + e)², e = exp(z)", "near its root", quotient_up),
    ]
    for text, loses, f in SIGMOIDS:
        s = text.format(z="z")
        forward.append(Written(f"silu(z) = z·s, s = {s}", loses, lambda z, f=f: z * f(z)))
        backward += [
            Written(f"silu′ = a + s(1 − a), s = {s}", "far right", lambda da, z, a, f=f: da * (a + f(z) * (1 - a))),
            Written(f"silu′ = s(1 + z(1 − s)), s = {s}", loses or "near its root",
                     lambda da, z, a, f=f: da * (f(z) * (1 + z * (1 - f(z))))),
            Written(f"silu′ = s + z·s(1 − s), s = {s}", loses or "near its root",
                     lambda da, z, a, f=f: da * (f(z) + z * f(z) * (1 - f(z)))),
        ]  # fmt: skip
    return forward, backward


def _of_gelu(layer: Any) -> Forms:
    def distribution(z: Any) -> Any:
        return 0.5 * (1 + erf(z / math.sqrt(2)))

    def density(z: Any) -> Any:
        return np.exp(-0.5 * np.square(z)) / math.sqrt(2 * math.pi)

    forward = [Written("gelu(z) = 0.5·z·(1 + erf(z/√2))", "far left", lambda z: z * distribution(z))]
    backward = [
        Written("gelu′ = 0.5·(1 + erf(z/√2)) + z·φ(z)", "far left",
                lambda da, z, a: da * (distribution(z) + z * density(z))),
    ]  # fmt: skip
    return forward, backward


def _of_gelu_tanh(layer: Any) -> Forms:
    def argument(z: Any) -> Any:
        return ROOT_TWO_OVER_PI * (z + CUBIC * (z * z * z))

    def slope(z: Any) -> Any:
        return ROOT_TWO_OVER_PI * (1 + 3 * CUBIC * (z * z))

    def derivative(z: Any, T: Any) -> Any:
        return 0.5 * (1 + T) + 0.5 * z * (1 - np.square(T)) * slope(z)

    forward, backward = [], []
    for text, loses, f in TANHS:
        t = text.format(z="t")
        forward.append(Written(f"gelu(z) = z/2·(1 + T), T = {t}", loses, lambda z, f=f: 0.5 * z * (1 + f(argument(z)))))
        backward.append(Written(f"gelu′ by T = {t}", loses, lambda da, z, a, f=f: da * derivative(z, f(argument(z)))))
    return forward, backward


def _of_hard_sigmoid(layer: Any) -> Forms:
    def clipped(z: Any, value: Any) -> Any:
        return np.minimum(np.maximum(value, 0), 1)

    forward = [
        Written("hard sigmoid(z) = z/6 + 1/2, clipped", "near −3", lambda z: clipped(z, z / 6 + 0.5)),
        Written("hard sigmoid(z) = z·(1/6) + 1/2, clipped", "near −3", lambda z: clipped(z, z * (1 / 6) + 0.5)),
    ]
    backward = [Written("hard sigmoid′ = (1/6)·[−3 < z < 3]", "", lambda da, z, a: da * (1 / 6) * (z > -3) * (z < 3))]
    return forward, backward


def _of_softmax(layer: Any) -> Forms:
    def by_jacobian(da: Any, z: Any, a: Any) -> Any:
        jacobian = a[..., :, None] * (np.eye(a.shape[-1]) - a[..., None, :])
        return (jacobian * da[..., None, :]).sum(axis=-1)

    forward = [Written(f"softmax(z) = {text.format(z='z')}", loses, f) for text, loses, f in SOFTMAXES]
    backward = [
        Written("softmax′ by its Jacobian a_i([i = j] − a_j)", "near 1", by_jacobian),
        Written("softmax′ = a·da − a·sum a·da", "near 1",
                lambda da, z, a: a * da - a * (a * da).sum(axis=-1, keepdims=True)),
    ]  # fmt: skip
    return forward, backward


FORMS: Mapping[type, Callable[[Any], Forms]] = {
    Sigmoid: _of_sigmoid,
    Tanh: _of_tanh,
    Elu: _of_elu,
    Softplus: _of_softplus,
    Silu: _of_silu,
    Gelu: _of_gelu,
    GeluTanh: _of_gelu_tanh,
    HardSigmoid: _of_hard_sigmoid,
    Softmax: _of_softmax,
}
"""By class of activation: its forms, and those of its derivative."""
