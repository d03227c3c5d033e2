"""The catalogue of faults on graphs: every rule is what it says, sums of parts have their own, power sees them all."""

from functools import cache

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.diagnosis import diagnose
from harness.evaluation.expected import given, walk
from harness.evaluation.given import with_buffers
from harness.evaluation.point import Point
from harness.fault_injection.misses import FORMULA, ROUNDING, catalogue_of, of_weights_only, plant
from harness.fault_injection.planted_pass import Ground
from harness.faults import CAUSES, Fault, faults_at, right_formula
from impls.graph import evaluate
from impls.hand import (
    Dense,
    Graph,
    Input,
    MeanSquaredError,
    Network,
    SumSquaredError,
    Tanh,
    node,
)
from impls.hand_numpy import Hand
from tests.graphs.branching import (
    Centring,
    Gain,
    attention,
    batch_of,
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

ROWS = 5


def own_weights():
    return Network([Dense(3, 4), Gain(4), Tanh(), Dense(4, 2)], MeanSquaredError())


def running_mean():
    return Graph(
        [Input("x", 3)], [node("centre", Centring(3), "x"), node("fc", Dense(3, 2), "centre.s")], SumSquaredError(),
        "fc.z",
    )  # fmt: skip


NETWORKS = [
    branching, positions, tokens, attention, three_readers, own_weights, running_mean, images, pooled, normalised,
    functions, sequence,
]  # fmt: skip


@cache
def point(make):
    network = make()
    x, y = batch_of(network, ROWS)
    buffers = {name: np.full(shape, 0.25) for name, shape in network.buffers.items()}
    return Point(network, network.init(0), with_buffers(network, x, buffers), y, 1)


@cache
def ground(dtype="float32"):
    network = branching()
    x, y = batch_of(network, ROWS)
    there = Point(network, network.init(0, dtype), x.astype(dtype), y.astype(dtype), 1)
    return Ground(there, Hand(network, dtype).differentiate(there.weights, there.x, there.y))


@cache
def tensors(make):
    """Of a right pass, in floats and bounded."""
    there = point(make)
    centre = there.centre("float64").tensors
    context = next(iter(centre.values())).context
    return evaluate(there.network.links, dict(there.named)), {**given(there, context), **centre}


def of_cause(network, at, *causes):
    return [fault for fault in faults_at(network, network.link[at]) if fault.cause in causes]


@pytest.mark.parametrize("make", NETWORKS)
def test_a_rule_gives_on_floats_what_it_gives_on_bounded_arrays_at_every_link(make):
    floats, bounded = tensors(make)
    network = point(make).network
    for link in network.links:
        for fault in faults_at(network, link):
            with np.errstate(all="ignore"):
                actual, expected = fault.rule(floats), fault.rule(bounded)
            assert np.shape(actual) == floats[link.output].shape == expected.shape, fault
            assert expected.holds(actual), fault
            assert fault.cause in CAUSES
            assert fault.at == link.output
            assert fault.says.isprintable(), fault
            assert "{" not in fault.says + fault.formula, fault


def test_every_fault_changes_something_unless_the_network_makes_it_the_same():
    """h1.z and h2.z are added, so their gradients are one; nothing here is long enough to be clipped."""
    floats, _ = tensors(branching)
    same = {
        (fault.cause, fault.at)
        for link, fault in catalogue_of(point(branching).network)
        if np.array_equal(fault.rule(floats), floats[link.output])
    }
    by_cause = {cause for cause, _ in same}
    assert by_cause <= {
        "clipped by value", "clipped by norm", "gradient of another layer", "derivative at another layer",
        "upstream of another layer", "derivative twice", "dropped path", "dropped sample", "dropped neuron",
        "first sample counted twice", "last sample counted twice", "repeated index overwritten", "parts swapped",
        "mean over a repeated index",
    }  # fmt: skip
    assert ("gradient of another layer", "h1.dW") in same
    assert ("derivative twice", "act3.da") in same  # the relu's is 0 or 1


def test_a_fault_at_any_link_of_a_graph_is_located_and_named():
    """One fault in eleven, everything shown that anybody shows: no parts of gradients."""
    there, profile = point(branching), profile_of("float64")
    network = there.network
    tried = 0
    for link, fault in catalogue_of(network)[::11]:
        with np.errstate(all="ignore"):
            made = evaluate(network.links, dict(there.named), planted={fault.at: fault.rule})
        shown = {name: np.asarray(made[name]) for name in network.link if not network.tensors[name].through}
        expected = walk(there, shown, profile).expected
        wrong = [name for name in expected if name in shown and not expected[name].holds(shown[name])]
        if not wrong:
            continue
        (diagnosis,) = diagnose(there, shown, profile, wrong)
        assert (fault.cause, link.output) in {(cause.cause, cause.at) for cause in diagnosis.causes}, fault
        tried += 1
    assert tried > 50


def test_a_sum_of_parts_has_faults_of_its_own_which_name_the_readers():
    network, (floats, _) = point(branching).network, tensors(branching)
    told = {fault.says: fault for fault in of_cause(network, "act1.da", *CAUSES)}
    last = told["only the path through fc2 counts in act1.da: that through res is overwritten by it"]
    np.testing.assert_array_equal(last.rule(floats), floats["act1.da:fc2.dx"])
    first = told["only the path through res counts in act1.da: that through fc2 is never added"]
    np.testing.assert_array_equal(first.rule(floats), floats["act1.da:res.dp"])
    twice = told["the path through res is counted twice in act1.da"]
    np.testing.assert_allclose(twice.rule(floats), floats["act1.da"] + floats["act1.da:res.dp"], rtol=1e-15)
    mean = told["act1.da is the mean over its 2 paths, where their sum belongs"]
    np.testing.assert_array_equal(mean.rule(floats), floats["act1.da"] / 2)
    shared = [fault.says for fault in of_cause(network, "fc2.dW", "part overwritten")]
    assert shared == [
        "only the path through fc2 counts in fc2.dW: that through again is overwritten by it",
        "only the path through again counts in fc2.dW: that through fc2 is never added",
    ]


def test_of_three_readers_any_may_be_left_out_and_one_that_reads_twice_is_told_by_what_it_reads():
    network, (floats, _) = point(three_readers).network, tensors(three_readers)
    parts = network.link["act.da"].inputs
    left_out = of_cause(network, "act.da", "part left out")
    assert {fault.says for fault in left_out} == {
        f"the path through {reader} is left out of act.da" for reader in ("one", "two", "square.dp", "square.dq")
    }
    rest = {fault.says.split()[3]: fault.rule(floats) for fault in left_out}
    np.testing.assert_allclose(floats["act.da"] - rest["two"], floats["act.da:two.dz"], atol=1e-15)
    faults = of_cause(network, "act.da", "part left out", "part overwritten", "part counted twice", "parts averaged")
    values = [np.asarray(fault.rule(floats)).tobytes() for fault in faults]
    assert len(faults) == 2 + len(parts) + len(parts) + 1
    assert len(set(values)) == len(values) - 2  # both parts of x · x are the same


def test_a_part_has_the_faults_of_its_link():
    network, (floats, _) = point(branching).network, tensors(branching)
    (fault,) = of_cause(network, "act1.da:fc2.dx", "not transposed")
    np.testing.assert_array_equal(fault.rule(floats), floats["fc2.dz"] @ floats["fc2.W"])
    assert fault.formula == "fc2.dz · fc2.W"
    step = {"learning rate multiplied in", "weight decay added", "clipped by value", "clipped by norm"}
    assert not of_cause(network, "fc2.dW:again.dW", *step)  # which are done to a gradient, not to its parts
    assert {fault.cause for fault in of_cause(network, "fc2.dW", *step)} == step


def test_layers_with_two_inputs_or_outputs_have_faults_of_their_own():
    network, (floats, _) = point(three_readers).network, tensors(three_readers)
    assert not of_cause(network, "act.da:square.dp", "own factor for the other")  # of x · x both factors are one
    network, (floats, _) = point(branching).network, tensors(branching)
    (fault,) = of_cause(network, "emb.de", "own factor for the other")
    np.testing.assert_array_equal(fault.rule(floats), floats["u2.ds"] * floats["emb.e"])
    (fault,) = of_cause(network, "cat.ds", "parts swapped")
    np.testing.assert_array_equal(fault.rule(floats), np.concatenate([floats["split.dq"], floats["split.dp"]], axis=-1))
    (fault,) = of_cause(network, "act4.da", "parts swapped")
    np.testing.assert_array_equal(fault.rule(floats), floats["cat.ds"][:, 3:])
    (fault,) = of_cause(network, "u2.ds", "cut one neuron beside")
    np.testing.assert_array_equal(fault.rule(floats), floats["cat.ds"][:, 5:8])
    kept = [fault.formula for fault in of_cause(network, "cat.ds", "gradient of one part only")]
    assert kept == ["[split.dp, 0]", "[0, split.dq]"]


def test_an_index_that_occurs_more_than_once_adds_more_than_once():
    network, (floats, _) = point(positions).network, tensors(positions)
    (last, first) = of_cause(network, "emb.dW", "repeated index overwritten")
    (averaged,) = of_cause(network, "emb.dW", "mean over a repeated index")
    index, upstream = floats["i"].ravel(), floats["emb.de"].reshape(-1, 3)
    assert len(set(index)) < len(index)
    for v in range(7):
        places = np.flatnonzero(index == v)
        expected = (
            [upstream[places[-1]], upstream[places[0]], upstream[places].mean(axis=0)] if len(places) else [0] * 3
        )
        for fault, row in zip((last, first, averaged), expected, strict=True):
            np.testing.assert_allclose(fault.rule(floats)[v], row, rtol=1e-12, atol=1e-15)


def test_positions_are_no_samples():
    network, (floats, _) = point(positions).network, tensors(positions)
    (mean,) = of_cause(network, "fc2.dW", "mean for sum")
    np.testing.assert_array_equal(mean.rule(floats), floats["fc2.dW"] / ROWS)
    dropped = {fault.cause: fault.rule(floats) for fault in faults_at(network, network.link["sm.da"])}
    assert not dropped["dropped position"][:, -1].any()
    assert dropped["dropped position"][:, 0].all()
    assert not dropped["dropped sample"][-1].any()
    assert not dropped["dropped neuron"][..., -1].any()


def test_a_weight_of_any_name_has_faults():
    network = point(own_weights).network
    (gain,) = [name for name, shape in network.weights.items() if name.startswith("g")]
    link = network.link[network.gradient[gain]]
    causes = {fault.cause for fault in faults_at(network, link)}
    assert {"sign flipped", "mean for sum", "dropped sample", "only one sample", "weight decay added"} <= causes
    assert right_formula(network, link) == f"{link.output} = Gain.dg({', '.join(link.inputs)})"


def test_the_right_formulas_of_layers_that_branch():
    network = point(branching).network
    told = {link.output: right_formula(network, link).removeprefix(f"{link.output} = ") for link in network.links}
    assert told["res.s"] == "act1.a + act2.a"
    assert told["act1.da"] == "act1.da:res.dp + act1.da:fc2.dx"
    assert told["act1.da:fc2.dx"] == "fc2.dz · fc2.Wᵀ"
    assert told["again.dz"] == "act3.da · (1 − act3.a²)"
    assert told["fc2.dz"] == "act2.da · act2.a·(1 − act2.a)"
    assert told["emb.de"] == "u2.ds · u"
    assert told["cat.ds"] == "[split.dp, split.dq]"
    assert told["out.ds"] == "2·(out.s − y)/(3·N)"


@pytest.mark.parametrize("make", [branching, three_readers])
def test_a_comparison_misses_no_fault_of_a_graph(make):
    network = make()
    power = harness.power(network, batch_of(network, ROWS), ["hand"])
    assert (power.verdict, power.missed) == ("PASS", [])
    assert power.links == len(network.backward_links)
    assert len(power.planted) == power.possible
    assert power.misses(FORMULA) == []
    assert {each.fault.cause for each in power.misses(ROUNDING)} <= {"computed in float32", "accumulated in float32"}
    assert f"{power.possible} faults planted at {power.links} links" in power.reason


def test_a_fault_in_a_part_is_judged_by_the_sum_which_is_all_that_is_shown():
    link = ground().network.link["act1.da:fc2.dx"]
    working = ground().working
    ((shown, value),) = working.shown_after(link, 2 * working.given[link.output], working.told).items()
    assert shown == "act1.da"
    expected = ground().working.given["act1.da"] + ground().working.given[link.output]
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    tiny = Fault("made up", link.output, "", "", lambda t: link(t) * (1 + 2.0**-30))
    planted = of_weights_only(ground(), link, plant(ground(), link, tiny, {}))
    assert (planted.differs, planted.visible, planted.missed) == (True, False, False)
    another = Fault("made up", link.output, "", "", lambda t: link(t)[:, :1])
    assert not any(plant(ground(), link, another, {}).accepted.values())


def test_the_gradients_that_checks_by_differences_get_are_the_right_ones_and_the_faulty_ones():
    loss, gradient_with, weights = ground().passes("float64")
    network = ground().network
    step = 1e-6
    moved = {name: w + step * (name == "fc1.b") for name, w in weights.items()}
    back = {name: w - step * (name == "fc1.b") for name, w in weights.items()}
    right_ones = gradient_with({})(weights)
    assert set(right_ones) == set(network.weights)
    assert right_ones["fc1.b"].sum() == pytest.approx((loss(moved) - loss(back)) / (2 * step), rel=1e-5)
    (fault,) = of_cause(network, "act1.da", "parts averaged")
    wrong = gradient_with({fault.at: fault.rule})(weights)
    np.testing.assert_allclose(wrong["fc1.b"], right_ones["fc1.b"] / 2, rtol=1e-12)
    np.testing.assert_array_equal(wrong["fc2.W"], right_ones["fc2.W"])
