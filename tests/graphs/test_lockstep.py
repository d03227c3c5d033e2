"""Graphs in lockstep: hand, torch and JAX agree up to rounding, link by link and end to end, and with the truth."""

from itertools import product

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.comparison.checks import end_to_end, formula, rounding
from harness.evaluation.given import named, with_buffers
from harness.evaluation.point import Point
from harness.evaluation.strides import Stride
from impls import registry
from impls.graph import evaluate
from impls.hand import Dense, GraphBuilder, LayerNorm, SumSquaredError
from tests.graphs.branching import (
    attention,
    batch_of,
    branching,
    functions,
    images,
    normalised,
    pooled,
    positions,
    sequence,
    tokens,
)

NETWORKS = [branching, positions, tokens, attention, images, pooled, functions, sequence]
CASES = [(make, "float32") for make in NETWORKS] + [(make, "float64") for make in (*NETWORKS, normalised)]


def in_dtype(array, dtype):
    """Whole numbers stay what they are."""
    return array if getattr(array, "dtype", None) == np.int64 else array.astype(dtype)


@pytest.mark.parametrize("name", ["hand", "torch", "jax"])
@pytest.mark.parametrize(("make", "dtype"), CASES)
def test_every_link_is_within_its_bound(make, dtype, name):
    network = make()
    x, y = batch_of(network, 6)
    weights = {n: w.astype(dtype) for n, w in network.init(1).items()}
    x = with_buffers(network, in_dtype(x, dtype), network.fresh_buffers(dtype))
    point = Point(network, weights, x, in_dtype(y, dtype), 1)
    made = registry.load(name)(network, dtype)
    result = made.differentiate(point.weights, point.x, point.y)
    hand = registry.load("hand")(network, dtype).differentiate(point.weights, point.x, point.y)
    profile = profile_of(dtype, getattr(made, "eager", False))
    links = rounding(point, name, result, profile)
    rows = [*links, *formula(point, name, result), *end_to_end(point, name, result, hand)]
    shown = [link.output for link in network.links if not network.tensors[link.output].through]
    assert [row.gradient for row in links] == shown  # parts of a gradient are no rows of their own
    assert {row.verdict for row in rows} == {"ok"}


@pytest.mark.parametrize("make", [*NETWORKS, normalised])
def test_entries_that_a_link_says_it_can_compute_apart_are_those_of_the_whole(make):
    network = make()
    x, y = batch_of(network, 6)
    weights, x = network.init(1), with_buffers(network, in_dtype(x, "float64"), network.fresh_buffers("float64"))
    tensors = evaluate(network.links, named(network, weights, x, in_dtype(y, "float64")))
    apart = [link for link in network.links if link.slices]
    for link, every in product(apart, (Stride(2, 1), Stride(3, 0))):
        part = link({**tensors, **{name: every.of(tensors[name], axis) for name, axis in link.slices.items()}})
        np.testing.assert_allclose(part, every.of(tensors[link.output], link.axis), rtol=1e-12, atol=1e-12)
    assert len(apart) > len(network.links) / 2


def test_a_run_on_several_inputs_passes_and_is_read_back(tmp_path):
    network = branching()
    record = tmp_path / "run.jsonl"
    run = harness.run(
        network, batch_of(network, 70), steps=4, batch=20, optimizer="adam(lr=0.01)", exact=True, output=record
    )
    assert (run.verdict, run.exit) == ("PASS", 0)
    again = harness.read_run(record)
    assert (again.verdict, again.rows) == ("PASS", run.rows)
    assert {c.truth for c in run.certificates} == {"ball"}
    assert "fc2.dW 6×6" in str(run)


def test_a_free_run_passes():
    network = branching()
    run = harness.run(network, "random", steps=3, free_run=True, dtype="float64")
    assert run.verdict == "PASS"
    assert run.explanation("torch").explained is True


def test_torchs_gain_of_a_layer_norm_over_one_neuron_is_found_unasked():
    """Its normalised input is exactly 0, and so is the gain's gradient; torch sums x r and m r apart."""
    net = GraphBuilder()
    h = net("ln", LayerNorm(1), net("fc", Dense(3, 1), net.input("x", 3)))
    run = harness.run(net.loss(SumSquaredError(), h), "random", against=["torch"], steps=1)
    assert (run.verdict, {row.gradient for row in run.rows if row.verdict == "FAULT"}) == ("FAIL", {"ln.dg"})
