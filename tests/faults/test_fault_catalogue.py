"""The catalogue of faults: which there are, that each rule is what it says, on floats and on bounded arrays alike."""

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.evaluation.incremental import Reach, in_bounds
from harness.faults import CAUSES, Fitted, faults_at, right_formula
from impls.hand import from_text
from impls.hand.losses.penalised import Penalty
from impls.hand.notation import ACTIVATIONS, LOSSES
from tests.graphs.branching import (
    attention,
    branching,
    functions,
    images,
    normalised,
    pooled,
    positions,
    sequence,
    three_readers,
    tokens,
)
from tests.graphs.layers import FAMILIES, network_of
from tests.helpers.diagnosing import point_of, tensors_with

ACTIVATED = [*ACTIVATIONS, "leaky-relu(slope=0.2)", "elu(alpha=0.5)", "softplus(threshold=1)"]
NETWORKS = [
    *(from_text("4-3-3-2", activation=activation) for activation in ACTIVATED),
    *(from_text("3-3-3", activation="tanh", loss=loss) for loss in LOSSES),
    from_text("3-2-3-2"),
    from_text(
        "3-3-3",
        loss="weighted-cross-entropy(ignore_index=1, label_smoothing=0.2, class_weights=[0.5, 1.0, 3.0])",
    ),
    from_text("3-2-2", loss='binary-cross-entropy(clamp="torch")'),
    from_text("3-2-2", loss="binary-cross-entropy(epsilon=1e-7)"),
    from_text("3-2-2", loss="sparse-categorical-cross-entropy(epsilon=1e-7, l2=0.1, half=True)"),
    from_text("3-3-3", loss="mean-squared-error(by=3, l2=0.1, l1=0.2, mean=True)"),
]


def faults_of(network):
    return [fault for link in network.links for fault in faults_at(network, link)]


GRAPHS = [
    branching(), positions(), three_readers(), tokens(), attention(), images(), pooled(), normalised(), functions(),
    sequence(),
]  # fmt: skip


def test_the_catalogue_names_exactly_the_causes_there_are():
    graphs = [*GRAPHS, *map(network_of, FAMILIES.values())]
    found = {fault.cause for network in [*NETWORKS, *graphs] for fault in faults_of(network)}
    assert found == set(CAUSES)
    assert len(CAUSES) == len(set(CAUSES)) >= 32


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_a_rule_gives_on_floats_is_within_what_it_gives_on_bounded_arrays(network):
    point = point_of(network)
    right = {**point.weights, "x": point.x, "y": point.y, **tensors_with(point, {})}
    shown = {link.output: right[link.output] for link in network.links}
    bounds = in_bounds(point, Reach(network, shown), shown, profile_of("float64"), {})
    for fault in faults_of(network):
        with np.errstate(all="ignore"):
            actual = fault.rule(right)
        expected = bounds.predicted(fault.at, fault.rule, [fault.at])[fault.at]
        assert actual.shape == right[fault.at].shape == expected.shape, fault
        with np.errstate(all="ignore"):
            inside = np.abs(actual - expected.value) <= expected.bound
        assert np.all(inside | ~np.isfinite(expected.bound)), fault


@pytest.mark.parametrize("network", NETWORKS[:3], ids=str)
def test_a_fault_is_told_in_one_line_with_its_formula(network):
    for fault in faults_of(network):
        for text in (fault.says, fault.formula):
            assert text, fault
            assert text.isprintable(), fault
            assert "{" not in text, fault
        if isinstance(fault, Fitted):
            told = fault.with_number(0.375)
            assert "0.375" in told.says
            assert "0.375" in told.formula


def test_a_fault_with_a_number_is_planted_with_the_usual_one_and_any_other():
    network = from_text("4-3-2-1")
    point = point_of(network)
    right = {**point.weights, "x": point.x, "y": point.y, **tensors_with(point, {})}
    (link,) = [link for link in network.links if link.output == "dW1"]
    (fault,) = [f for f in faults_at(network, link) if f.cause == "learning rate multiplied in"]
    np.testing.assert_array_equal(fault.with_number(0.1).rule(right), fault.rule(right))
    np.testing.assert_array_equal(fault.with_number(2.0).rule(right), 2 * right["dW1"])


def test_the_right_formulas():
    network = from_text("4-3-2-1")
    told = [right_formula(network, link) for link in network.links]
    assert told == [
        "z1 = x · W1 + b1", "a1 = sigmoid(z1)", "z2 = a1 · W2 + b2", "a2 = sigmoid(z2)", "z3 = a2 · W3 + b3",
        "a3 = sigmoid(z3)", "loss = sum over samples of (a3 - y)^2", "da3 = 2·(a3 − y)", "dz3 = da3 · a3·(1 − a3)",
        "dW3 = a2ᵀ · dz3", "db3 = sum of dz3 over the samples", "da2 = dz3 · W3ᵀ", "dz2 = da2 · a2·(1 − a2)",
        "dW2 = a1ᵀ · dz2", "db2 = sum of dz2 over the samples", "da1 = dz2 · W2ᵀ", "dz1 = da1 · a1·(1 − a1)",
        "dW1 = xᵀ · dz1", "db1 = sum of dz1 over the samples",
    ]  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_every_link_has_a_right_formula(network):
    for link in network.links:
        formula = right_formula(network, link)
        part = isinstance(link.layer, Penalty)  # of a gradient, told with the others
        assert formula.startswith(f"{link.names['dw'] if part else link.output} = ")
        assert "{" not in formula
