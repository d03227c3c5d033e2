"""Layer x loss x optimizer x dtype x framework: everything correct is ok, and what is seen is caught."""

from functools import cache

import numpy as np
import pytest

import harness
from harness import checks
from harness.arithmetic import profile_of
from harness.centre import alone, end_to_end
from harness.checks import Point
from impls import registry
from impls.contract import Pass, tensors_of
from impls.hand import Adam, Dense, GradientDescent, Momentum, Network, Sigmoid, SumSquaredError, from_text

ACTIVATIONS = ["sigmoid", "tanh", "relu", "identity"]
LOSSES = ["sum-squared-error", "mean-squared-error", "cross-entropy"]
OPTIMIZERS = [GradientDescent(0.01), Momentum(0.01), Adam(0.01)]
DTYPES = ["float32", "float64"]
FRAMEWORKS = ["hand", "torch", "jax"]


@cache
def network_of(activation, loss, text="5-4-3-3"):
    return from_text(text, activation=activation, loss=loss)


@cache
def implementation(name, activation, loss, dtype):
    return registry.load(name)(network_of(activation, loss), dtype)


def point_of(network, dtype, seed=0, rows=7):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, network.inputs)).astype(dtype)
    if network.loss.labels:
        y = rng.integers(0, network.outputs, rows)
    else:
        y = rng.normal(size=(rows, network.outputs)).astype(dtype)
    return Point(network, network.init(seed, dtype), x, y, 1)


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_link_and_every_gradient_agrees(activation, loss, dtype, name):
    made = implementation(name, activation, loss, dtype)
    for seed in range(3):
        point = point_of(made.network, dtype, seed)
        result = made.differentiate(point.weights, point.x, point.y)
        rows = checks.rounding(point, name, result, profile_of(dtype))
        if dtype == "float64":
            centre = end_to_end(made.network, point.weights, point.x, point.y, profile_of(dtype))
            rows += checks.formula(point, name, result, centre)
        assert [row for row in rows if row.verdict != "ok"] == []
        assert sum(row.entries for row in rows) > 150


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.label)
def test_every_optimizer_agrees_for_twenty_steps(optimizer, dtype):
    run = harness.run("4-3-2-1", against=["torch", "jax"], optimizer=optimizer, dtype=dtype, steps=20)
    assert run.verdict == "PASS"
    states = {s + w for w in run.head.weights for s in ("", *optimizer.state)}
    compared = {row.gradient for row in run.rows if row.against == "jax" and row.check == "rounding"}
    assert states <= compared
    assert run.losses["hand"][-1] < run.losses["hand"][0]


def test_a_dense_layer_without_bias_agrees(framework):
    network = Network([Dense(4, 3, bias=False), Sigmoid(), Dense(3, 1), Sigmoid()], SumSquaredError())
    run = harness.run(network, against=[framework], steps=3)
    assert run.verdict == "PASS"
    assert "db1" not in run.head.gradients


def changed(result, name, index, by):
    gradients = {n: np.array(g) for n, g in result.gradients.items()}
    gradients[name][index] += by
    return Pass(result.loss, gradients, result.activations)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_twice_what_it_sees_is_caught_at_every_layer(activation, loss):
    """One entry of one gradient, changed by twice its own `sees`, in both checks."""
    network = network_of(activation, loss)
    for dtype, check in (("float64", "formula"), ("float32", "rounding")):
        point = point_of(network, dtype)
        result = registry.load("hand")(network, dtype).differentiate(point.weights, point.x, point.y)
        centre = end_to_end(network, point.weights, point.x, point.y, profile_of("float64"))
        for link in network.backward_links:
            name, index = link.output, tuple(0 for _ in result.gradients[link.output].shape)
            bounded = centre.tensors[name]
            if check == "rounding":
                bounded = alone(link, point.tensors(result), profile_of(dtype))
            sees = 2 * bounded.bound[index]  # times |centre|
            if not sees:  # exact links: the smallest change that the dtype can hold
                sees = np.spacing(np.abs(bounded.value[index]).astype(dtype)) / 2
            wrong = changed(result, name, index, 2 * sees)
            if check == "formula":
                rows = checks.formula(point, "hand", wrong, centre)
            else:
                rows = checks.rounding(point, "hand", wrong, profile_of(dtype))
            row = next(row for row in rows if row.gradient == name)
            assert row.verdict == "FAULT", (name, check)
            assert row.outside == 1


def test_a_tapped_pass_is_the_untapped_one(framework):
    made = implementation(framework, "tanh", "cross-entropy", "float32")
    point = point_of(made.network, "float32")
    tapped = made.differentiate(point.weights, point.x, point.y)
    plain = made.differentiate(point.weights, point.x, point.y, tap=False)
    assert set(plain.gradients) == set(made.network.gradients)
    assert all(np.array_equal(tapped.gradients[n], plain.gradients[n]) for n in plain.gradients)
    assert set(tensors_of(tapped)) == {link.output for link in made.network.links}


def test_float64_mode_is_back_off_after_a_float64_run():
    implementation("jax", "tanh", "cross-entropy", "float64")
    harness.run("4-3-2-1", against=["jax"], steps=1, dtype="float64")
    assert (
        registry.load("jax")(network_of("tanh", "cross-entropy"), "float32").environment()["jax float64 mode"] == "off"
    )
