"""Diagnosis: two mistakes at once, one mistake everywhere, what is unknown, precision, conventions, big networks."""

from random import Random
from time import process_time

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.diagnosis import diagnose
from harness.evaluation.point import Point
from harness.faults import faults_at
from impls.hand import from_text
from tests.helpers.diagnosing import faulty, point_of, tensors_with

NETWORK = from_text("4-3-2-1")


def link_of(network, name):
    return next(link for link in network.links if link.output == name)


def fault_of(network, at, cause):
    return next(fault for fault in faults_at(network, link_of(network, at)) if fault.cause == cause)


def diagnosed(point, rules, *, only=None, dtype="float64"):
    """Diagnoses of a pass with these rules; `only` names what is shown."""
    shown = tensors_with(point, rules)
    if only:
        shown = {name: tensor for name, tensor in shown.items() if name in only}
    wrong = faulty(point, shown, dtype)
    diagnoses = diagnose(point, shown, profile_of(dtype), wrong)
    assert [name for name in shown if any(name in d.explains for d in diagnoses)] == wrong
    return diagnoses


def planted(network, *faults):
    return {at: fault_of(network, at, cause).rule for at, cause in faults}


def causes_of(diagnoses):
    return [{(cause.cause, cause.at) for cause in diagnosis.causes} for diagnosis in diagnoses]


def test_two_mistakes_are_both_found_with_everything_shown():
    rng, point = Random(1), point_of(NETWORK)
    every = [fault for link in NETWORK.backward_links for fault in faults_at(NETWORK, link)]
    tried = 0
    for _ in range(40):
        one, other = rng.sample(every, 2)
        alone = [set(faulty(point, tensors_with(point, {f.at: f.rule}))) for f in (one, other)]
        shown = tensors_with(point, {one.at: one.rule, other.at: other.rule})
        wrong = faulty(point, shown)
        if one.at == other.at or set(wrong) != {one.at, other.at} or not all(alone):
            continue
        tried += 1
        found = {name for d in diagnose(point, shown, profile_of("float64"), wrong) for name in (d.at, *d.links)}
        assert found == {one.at, other.at}
    assert tried >= 20


@pytest.mark.parametrize(
    "pair",
    [
        (("dz3", "derivative missing"), ("dz1", "derivative at z")),
        (("da3", "half"), ("dW2", "pre-activation for activation")),
        (("dz2", "derivative twice"), ("db1", "mean for sum")),
        (("dz1", "sign flipped"), ("dW1", "sums before the product")),
        (("da2", "doubled"), ("da1", "dropped path")),
        (("da3", "mean for sum"), ("dz3", "derivative at z")),
        (("da3", "half"), ("dz3", "derivative of another activation")),
        (("da2", "half"), ("dz2", "derivative twice")),
    ],
    ids=str,
)
def test_two_mistakes_are_both_found_in_the_gradients_of_the_weights(pair):
    found = set().union(*causes_of(diagnosed(point_of(NETWORK), planted(NETWORK, *pair), only=NETWORK.gradients)))
    assert {(cause, at) for at, cause in pair} <= found


def test_one_mistake_at_every_weight_is_one_statement_with_one_number():
    rules = planted(NETWORK, *((at, "learning rate multiplied in") for at in NETWORK.gradients))
    (diagnosis,) = diagnosed(point_of(NETWORK), rules)
    assert set(diagnosis.links) == set(diagnosis.explains) == set(NETWORK.gradients)
    (cause,) = diagnosis.causes
    assert cause.cause == "learning rate multiplied in"
    assert "the same at" in cause.says
    assert abs(cause.number[0] - 0.1) <= cause.number[1]


def test_two_numbers_are_two_statements():
    rules = {
        "dW1": lambda t: 0.1 * link_of(NETWORK, "dW1")(t),
        "dW2": lambda t: 0.11 * link_of(NETWORK, "dW2")(t),
    }
    point = point_of(NETWORK)
    assert [d.at for d in diagnosed(point, rules)] == ["dW2", "dW1"]


def test_a_mistake_at_every_activation_is_one_statement():
    rules = planted(NETWORK, *((at, "derivative at z") for at in ("dz3", "dz2", "dz1")))
    for only in (None, NETWORK.gradients):
        (diagnosis,) = diagnosed(point_of(NETWORK), rules, only=only)
        assert diagnosis.links == ("dz3", "dz2", "dz1")
        assert causes_of([diagnosis]) == [{("derivative at z", "dz3")}]


def test_the_place_the_formula_and_the_worst_entry():
    (diagnosis,) = diagnosed(point_of(NETWORK), planted(NETWORK, ("dz2", "derivative at z")))
    point, shown = point_of(NETWORK), tensors_with(point_of(NETWORK), planted(NETWORK, ("dz2", "derivative at z")))
    right = link_of(NETWORK, "dz2")({**point.weights, **shown})
    entry = diagnosis.entry
    assert (diagnosis.at, diagnosis.shown_at, entry.tensor) == ("dz2", "dz2", "dz2")
    assert diagnosis.should == "dz2 = da2 · a2·(1 − a2)"
    assert diagnosis.causes[0].formula == "da2 · z2·(1 − z2)"
    assert entry.index == np.unravel_index(np.argmax(np.abs(shown["dz2"] - right)), right.shape)
    assert entry.actual == shown["dz2"][entry.index]
    assert entry.expected == pytest.approx(right[entry.index])
    assert entry.reads == {name: shown[name][entry.index] for name in ("z2", "a2", "da2")}
    assert diagnosis.causes[0].residual < 1e-12
    assert diagnosis.runner_up is None or 0.01 < diagnosis.runner_up.residual <= 0.5


