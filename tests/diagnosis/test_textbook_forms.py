"""Functions in textbook forms raise no alarm, everything shown or only gradients; a wrong one is still caught."""

from itertools import product

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.diagnosis.location import located
from harness.evaluation.point import Point
from impls.hand import BinaryCrossEntropy, Dense, Elu, Network, Sigmoid, Silu, Softplus, SumSquaredError, Tanh


def s(z):
    return 1 / (1 + np.exp(-z))


def left(z, value):
    return np.where(z > 0, z, value)


FORMS = {
    "tanh": (
        Tanh(),
        [
            lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
            lambda z: 2 / (1 + np.exp(-2 * z)) - 1,
            lambda z: 2 * s(2 * z) - 1,
            lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1),
        ],
        [
            lambda z, a: 1 - a**2,
            lambda z, a: 4 / (np.exp(z) + np.exp(-z)) ** 2,
            lambda z, a: 1 / np.cosh(z) ** 2,
            lambda z, a: 1 - np.tanh(z) ** 2,
        ],
    ),
    "elu": (
        Elu(1.5),
        [lambda z: left(z, 1.5 * (np.exp(z) - 1)), lambda z: left(z, 1.5 * np.exp(z) - 1.5)],
        [lambda z, a: np.where(z > 0, 1, a + 1.5), lambda z, a: np.where(z > 0, 1, 1.5 * np.exp(z))],
    ),
    "sigmoid": (
        Sigmoid(),
        [s, lambda z: 0.5 * (1 + np.tanh(z / 2)), lambda z: np.exp(z) / (1 + np.exp(z))],
        [
            lambda z, a: np.exp(-z) / (1 + np.exp(-z)) ** 2,
            lambda z, a: 1 / (2 + np.exp(z) + np.exp(-z)),
            lambda z, a: (1 - np.tanh(z / 2) ** 2) / 4,
            lambda z, a: s(z) - s(z) ** 2,
        ],
    ),
    "softplus": (
        Softplus(),
        [lambda z: np.log(1 + np.exp(z)), lambda z: np.log(1 + np.exp(-np.abs(z))) + np.maximum(z, 0)],
        [lambda z, a: s(z), lambda z, a: np.exp(z) / (1 + np.exp(z)), lambda z, a: 1 - np.exp(-a)],
    ),
    "silu": (
        Silu(),
        [lambda z: z / (1 + np.exp(-z))],
        [lambda z, a: a + s(z) * (1 - a), lambda z, a: s(z) + z * s(z) * (1 - s(z))],
    ),
}
BINARY = [
    lambda a, y: (a - y) / (a * (1 - a)) / a.size,
    lambda a, y: (a - y) / (a - a**2) / a.size,
    lambda a, y: (-y / a + (1 - y) / (1 - a)) / a.size,
]
SETTINGS = [((1, 5, 1), None, 1.0), ((1, 5, 1), None, 4.0), ((64, 16, 1), None, 1.0), ((4, 2, 1), 0, 2.0),
            ((4, 2, 1), 1, 2.0), ((4, 2, 1), 2, 2.0)]  # fmt: skip


