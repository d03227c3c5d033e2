"""What a compiler computes once more, by other roundings, is no fault of the link that reads it."""

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.comparison.checks import rounding
from harness.evaluation.point import Point
from impls import registry
from impls.contract import Pass
from impls.hand import Dense, Flatten, GraphBuilder, LayerNorm, MeanSquaredError, Relu
from impls.hand_numpy import Hand


def point():
    net, rng = GraphBuilder(), np.random.default_rng(0)
    h = net("act", Relu(), net("ln", LayerNorm(5), net.input("x", (4, 3, 5), gradient=True)))
    network = net.loss(MeanSquaredError(), net("fc", Dense(60, 2), net("flat", Flatten(), h)))
    x, y = (rng.normal(size=(3, *shape)).astype("f4") for shape in ((4, 3, 5), (2,)))
    return Point(network, network.init(0, "float32"), x, y, 1)


def verdicts(there, result, *, eager):
    rows = rounding(there, "it", result, profile_of("float32", eager))
    return {row.gradient: row.verdict for row in rows if row.verdict not in ("ok", "no power")}


def test_jax_may_flatten_another_copy_of_a_normalisation_than_it_shows():
    there = point()
    result = registry.load("jax")(there.network, "float32").differentiate(there.weights, there.x, there.y)
    assert not verdicts(there, result, eager=False)


@pytest.mark.parametrize(("off", "wrong"), [(2.0**-22, False), (1e-3, True)])
def test_another_copy_is_within_twice_the_bound_and_an_eager_program_has_none(off, wrong):
    there = point()
    right = Hand(there.network, "float32").differentiate(there.weights, there.x, there.y)
    flat = right.activations["flat.s"].copy()
    flat[1, np.argmax(flat[1])] *= np.float32(1 + off)
    shown = Pass(right.loss, right.gradients, {**right.activations, "flat.s": flat})
    assert ("flat.s" in verdicts(there, shown, eager=False)) is wrong
    assert "flat.s" in verdicts(there, shown, eager=True)