def test_coinciding_causes_are_all_listed():
    network = from_text("3-2")  # the factor 1/2 of the loss, and of its one activation behind it
    (diagnosis,) = diagnosed(point_of(network), planted(network, ("da1", "half")), only=network.gradients)
    assert {("half", "da1"), ("half", "dz1")} <= causes_of([diagnosis])[0]


def test_an_unknown_mistake_is_not_named():
    odd = {"dz2": lambda t: t["da2"] * np.cos(t["a2"])}
    (diagnosis,) = diagnosed(point_of(NETWORK), odd)
    assert (diagnosis.at, diagnosis.causes) == ("dz2", ())
    assert diagnosis.runner_up is not None
    assert diagnosis.known
    (hidden,) = diagnosed(point_of(NETWORK), odd, only=NETWORK.gradients)
    assert (hidden.at, hidden.shown_at, hidden.causes) == ("dW2", "dW2", ())
    assert hidden.explains == ("dW2", "db2", "dW1", "db1")
    assert hidden.known[0] == "the mistake is in da2 or dz2, which are not shown"


def test_a_number_that_two_entries_show_is_no_evidence():
    (diagnosis,) = diagnosed(point_of(NETWORK), {"db2": lambda t: 0.7 * t["dz2"].sum(axis=0)})
    assert diagnosis.causes == ()
    assert "every entry is 0.7 times what it should be" in diagnosis.known


def test_float32_in_float64s_clothing():
    point = point_of(NETWORK)
    narrow = {name: np.float32(a) for name, a in {**point.weights, "x": point.x, "y": point.y}.items()}
    for link in NETWORK.links:
        narrow[link.output] = link(narrow)
    shown = {link.output: np.float64(narrow[link.output]) for link in NETWORK.links}
    for names in (shown, NETWORK.gradients):
        seen = {name: shown[name] for name in names}
        (diagnosis,) = diagnose(point, seen, profile_of("float64"), faulty(point, seen))
        assert diagnosis.causes[0].cause == "computed in float32"
        assert diagnosis.causes[0].says.startswith("everything")


def test_mistakes_in_float32_are_named_too():
    double = point_of(NETWORK)
    weights = {name: np.float32(w) for name, w in double.weights.items()}
    point = Point(NETWORK, weights, np.float32(double.x), np.float32(double.y), 1)
    for at, cause in (("dz2", "derivative at z"), ("da1", "dropped path"), ("dW1", "weight decay added")):
        (diagnosis,) = diagnosed(point, planted(NETWORK, (at, cause)), dtype="float32")
        assert (cause, at) in causes_of([diagnosis])[0]


def test_a_convention_at_a_kink_is_no_mistake():
    network = from_text("3-4-2", activation="relu")
    point = point_of(network)
    # The pre-activation shown is wrong, so it is taken exactly as it is: zeros stand on the kink.
    rules = {"z1": lambda t: np.maximum(t["x"] @ t["W1"] + t["b1"], 0), "dz1": lambda t: t["da1"] * (t["z1"] >= 0)}
    shown = tensors_with(point, rules)
    wrong = faulty(point, shown)
    assert wrong == ["z1", "dz1"]
    assert [d.at for d in diagnose(point, shown, profile_of("float64"), wrong)] == ["z1"]


BIG = "784-512-256-10"


@pytest.mark.parametrize("only_weights", [False, True], ids=["all", "weights"])
@pytest.mark.parametrize("at", ["dz1", "dW1", "da3"])
def test_a_big_network_is_diagnosed_in_seconds(at, only_weights):
    network = from_text(BIG)
    cause = {"dz1": "derivative at z", "dW1": "samples out of step", "da3": "mean for sum"}[at]
    point = point_of(network, rows=64)
    start = process_time()
    (diagnosis,) = diagnosed(point, planted(network, (at, cause)), only=network.gradients if only_weights else None)
    assert (cause, at) in causes_of([diagnosis])[0]
    assert process_time() - start < 10  # seconds on one thread, of which it takes one or two


def kinked():
    """A point of which every pre-activation of neuron 1 is 0 or a rounding error, so that its derivative is open."""
    network = from_text("3-4-2", activation="relu", output_activation="identity")
    point = point_of(network, rows=9)
    weights = {name: w.copy() for name, w in point.weights.items()}
    weights["W1"][:, 0], weights["b1"][0] = (1.1, 2.2, -3.3), 0.0
    return Point(network, weights, np.linspace(0.3, 3, 9)[:, None] * np.ones(3), point.y, 1)


def test_what_a_kink_leaves_open_is_no_evidence():
    point = kinked()
    shown = {"dW1": 0.98 * tensors_with(point, {})["dW1"]}
    wrong = faulty(point, shown)
    (diagnosis,) = diagnose(point, shown, profile_of("float64"), wrong)
    assert "learning rate multiplied in" in {cause.cause for cause in diagnosis.causes}
    for cause in diagnosis.causes:
        assert cause.residual < 1e-12
        assert cause.cause != "weight decay added"
        assert abs(cause.number[0] - 0.98) <= cause.number[1] < 1e-9
