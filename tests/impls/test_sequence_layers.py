"""Layers of sequences: masks, heads that are shared, rotary positions, steps in time; mistakes in them located."""

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.comparison.checks import formula, rounding
from harness.evaluation.point import Point
from harness.faults import faults_at
from impls import registry
from impls.contract import Inputs
from impls.graph import evaluate
from impls.hand import (
    Dense,
    Graph,
    GraphBuilder,
    Heads,
    Input,
    MaskedSoftmax,
    MeanSquaredError,
    RepeatHeads,
    Rotary,
    node,
)
from impls.hand.layers.attention import causal_softmax
from impls.hand.named import named
from tests.graphs.branching import batch_of, sequence

RECURRENT = {name: named(f"{name}-char:width=3,context=4,tokens=5") for name in ("rnn", "lstm", "gru")}


@pytest.mark.parametrize("name", ["hand", "torch", "jax"])
def test_rows_of_which_nothing_is_seen_and_saturated_logits_are_within_their_bounds(name):
    net = GraphBuilder()
    a = net("soft", MaskedSoftmax(), net.input("z", (1, 2, 3), gradient=True), net.input("m", (3,), choices=2))
    network = net.loss(MeanSquaredError(), net("out", Dense(3, 1), net("turn", RepeatHeads(2), a)))
    rng = np.random.default_rng(0)
    for dtype, rows in (("float32", 5), ("float64", 1)):
        made, weights = registry.load(name)(network, dtype), network.init(0, dtype)
        for scale in (1.0, 1e4):
            m = rng.integers(0, 2, (rows, 3))
            m[-1] = 0
            x = Inputs({"z": (scale * rng.normal(size=(rows, 1, 2, 3))).astype(dtype), "m": m})
            point = Point(network, weights, x, rng.normal(size=(rows, 2, 2, 1)).astype(dtype), 1)
            shown = made.differentiate(point.weights, point.x, point.y)
            assert not shown.activations["soft.a"][-1].any()
            assert not shown.gradients["dz"][-1].any()
            judged = rounding(point, name, shown, profile_of(dtype, getattr(made, "eager", False)))
            assert {row.verdict for row in [*judged, *formula(point, name, shown)]} <= {"ok", "no power"}


def test_a_mask_that_hides_nothing_changes_nothing():
    z = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    np.testing.assert_allclose(MaskedSoftmax(causal=True).forward(z, np.ones((2, 4), int)), causal_softmax(z))
    hidden = np.array([[1, 1, 0, 1], [1, 0, 0, 0]])
    a = MaskedSoftmax().forward(z, hidden)
    np.testing.assert_allclose(a.sum(axis=-1), 1)
    assert not a[0, ..., 2].any()
    np.testing.assert_array_equal(a[1, ..., 0], 1)


@pytest.mark.parametrize("pairs", ["halves", "neighbours"])
def test_rotary_positions_turn_and_turn_back_and_know_distances_alone(pairs):
    layer, rng = Rotary(50.0, pairs), np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 7, 6))
    np.testing.assert_allclose(layer.dx(layer.forward(x)), x, atol=1e-14)
    np.testing.assert_array_equal(layer.forward(x)[:, :, 0], x[:, :, 0])
    q, k = (np.broadcast_to(rng.normal(size=6), (1, 1, 7, 6)) for _ in range(2))
    scores = (layer.forward(q) @ layer.forward(k).swapaxes(-1, -2))[0, 0]
    for distance in range(-6, 7):
        diagonal = np.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-12)
    assert abs(scores[0, 1] - scores[0, 2]) > 1e-3


def test_copies_of_a_head_lie_side_by_side_and_add_up():
    x = np.arange(12.0).reshape(1, 2, 2, 3)
    s = RepeatHeads(2).forward(x)
    np.testing.assert_array_equal(s[:, [0, 2]], x)
    np.testing.assert_array_equal(s[:, [1, 3]], x)
    np.testing.assert_array_equal(RepeatHeads(2).dx(s), 2 * x)


