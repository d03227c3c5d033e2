"""Gradients that are 0 but for rounding are told from those that nobody can see, in every check alike."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.evaluation.point import Point
from harness.evaluation.zeros import vanishes
from impls.hand import Dense, Identity, Network, Sigmoid, SumSquaredError
from impls.hand.parts import Activation
from tests.helpers.deferred import Deferred

torch = Deferred("torch")
U = profile_of("float64").u


def told(function, *arrays):
    """Whether a function of arrays is 0 but for rounding there."""

    def at(move):
        each = move.each()
        return np.asarray(function(*[each(np.asarray(array)) for array in arrays]))

    return vanishes(at, U)


RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 7))


def test_sums_that_are_zero_by_algebra():
    assert told(lambda x: (x - x.mean(0)).sum(0), X)
    assert told(lambda x: np.sin(x) ** 2 + np.cos(x) ** 2 - 1, X)
    assert told(lambda x: (x / x.sum() - x / x.sum().round(30)).sum() + (1 - (x / x.sum()).sum()), X)


def test_numbers_that_are_small_and_no_zeros():
    assert not told(lambda x: 1e-300 * x, X)
    assert not told(lambda x: np.exp(-700 - x**2), X)
    assert not told(lambda x: x.sum(0) * 0 + 1e-17, X)
    assert not told(lambda x: (x + 1e-9) - x, np.ones(5)), "7 digits of it are left"
    assert not told(lambda x: np.where(x > 0, 1.0, 0.0), np.full(9, 1e-300)), "no kink is near enough"
    assert not told(lambda x: np.where(x - 1 >= 0, 1.0, 0.0), np.ones(9)), "on a kink, one side stays"
    assert not told(lambda x: x * np.nan, X)
    assert not told(lambda x: np.sin(x) ** 2 + np.cos(x) ** 2 - 1 + np.exp(-(x**2)), 16 + X**2), "of 1 it is"
    assert not told(lambda x: x - x + np.eye(40, 7), X), "one entry is no zero"


class Centred(Activation):
    """a = z - its mean over the samples, dz = da - its mean over the samples: the bias before it has the gradient 0."""

    elementwise = False
    derivative = "1 - 1/N"

    def forward(self, z):
        return z - z.sum(axis=0) / len(z)

    def dz(self, da, a):
        return da - da.sum(axis=0) / len(da)


NETWORK = Network([Dense(4, 3), Centred(), Dense(3, 1), Identity()], SumSquaredError())


def backward(weights, x, y):
    z1 = x @ weights["W1"] + weights["b1"]
    a1 = z1 - z1.mean(0)
    z2 = a1 @ weights["W2"] + weights["b2"]
    dz2 = 2 * (z2 - y)
    da1 = dz2 @ weights["W2"].T
    dz1 = da1 - da1.mean(0)
    return {
        "z1": z1, "a1": a1, "z2": z2, "loss": ((z2 - y) ** 2).sum(), "dz2": dz2, "da1": da1, "dz1": dz1,
        "dW1": x.T @ dz1, "db1": dz1.sum(0), "dW2": a1.T @ dz2, "db2": dz2.sum(0),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_bias_before_a_mean_is_no_loss_of_power(dtype):
    check = harness.check(backward, NETWORK, dtype=dtype)
    assert check.verdict == "PASS", check
    assert {row.gradient: row.reason for row in check.rows}["db1"] == "0 but for rounding"
    wrong = harness.check(lambda *at: {**backward(*at), "db1": backward(*at)["da1"].sum(0)}, NETWORK, dtype=dtype)
    assert wrong.wrong == ["db1"]


def test_where_every_neuron_is_saturated_nothing_is_seen_and_that_is_no_zero():
    """a(1 - a) has no digit left: a half of it, and a wrong formula, would pass."""
    network = Network([Dense(4, 3), Sigmoid(), Dense(3, 1), Identity()], SumSquaredError())
    weights = {name: np.ones_like(array) for name, array in network.init(0, "float64").items()}
    point = Point(network, weights | {"b1": np.full(3, 31.0)}, np.ones((3, 4)), np.full((3, 1), 0.5), 1)
    centre = point.centre("float64").tensors["db1"]
    assert np.all(centre.value != 0)
    assert np.all(np.abs(centre.value) <= 2 * centre.bound)
    assert not point.vanishes("db1")
    assert point.nonzero == {"db1"}, "what is not 0 here is not 0 by algebra, at no later point of a run"


def test_an_operation_that_normalises_what_a_bias_was_added_to():
    def forward(x, b):
        z = x + b
        z = z - z.mean(0)
        return z / (z * z).mean(0).sqrt()

    class Normalised(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, b):
            z = x + b
            z = z - z.mean(0)
            scale = (z * z).mean(0).sqrt()
            ctx.save_for_backward(z / scale, scale)
            return z / scale

        @staticmethod
        def backward(ctx, upstream):
            a, scale = ctx.saved_tensors
            dz = (upstream - upstream.mean(0) - a * (upstream * a).mean(0)) / scale
            return dz, dz.sum(0)

    inputs = {"x": ("N", "K"), "b": ("K",)}
    found = harness.check_vjp(Normalised, reference=forward, inputs=inputs)
    assert found.verdict == "PASS", found
    assert "0 but for rounding" in {row.reason for row in found.rows if row.gradient == "db"}

    class Unsummed(Normalised):
        @staticmethod
        def backward(ctx, upstream):
            return Normalised.backward(ctx, upstream)[0], upstream.sum(0)

    assert harness.check_vjp(Unsummed, reference=forward, inputs=inputs).wrong == ["db"]
