"""Graphs in lockstep: hand, torch and JAX agree up to rounding, link by link and end to end, and with the truth."""

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.comparison.checks import end_to_end, formula, rounding
from harness.evaluation.given import with_buffers
from harness.evaluation.point import Point
from harness.inputs.schedule import EVERY_ENTRY, Stride
from impls import registry
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

STRIDES = {"every entry": EVERY_ENTRY, "every other": Stride(2, 1)}
BOTH = [(dtype, stride) for dtype in ("float32", "float64") for stride in STRIDES]
CASES = [
    *((make, *case) for make in (branching, positions) for case in BOTH),
    *((make, *case) for make in (tokens, attention, images, pooled, functions, sequence) for case in BOTH[1:3]),
    (normalised, "float64", "every entry"),
    (normalised, "float64", "every other"),
]


def in_dtype(array, dtype):
    """Whole numbers stay what they are."""
    return array if getattr(array, "dtype", None) == np.int64 else array.astype(dtype)


@pytest.mark.parametrize("name", ["hand", "torch", "jax"])
@pytest.mark.parametrize(("make", "dtype", "entries"), CASES)
def test_every_link_is_within_its_bound(make, dtype, name, entries):
    stride = STRIDES[entries]
    network = make()
    x, y = batch_of(network, 6)
    weights = {n: w.astype(dtype) for n, w in network.init(1).items()}
    x = with_buffers(network, in_dtype(x, dtype), network.fresh_buffers(dtype))
    point = Point(network, weights, x, in_dtype(y, dtype), 1)
    made = registry.load(name)(network, dtype)
    result = made.differentiate(point.weights, point.x, point.y)
    hand = registry.load("hand")(network, dtype).differentiate(point.weights, point.x, point.y)
    profile = profile_of(dtype, getattr(made, "eager", False))
    links = rounding(point, name, result, profile, stride)
    rows = [*links, *formula(point, name, result, stride), *end_to_end(point, name, result, hand, stride)]
    shown = [link.output for link in network.links if not network.tensors[link.output].through]
    assert [row.gradient for row in links] == shown  # parts of a gradient are no rows of their own
    assert {row.verdict for row in rows} == {"ok"}


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
