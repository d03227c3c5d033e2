"""Mistakes in the derivative of one activation: its parameter, its other form, a term or a square left out.

sigmoid        a    1 − a    a(1 + a)    a²    (1 − a)²       for a(1 − a)
tanh           1 − a    1 + a²    a²    (1 − a)²              for 1 − a²
relu, leaky    [z < 0]    [da > 0]    [z > 0][da > 0]         for [z > 0]; another slope at the left
elu            alpha left out    a + 1
softplus       s(−z)    with torch's threshold, without it
silu           s(z)    s(1 − s)    s(1 + z)    s + z s(1 + s)
gelu           the form by tanh for that by erf    Φ(z)    s(1.702 z) z differentiated
hard sigmoid   1/6 left out    slope 0.2 between −2.5 and 2.5 (Keras)
power          c z^c    z^(c − 1)                             for c z^(c − 1)
softmax        diagonal of the Jacobian only    without the sum    the sum over the samples    a left out
"""

# ruff: noqa: ARG005  (every rule of a table gets da, z and a, and reads what it needs)

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, is_activation
from impls.hand import (
    CausalSoftmax,
    Elu,
    Gelu,
    GeluTanh,
    HardSigmoid,
    LeakyRelu,
    Power,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from impls.hand.activations.gelu import erf, gelu_tanh_vjp, gelu_vjp
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.layers.functions import power

TORCH_THRESHOLD = 20.0
"""Above which torch's softplus is z itself."""

Derivative = Any
Variant = tuple[str, str, str, Derivative]
"""Cause, what it says, f'(z) as text with {z}, {a}, {da}, and da · f'(z) from (da, z, a)."""


def variant_faults(place: Place) -> Iterator[Fault]:
    """Mistakes that only this kind of activation can have."""
    if not (place.of_read and is_activation(place.layer)):
        return
    names = {name: place.names[name] for name in ("da", "z", "a")}
    da, z, a = names["da"], names["z"], names["a"]
    for cause, says, text, rule in _variants(place.layer):
        says, formula = says.format(**names), f"{da} · {text.format(**names)}"
        planted = lambda t, rule=rule: rule(t[da], t[z], t[a])  # noqa: E731
        yield place.fault(cause, says, formula, planted)
    usual = _SLOPES.get(type(place.layer))
    if usual is not None:
        says = f"the derivative for {z} ≤ 0 is {{c}}"
        right = lambda t: t[da] * (t[z] > 0)  # noqa: E731
        left = lambda t: t[da] * (1 - (t[z] > 0))  # noqa: E731
        yield place.fitted("another slope", says, f"{da} · (1 if {z} > 0 else {{c}})", right, left, usual)


def _variants(layer: Any) -> list[Variant]:
    return _VARIANTS[type(layer)](layer) if type(layer) in _VARIANTS else []


def _of_sigmoid(layer: Any) -> list[Variant]:  # noqa: ARG001
    missing, square = "factor of the derivative missing", "square too much"
    return [
        (missing, "the factor 1 − {a} of the sigmoid's derivative is missing", "(1)·{a}", lambda da, z, a: da * a),
        (missing, "the factor {a} of the sigmoid's derivative is missing", "(1 − {a})", lambda da, z, a: da * (1 - a)),
        ("sign within the derivative", "1 + {a} is written for 1 − {a}", "{a}·(1 + {a})",
         lambda da, z, a: da * (a * (1 + a))),
        (square, "(1 − {a}) is squared, and {a} is missing", "(1 − {a})²", lambda da, z, a: da * np.square(1 - a)),
        (square, "{a} is squared, where {a}·(1 − {a}) belongs", "{a}²", lambda da, z, a: da * np.square(a)),
        (square, "1 − {a}² is tanh's; the sigmoid's is {a} − {a}², written here {a}·(1 − {a}²)", "{a}·(1 − {a}²)",
         lambda da, z, a: da * (a * (1 - np.square(a)))),
    ]  # fmt: skip


def _of_power(layer: Any) -> list[Variant]:
    c = layer.exponent
    told = f"{c:g}"
    return [
        ("exponent not lowered", f"the exponent is not lowered by 1: {told}·{{z}}^{told}", f"{told}·{{a}}",
         lambda da, z, a: da * (c * a)),
        ("exponent left out", f"the factor {told} of the derivative is missing", f"{{z}}^({told} − 1)",
         lambda da, z, a: da * power(z, c - 1)),
    ][: 1 + (c != 1)]  # fmt: skip


def _of_tanh(layer: Any) -> list[Variant]:  # noqa: ARG001
    return [
        ("square missing", "1 − {a} is written for 1 − {a}²", "(1 − {a})", lambda da, z, a: da * (1 - a)),
        ("sign within the derivative", "1 + {a}² is written for 1 − {a}²", "(1 + {a}²)",
         lambda da, z, a: da * (1 + a * a)),
        ("term of the derivative missing", "the 1 of 1 − {a}² is missing", "(−{a}²)", lambda da, z, a: -(da * (a * a))),
        ("square too much", "(1 − {a})² is written for 1 − {a}²", "(1 − {a})²", lambda da, z, a: da * np.square(1 - a)),
    ]  # fmt: skip


def _of_relu(layer: Any) -> list[Variant]:
    slope = getattr(layer, "slope", 0.0)
    left = lambda da, mask: np.where(mask > 0, da, slope * da) if slope else da * (mask > 0)  # noqa: E731
    found = [
        ("mask inverted", "the derivative is 1 where {z} < 0, not where {z} > 0", "(1 if {z} < 0)",
         lambda da, z, a: left(da, -z)),
        ("mask from the upstream", "the sign of {da} is asked for, not that of {z}", "(1 if {da} > 0)",
         lambda da, z, a: left(da, da)),
        ("mask from the upstream too", "the sign of {da} is asked for besides that of {z} (guided backpropagation)",
         "(1 if {z} > 0 and {da} > 0)", lambda da, z, a: left(left(da, z), da)),
    ]  # fmt: skip
    if slope:
        found.append(("parameter left out", "the slope for {z} ≤ 0 is 0: that is the plain relu's derivative",
                      "(1 if {z} > 0 else 0)", lambda da, z, a: da * (z > 0)))  # fmt: skip
        if slope != 1:
            found.append(("another slope", "the slope for {z} ≤ 0 is applied on both sides", f"{slope:g}",
                          lambda da, z, a: slope * da))  # fmt: skip
    return found


def _of_elu(layer: Any) -> list[Variant]:
    found: list[Variant] = [
        ("term of the derivative missing", "{a} is written for {a} + alpha where {z} ≤ 0", "(1 if {z} > 0 else {a})",
         lambda da, z, a: np.where(z > 0, da, da * a)),
        ("mask inverted", "the two sides of 0 are exchanged", "(exp {z} if {z} > 0 else 1)",
         lambda da, z, a: np.where(z > 0, da * (layer.alpha * np.exp(z)), da)),
        ("factor of the derivative missing", "exp {z} is left out where {z} ≤ 0", "(1 if {z} > 0 else alpha)",
         lambda da, z, a: np.where(z > 0, da, layer.alpha * da)),
    ]  # fmt: skip
    if layer.alpha != 1:
        found += [
            ("parameter left out", "alpha is left out of the derivative", "(1 if {z} > 0 else exp {z})",
             lambda da, z, a: Elu().dz(da, z)),
            ("another form of the function", "{a} + 1 is written for {a} + alpha", "(1 if {z} > 0 else {a} + 1)",
             lambda da, z, a: np.where(z > 0, da, da * (a + 1))),
        ]  # fmt: skip
    return found


def _of_softplus(layer: Any) -> list[Variant]:
    found: list[Variant] = [
        ("sign within the derivative", "s(−{z}) is written for s({z})", "s(−{z})", lambda da, z, a: da * sigmoid(-z)),
        ("square too much", "the sigmoid's derivative is taken, where softplus' derivative is the sigmoid itself",
         "s({z})·(1 − s({z}))", lambda da, z, a: da * (sigmoid(z) * (1 - sigmoid(z)))),
    ]  # fmt: skip
    if layer.threshold is None:
        other = Softplus(TORCH_THRESHOLD)
        found.append(("another form of the function", "the derivative is 1 above 20, as torch's is",
                      "(1 if {z} > 20 else s({z}))", lambda da, z, a: other.dz(da, z)))  # fmt: skip
    else:
        found.append(("parameter left out", f"the threshold {layer.threshold:g} is left out", "s({z})",
                      lambda da, z, a: Softplus().dz(da, z)))  # fmt: skip
    return found


def _of_silu(layer: Any) -> list[Variant]:  # noqa: ARG001
    def with_s(formula: Any) -> Any:
        return lambda da, z, a: da * formula(sigmoid(z), z)

    missing = "term of the derivative missing"
    return [
        (missing, "only s({z}) is taken: {z} is held fixed in {z}·s({z})", "s({z})", with_s(lambda s, z: s)),
        (missing, "the term s({z}) is missing: only the sigmoid is differentiated", "{z}·s({z})·(1 − s({z}))",
         with_s(lambda s, z: z * (s * (1 - s)))),
        (missing, "the factor {z} is missing in {z}·s'({z})", "(s({z}) + s({z})·(1 − s({z})))",
         with_s(lambda s, z: s + s * (1 - s))),
        ("factor of the derivative missing", "1 − s({z}) is missing", "s({z})·(1 + {z})",
         with_s(lambda s, z: s * (1 + z))),
        (missing, "the derivative of the sigmoid is taken", "s({z})·(1 − s({z}))", with_s(lambda s, z: s * (1 - s))),
        ("sign within the derivative", "1 + s({z}) is written for 1 − s({z})", "s({z})·(1 + {z}·(1 + s({z})))",
         with_s(lambda s, z: s * (1 + z * (1 + s)))),
    ]  # fmt: skip


def _of_gelu(_: Any, *, by_erf: bool) -> list[Variant]:
    Phi = lambda z: 0.5 * (1 + erf(math.sqrt(0.5) * z))  # noqa: E731
    phi = lambda z: np.exp(-0.5 * (z * z)) * (1 / math.sqrt(2 * math.pi))  # noqa: E731
    s = lambda z: sigmoid(1.702 * z)  # noqa: E731
    other = gelu_tanh_vjp if by_erf else gelu_vjp
    missing = "term of the derivative missing"
    return [
        ("another form of the function", f"the form by {'tanh' if by_erf else 'erf'} is differentiated, where the "
         f"forward pass uses the one by {'erf' if by_erf else 'tanh'}",
         "gelu_tanh'({z})" if by_erf else "(Φ({z}) + {z}·φ({z}))",
         lambda da, z, a: other(da, z)),
        ("another form of the function", "{z}·s(1.702 {z}) is differentiated", "s·(1 + 1.702 {z}·(1 − s))",
         lambda da, z, a: da * (s(z) * (1 + 1.702 * z * (1 - s(z))))),
        (missing, "the term {z}·φ({z}) is missing: {z} is held fixed", "Φ({z})", lambda da, z, a: da * Phi(z)),
        (missing, "the term Φ({z}) is missing", "{z}·φ({z})", lambda da, z, a: da * (z * phi(z))),
        ("factor of the derivative missing", "the factor {z} of φ({z}) is missing", "(Φ({z}) + φ({z}))",
         lambda da, z, a: da * (Phi(z) + phi(z))),
    ]  # fmt: skip


def _of_hard_sigmoid(layer: Any) -> list[Variant]:  # noqa: ARG001
    within = lambda z, edge: ((z + edge) > 0) * ((z + edge) < 2 * edge)  # noqa: E731
    return [
        ("factor of the derivative missing", "the factor 1/6 is missing", "[0 < {z} + 3 < 6]",
         lambda da, z, a: da * within(z, 3)),
        ("another form of the function", "the slope is 0.2 between −2.5 and 2.5, which is another hard sigmoid",
         "0.2·[−2.5 < {z} < 2.5]", lambda da, z, a: 0.2 * (da * within(z, 2.5))),
        ("mask missing", "the slope 1/6 is taken outside −3 ... 3 too", "1/6", lambda da, z, a: da / 6),
    ]  # fmt: skip


def _of_softmax(layer: Any) -> list[Variant]:  # noqa: ARG001
    def total(da: Any, a: Any, axis: int) -> Any:
        return (da * a).sum(axis=axis, keepdims=True)

    return [
        ("coupling missing", "only the diagonal of the softmax's Jacobian is taken: each output depends on every input",
         "{a}·(1 − {a})", lambda da, z, a: da * (a * (1 - a))),
        ("coupling over the samples", "the sum of {da}·{a} runs over the samples, not over the neurons",
         "({da} − sum over the samples)", lambda da, z, a: a * (da - total(da, a, 0))),
        ("factor of the derivative missing", "the factor {a} in front is missing", "({da} − sum of {da}·{a})",
         lambda da, z, a: da - total(da, a, -1)),
        ("sign within the derivative", "the sum of {da}·{a} is added, not subtracted", "{a}·({da} + sum of {da}·{a})",
         lambda da, z, a: a * (da + total(da, a, -1))),
        ("factor of the derivative missing", "{da} is summed without its weights {a}", "{a}·({da} − sum of {da})",
         lambda da, z, a: a * (da - da.sum(axis=-1, keepdims=True))),
    ]  # fmt: skip


_SLOPES = {Relu: 0.01, LeakyRelu: 0.2}
"""At the left of 0, for those that have one there or might."""
_VARIANTS: Mapping[type, Any] = {
    Sigmoid: _of_sigmoid,
    Power: _of_power,
    Tanh: _of_tanh,
    Relu: _of_relu,
    LeakyRelu: _of_relu,
    Elu: _of_elu,
    Softplus: _of_softplus,
    Silu: _of_silu,
    Gelu: partial(_of_gelu, by_erf=True),
    GeluTanh: partial(_of_gelu, by_erf=False),
    HardSigmoid: _of_hard_sigmoid,
    Softmax: _of_softmax,
    CausalSoftmax: _of_softmax,
}
