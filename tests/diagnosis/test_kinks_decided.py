"""Arguments exactly on kinks that are not shown: decided by one convention, and no hull hides an error."""

from dataclasses import replace

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.diagnosis.kinks import exact_where_nothing_rounds
from harness.diagnosis.location import located
from harness.evaluation.expected import walk
from harness.evaluation.point import Point
from impls.hand import Dense, HardSigmoid, LeakyRelu, MeanAbsoluteError, Network, Relu, SumSquaredError


def on_whole_numbers(activation, loss, dtype="float64", *, seed=0, change=None, at_kink=None):
    """Gradients of the weights alone, on whole numbers, of which many arguments are on a kink."""
    rng = np.random.default_rng(seed)
    network = Network([Dense(3, 4), activation, Dense(4, 2)], loss)
    weights = {name: rng.integers(-2, 3, shape).astype(dtype) for name, shape in network.weights.items()}
    x, y = (rng.integers(-2, 3, (12, width)).astype(dtype) for width in (3, 2))
    tensors = {"x": x, "y": y, **weights}
    for link in network.links:
        tensors[link.output] = np.asarray(link(tensors), dtype)
        if link.output == "dz1" and at_kink is not None:
            tensors["dz1"] = np.where(tensors["z1"] == 0, at_kink * tensors["da1"], tensors["dz1"]).astype(dtype)
    shown = {name: tensors[name].copy() for name in network.gradients}
    if change:
        shown["dW1"][0, 0] += change
    return tensors, located(Point(network, weights, x, y, 1), shown, profile_of(dtype), "mine")


def verdicts(found):
    return {row.gradient: row.verdict for row in found.rows}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", [Relu(), LeakyRelu(0.1), HardSigmoid()])
@pytest.mark.parametrize("loss", [SumSquaredError(), MeanAbsoluteError()])
def test_the_hand_codes_own_side_is_right(activation, loss, dtype):
    _, found = on_whole_numbers(activation, loss, dtype)
    assert set(verdicts(found).values()) <= {"ok", "no power"}
    assert found.on_kinks == 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("taken", "said"), [(1.0, "the other side"), (0.5, "the middle of both sides")])
def test_another_side_is_a_convention(dtype, taken, said):
    _, found = on_whole_numbers(Relu(), SumSquaredError(), dtype, at_kink=taken)
    assert verdicts(found)["dW1"] == "convention"
    assert found.rows[2].reason == f"all arguments on a kink take {said}"
    assert found.faulty == []


def gap_of(tensors):
    """How far the hull over both sides reaches at dW1[0, 0], above and below."""
    kinks = np.where(tensors["z1"] == 0, tensors["da1"], 0.0)[:, 0] * tensors["x"][:, 0]
    return kinks[kinks > 0].sum(), kinks[kinks < 0].sum()


def test_what_only_the_hull_holds_is_told():
    tried = 0
    for seed in range(20):
        tensors, _ = on_whole_numbers(Relu(), SumSquaredError(), seed=seed)
        above, below = gap_of(tensors)
        change = above / 3 if above > -below else below / 3
        if not change:
            continue
        tried += 1
        _, found = on_whole_numbers(Relu(), SumSquaredError(), seed=seed, change=change)
        row = found.rows[2]
        assert row.verdict == "convention"
        assert "though no single convention gives it" in row.reason
        assert found.on_kinks == np.count_nonzero(tensors["z1"] == 0)
        _, found = on_whole_numbers(Relu(), SumSquaredError(), seed=seed, change=2 * (above - below))
        assert found.faulty == ["dW1"]
    assert tried > 5


def test_the_first_line_says_how_many_were_not_decided():
    check = harness.check(lambda weights, x, y: harness.reference("4-3-2-1", weights, x, y).gradients)
    assert check.verdict == "PASS", str(check)
    assert "on a kink" not in check.reason
    for count, said in ((10, "10 arguments lie on a kink and were"), (1, "1 argument lies on a kink and was")):
        told = replace(check, located=replace(check.located, on_kinks=count)).reason
        assert told.endswith(f"; {said} not decided")


def test_a_sum_is_exact_only_where_no_order_rounds():
    network = Network([Dense(2, 3), Relu(), Dense(3, 1)], SumSquaredError())
    W1 = np.array([[3.0, 0.1, 0.0], [-1.0, -0.1, 0.0]])
    weights = {"W1": W1, "b1": np.zeros(3), "W2": np.ones((3, 1)), "b2": np.zeros(1)}
    point = Point(network, weights, np.array([[1.0, 3.0], [0.1, 0.1], [2.0**60, 1.0]]), np.zeros((3, 1)), 1)
    link = network.forward_links[0]
    tensors = walk(point, {}, profile_of("float64")).read
    bound = exact_where_nothing_rounds(link, tensors).bound
    #    3 - 3, of whole numbers; 0.1 and 0.1 times 0.1 and -0.1 round; 0 and 0 never
    assert (bound == 0).tolist() == [[True, False, True], [False, False, True], [False, False, True]]