REFUSED = {
    "mask": (MaskedSoftmax(), {"z": (2, 3, 4), "m": (3,)}, r"m = m of shape \(N, 3\), and its mask has one number"),
    "causal": (MaskedSoftmax(causal=True), {"z": (2, 3, 4), "m": (4,)}, "sees the keys up to its own, one for each"),
    "heads": (Heads(3), {"x": (4, 8)}, r"shape \(N, 4, 8\), and it cuts rows of positions, .* into 3 heads"),
    "no heads": (RepeatHeads(2), {"x": (4, 8)}, r"shape \(N, 4, 8\), and it repeats heads"),
    "odd": (Rotary(), {"x": (2, 4, 3)}, r"shape \(N, 2, 4, 3\), and it turns pairs"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_sizes_that_do_not_fit_are_told_with_the_node(what):
    layer, shapes, match = REFUSED[what]
    whole = getattr(layer, "whole", {})
    inputs = [Input(name, shape, choices=whole.get(name, 0)) for name, shape in shapes.items()]
    with pytest.raises(ValueError, match=f"^Cannot connect first, .*{match}"):
        Graph(inputs, [node("first", layer, *shapes)], MeanSquaredError(), f"first.{layer.gives}")


@pytest.mark.parametrize("make", [lambda: Heads(0), lambda: RepeatHeads(1.5), lambda: Rotary(-1.0),
                                  lambda: Rotary(pairs="thirds"), lambda: MaskedSoftmax(causal="yes")])  # fmt: skip
def test_parameters_that_are_none_are_refused(make):
    with pytest.raises(ValueError, match=r"^Cannot .*, because .*; .*\.$"):
        make()


@pytest.mark.parametrize("cell", RECURRENT)
def test_a_recurrent_network_is_its_formula(cell):
    """Written once more as a loop over the steps, all gates of a step with matrices of their own."""
    network = RECURRENT[cell]
    weights = network.init(0)
    x, _ = batch_of(network, 3)
    forward = network.forward(weights, x)
    W = lambda gate, name, first="t0": weights[f"{first}.{gate}.{name}"]  # noqa: E731
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    h = c = np.zeros((3, 3))
    for t in range(4):
        e = weights["emb.W"][x[:, t]]
        z = {gate: e @ W(gate, "x.W", "t1" if gate in "fr" else "t0") + W(gate, "x.b", "t1" if gate in "fr" else "t0")
             for gate in {"rnn": "h", "lstm": "ifgo", "gru": "run"}[cell]}  # fmt: skip
        past = {gate: h @ W(gate, "h.W", "t1") for gate in z}
        if cell == "rnn":
            h = np.tanh(z["h"] + past["h"])
        elif cell == "lstm":
            i, f, o = (sigmoid(z[gate] + past[gate]) for gate in "ifo")
            c = f * c + i * np.tanh(z["g"] + past["g"])
            h = o * np.tanh(c)
        else:
            r, u = (sigmoid(z[gate] + past[gate]) for gate in "ru")
            n = np.tanh(z["n"] + r * past["n"])
            h = (1 - u) * n + u * h
        np.testing.assert_allclose(forward["states.s"][:, t], h, rtol=1e-12)


MISTAKES = {
    "mask in the backward only": ("past.a", "scores.ds:past.dz", "mask missing"),
    "turned the other way": ("rq.s", "hq.ds", "turned the other way"),
    "one copy": ("kk.s", "rk.ds", "only one path"),
    "a head in another's place": ("kk.s", "rk.ds", "heads mixed up"),
    "cut as it lies": ("hq.s", "hq.s", "reshaped for transposed"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_located_and_named(mistake):
    _, at, cause = MISTAKES[mistake]
    network = sequence()
    data = batch_of(network, 6)
    fault = next(f for f in faults_at(network, network.link[at]) if f.cause == cause)

    def backward(weights, x, y):
        given = {**weights, **network.given(x), "y": y}
        with np.errstate(all="ignore"):
            made = evaluate(network.links, given, planted={fault.at: fault.rule})
        return {
            name: made[name] for name in (*network.activations, "loss", *network.gradients, *network.gradient.values())
        }

    found = harness.check(backward, network, data)
    assert found.verdict == "FAIL"
    assert at.partition(":")[0] in str(found).split("first wrong link: ")[1].split("\n")[0]
    assert cause in {each.cause for diagnosis in found.diagnoses for each in diagnosis.causes}
