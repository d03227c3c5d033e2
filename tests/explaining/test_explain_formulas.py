"""The text of every derivative is true, also where numbers are extreme."""

import json
import math
import re
from inspect import signature

import numpy as np
import pytest

import harness
from harness.cli.explaining import PRODUCTS
from impls.hand import GeluTanh, Scaled, from_text
from impls.hand.notation import ACTIVATIONS, LOSSES
from impls.hand.parsing import made
from tests.helpers.explaining import hand_only, text_of

TEXTS = {
    "−": "-", "·": "*", "²": "**2", "[": "(", "]": ")", "{z}": "z", "{a}": "a", "exp z": "exp(z)",
    "gelu_tanh'": "gelu_tanh", "|a|": "length_a", "|y|": "length_y",
}  # fmt: skip


def evaluated(text, **values):
    """A derivative's text as a number: sums and products as they are read, brackets multiplied."""
    for sign, code in TEXTS.items():
        text = text.replace(sign, code)
    text = re.sub(r"(?<=[\d)az])\(", "*(", text)  # a(1 - a) is a product, s(z) is not
    functions = {
        "s": lambda z: 1 / (1 + math.exp(-z)), "exp": math.exp, "sign": np.sign, "min": min, "max": max,
        "Φ": lambda z: 0.5 * math.erfc(-z / math.sqrt(2)), "φ": lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
        "gelu_tanh": lambda z: float(GeluTanh().dz(np.ones(1), np.array([z]))[0]),
    }  # fmt: skip
    return eval(text, {"__builtins__": {}}, {**functions, **values})


@pytest.mark.parametrize("name", [*ACTIVATIONS, "leaky-relu(slope=0.2)", "elu(alpha=0.5)", "softplus(threshold=1)"])
def test_the_text_of_every_activations_derivative_is_true(name):
    layer = made("activation", ACTIVATIONS, name)
    z = np.array([[-2.0, -0.5, 0.5, 2.0, 4.0]])
    a = layer.forward(z)
    one = np.eye(5) if not layer.elementwise else np.ones_like(z)
    read = {"z": np.repeat(z, len(one), axis=0), "a": np.repeat(a, len(one), axis=0)}
    needs = [parameter for parameter in signature(layer.dz).parameters if parameter != "da"]
    slopes = layer.dz(one, *[read[parameter] for parameter in needs])
    for k, row in enumerate(slopes):
        for i, slope in enumerate(row):
            text = layer.derivative.format(a="a", z="z", b="b", same=int(k == i), **layer.parameters())
            at = {"a": a[0, k], "b": a[0, i]} if not layer.elementwise else {"a": a[0, i], "z": z[0, i]}
            assert evaluated(text, **at) == pytest.approx(slope, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("name", [*LOSSES, "huber(delta=0.1)", "binary-cross-entropy(clamp='torch')", "scaled"])
def test_the_text_of_every_losses_derivative_is_true(name):
    loss = Scaled(made("loss", LOSSES, "huber"), 8) if name == "scaled" else made("loss", LOSSES, name)
    a = np.array([[0.2, 0.7, 0.4], [0.9, 0.1, 0.6]])
    y = np.array([2, 0]) if loss.labels else np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    gradient, p = loss.da(a, y), np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    inner = getattr(loss, "loss", loss)
    for n, k in np.ndindex(a.shape):
        row = np.eye(3)[y[n]] if loss.labels else y[n]
        of_row = {"length_a": np.linalg.norm(a[n]), "length_y": np.linalg.norm(row)}
        of_row["cos"] = a[n] @ row / of_row["length_a"] / of_row["length_y"]
        target = float(y[n] == k) if loss.labels else y[n, k]
        text = loss.derivative.format(a="a", y="y", p="p", total="total", rows=2, entries=6, **inner.parameters())
        value = evaluated(text, a=a[n, k], y=target, p=p[n, k], total=1.0, **of_row)
        assert value == pytest.approx(gradient[n, k], rel=1e-12)


@pytest.mark.parametrize("x", [1e200, 1e308])
def test_what_is_not_finite_is_refused(x):
    network = from_text("2-2-1", activation="identity")
    with pytest.raises(harness.UsageError, match="the loss or a derivative on the way is not finite"):
        hand_only("w_11^(1)", network, (np.array([[x, -x / 3]]), np.array([1.0])))


def test_products_that_overflow_are_refused_and_those_that_underflow_are_0():
    def chain(weight, last):
        network = from_text("-".join("1" * 70), activation="identity", loss="mean-absolute-error")
        weights = {name: np.full(s, weight if name[0] == "W" else 0.0) for name, s in network.weights.items()}
        network.init = lambda seed, dtype=np.float64: {**weights, "W69": np.full((1, 1), last)}
        return network

    data = (np.zeros((1, 1)), np.ones(1))  # all outputs are 0, all local derivatives are weights
    told = hand_only("w_11^(3)", chain(1e-6, 1.0), data)
    assert (told.total, told.count) == (0, 1)
    with pytest.raises(harness.UsageError, match="the loss or a derivative on the way is not finite"):
        hand_only("b1[1]", chain(1e9, 1.0), data)


@pytest.mark.parametrize(
    ("activation", "loss"), [(a, "huber") for a in ACTIVATIONS] + [("tanh", loss) for loss in LOSSES]
)
def test_every_activation_and_loss_is_explained(activation, loss):
    network = from_text("4-3-3-3", activation=activation, loss=loss)
    for reference in ("w_21^(1)", "b3[2]"):
        for sample in (None, 60):
            told = hand_only(reference, network, sample=sample, nudge=1e-3)
            assert told.exit == 0
            assert all(factor.formula for factor in told.factors)
            assert max(map(len, text_of(told).translate(PRODUCTS).split("\n"))) <= 80
            json.dumps(told.to_dict(), allow_nan=False)


def test_torchs_wrong_constant_is_found_here_too():
    told = harness.explain("w_21^(1)", from_text("4-3-1", activation="hard-sigmoid"), against=["torch"])
    assert told.exit == 1
    assert "FAULT  torch autograd is further off than rounding allows" in text_of(told)