def judged(name, forward, derivative, setting, dtype, seed, gradients_only, hurt=0.0):
    (inputs, hidden, outputs), binary, scale = setting
    layer, forwards, derivatives = FORMS[name]
    loss, rng = SumSquaredError() if binary is None else BinaryCrossEntropy(), np.random.default_rng(seed)
    layers = [Dense(inputs, hidden), layer, Dense(hidden, outputs)] + ([] if binary is None else [Sigmoid()])
    network = Network(layers, loss)
    w, x = network.init(seed, dtype), (scale * rng.normal(size=(12, inputs))).astype(dtype)
    y = rng.integers(0, 2, (12, outputs)).astype(dtype)
    z1 = x @ w["W1"] + w["b1"]
    a1 = forwards[forward](z1)
    z2 = a1 @ w["W2"] + w["b2"]
    if binary is None:
        more = {"loss": ((z2 - y) ** 2).sum(), "dz2": 2 * (z2 - y)}
    else:
        a2 = s(z2)
        da2 = BINARY[binary](a2, y)
        value = -np.mean(y * np.log(a2) + (1 - y) * np.log(1 - a2))
        more = {"a2": a2, "loss": value, "da2": da2, "dz2": da2 * a2 * (1 - a2)}
    da1 = more["dz2"] @ w["W2"].T
    dz1 = da1 * derivatives[derivative](z1, a1)
    tensors = {"z1": z1, "a1": a1, "z2": z2, **more, "dW2": a1.T @ more["dz2"], "db2": more["dz2"].sum(axis=0),
               "da1": da1, "dz1": dz1, "dW1": x.T @ dz1 * (1 + hurt), "db1": dz1.sum(axis=0)}  # fmt: skip
    names = network.gradients if gradients_only else tensors
    shown = {key: np.asarray(tensors[key], dtype) for key in names}
    return located(Point(network, w, x, y, 1), shown, profile_of(dtype), "mine")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("gradients_only", [False, True])
def test_no_alarm_in_any_form(name, dtype, gradients_only):
    _, forwards, derivatives = FORMS[name]
    for forward, derivative, seed in product(range(len(forwards)), range(len(derivatives)), range(2)):
        for setting in SETTINGS:
            found = judged(name, forward, derivative, setting, dtype, seed, gradients_only)
            assert {row.verdict for row in found.rows} <= {"ok", "no power"}, (forward, derivative, seed, setting)


@pytest.mark.parametrize("gradients_only", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_a_wrong_function_in_a_textbook_form_is_still_caught(name, gradients_only):
    _, forwards, derivatives = FORMS[name]
    for forward, derivative in product(range(len(forwards)), range(len(derivatives))):
        found = judged(name, forward, derivative, SETTINGS[0], "float64", 0, gradients_only, hurt=1e-9)
        assert found.faulty == ["dW1"], (forward, derivative)


def test_the_row_says_in_which_form_it_is_right():
    cases = product(range(60), range(4))
    tried = (judged("tanh", forward, 0, SETTINGS[0], "float32", seed, False) for seed, forward in cases)
    found = next(found for found in tried if "a1" in found.formed)
    said = {row.gradient: row.reason for row in found.rows}
    assert said["a1"].startswith("right as tanh(z) = ")
    assert said["a1"].endswith("which loses digits near 0")


def by_exponentials(z):
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


@pytest.mark.parametrize(("factor", "cause"), [(2.0, "doubled"), (-1.0, "sign flipped"), (1.0, None)])
@pytest.mark.parametrize("tanh", [np.tanh, by_exponentials])
def test_a_mistake_behind_a_form_that_is_not_shown_is_named(tanh, factor, cause):
    """By exponentials the tanh of 1e-6 has no more than ten digits: right, and with the mistake the same ten."""
    layers = [Dense(4, 3, bias=False), Tanh(), Dense(3, 2, bias=False), Tanh(), Dense(2, 1, bias=False), Tanh()]
    network, rng = Network(layers, SumSquaredError()), np.random.default_rng(0)
    given = harness.reference(network, x=1e-6 * rng.normal(size=(150, 4)), y=rng.normal(size=(150, 1)))
    tensors = {**given.weights, "x": given.x, "y": given.y}
    for link in network.links:
        z_to_a = link.output in ("a1", "a2", "a3")
        tensors[link.output] = tanh(tensors[link.inputs[0]]) if z_to_a else np.asarray(link(tensors))
    mine = {name: tensors[name] for name in network.gradients}
    check = harness.allow(given).compare(mine | {"dW2": factor * mine["dW2"]})
    assert [[c.cause for c in d.causes][:1] for d in check.diagnoses] == ([[cause]] if cause else [])
    assert [row.gradient for row in check.located.of("FAULT")] == (["dW2"] if cause else [])
