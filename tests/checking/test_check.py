"""Checking a backward pass: right ones pass however they are written, wrong ones are located, contracts hold."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import harness
from impls.hand import Dense, MeanAbsoluteError, Network, Relu

USERS = Path(__file__).parents[1] / "users"


def module(name):
    spec = importlib.util.spec_from_file_location(f"users_{name}", USERS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


right, misbehaving = module("right"), module("misbehaving")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["backward", "loops", "einsum_from_z", "wide_sums"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_correct_function_raises_no_alarm_however_it_is_written(name, dtype, seed):
    check = harness.check(getattr(right, name), dtype=dtype, seed=seed, batch=40)
    assert (check.verdict, check.findings) == ("PASS", []), str(check)
    assert all(row.verdict == "ok" for row in check.rows)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_of_frameworks_get_their_own_arrays(framework, dtype):
    check = harness.check(getattr(right, f"in_{framework}"), dtype=dtype)
    assert check.verdict == "PASS", str(check)


@pytest.mark.parametrize("seed", range(4))
def test_memory_used_again_is_no_mistake(seed):
    check = harness.check(right.in_place, seed=seed)
    assert check.verdict == "PASS", str(check)
    assert [finding.kind for finding in check.findings] == ["aliasing"] * 3
    assert "da2" not in {row.gradient for row in check.rows}


def test_a_gradient_that_is_the_same_elsewhere_is_not_stale():
    def backward(weights, x, y):
        slope = np.sign(x @ weights["W1"] + weights["b1"] - y) / y.size
        return {"dW1": x.T @ slope, "db1": slope.sum(axis=0)}

    network = harness.load_network("4-1", activation="identity", loss="mean-absolute-error")
    for seed in range(12):
        assert harness.check(backward, network, batch=1, seed=seed).verdict == "PASS"


def wrong_at(tensor, change):
    """A pass that shows everything and is wrong from one tensor on."""
    network = harness.load_network("4-3-2-1")

    def backward(weights, x, y):
        tensors = {"x": x, "y": y, **weights}
        for link in network.links:
            tensors[link.output] = link(tensors)
            if link.output == tensor:
                tensors[link.output] = change(tensors[link.output])
        return tensors

    return backward


@pytest.mark.parametrize("tensor", ["da3", "dz3", "dW3", "db3", "da2", "dz2", "dW2", "db2", "da1", "dz1", "dW1", "db1"])
def test_the_first_wrong_link_is_found_and_all_behind_it_inherits(tensor):
    network = harness.load_network("4-3-2-1")
    check = harness.check(wrong_at(tensor, lambda value: value * 1.001 + 1e-9))
    assert check.exit == 1
    assert check.located.faulty == [tensor]
    assert f"first wrong link: {tensor}" in check.reason
    reads = {link.output: link.inputs for link in network.links}
    behind = {tensor}
    for name, inputs in reads.items():
        if behind & set(inputs):
            behind.add(name)
    assert {row.gradient for row in check.rows if row.verdict == "inherited"} == behind - {tensor}


def test_two_wrong_links_are_both_found():
    first = wrong_at("dz3", np.negative)

    def backward(weights, x, y):
        tensors = first(weights, x, y)
        return tensors | {"dW1": 2 * tensors["dW1"]}

    assert harness.check(backward).located.faulty == ["dz3", "dW1"]


def test_a_wrong_forward_pass_is_told_as_such():
    check = harness.check(wrong_at("a1", lambda value: value + 1e-3))
    assert check.located.faulty == ["a1"]
    assert "first wrong link: a1" in check.reason


def test_an_error_of_a_few_roundings_is_seen():
    check = harness.check(wrong_at("dW2", lambda value: value * (1 + 2e-12)))
    assert check.located.faulty == ["dW2"]


def test_another_subgradient_at_a_kink_is_a_convention():
    network = Network([Dense(2, 2), Relu(), Dense(2, 1)], MeanAbsoluteError())
    x = np.array([[0.0, 0.0], [1.0, 2.0], [-1.0, 0.5]])
    y = np.array([[0.25], [0.5], [0.75]])

    def backward(weights, x, y):
        # The bias is taken off, so that the first sample's arguments are exactly 0.
        tensors = {"x": x, "y": y, **weights}
        for link in network.links:
            tensors[link.output] = link(tensors)
            if link.output == "dz1":
                tensors["dz1"] = tensors["da1"] * (tensors["z1"] >= 0)
        return tensors

    from harness.arithmetic import profile_of
    from harness.diagnosis.location import located
    from harness.evaluation.point import Point

    weights = network.init(0) | {"b1": np.zeros(2)}
    point = Point(network, weights, x, y, 1)
    shown = {name: array for name, array in backward(weights, x, y).items() if name not in ("x", "y", *weights)}
    found = located(point, shown, profile_of("float64"), "mine")
    verdicts = {row.gradient: row.verdict for row in found.rows}
    assert verdicts["dz1"] == "convention"
    assert found.faulty == []
    assert "2 of 6 arguments are exactly on a kink" in next(r.reason for r in found.rows if r.gradient == "dz1")
    shown["dz1"] = shown["dz1"] + (shown["z1"] == 0)  # beyond both subgradients
    del shown["dW1"], shown["db1"]
    assert located(point, shown, profile_of("float64"), "mine").faulty == ["dz1"]


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("returns_nothing", "not a pass", "returned nothing instead of a dictionary"),
        ("returns_an_empty_dictionary", "names", "returned an empty dictionary"),
        ("names_of_another_network", "names", "returned only dW7 (4, 3), gradient (3, 2), none of which"),
        ("sizes_of_another_network", "shape", "returned dW1 of shape (7, 5) instead of (4, 3)"),
        ("text", "dtype", "returned dW1 as str, which cannot be read as an array of real numbers"),
        ("raises", "raised", "raised ValueError: matmul"),
        ("raises_silently", "raised", "raised Silent: (it cannot say what)"),
        ("ends_the_program", "raised", "raised SystemExit: 0"),
        ("transposed", "shape", "returned dW1 of shape (3, 4) instead of (4, 3); that is the shape of its transpose"),
        ("as_float32", "dtype", "returned dW3, db3, dW2 and 3 more as float32, though it was given float64"),
        ("changes_x", "changed its input", "changed x, which it was given to read"),
        ("takes_weights_away", "changed its input", "changed W1, b1, W2, b2, W3, b3"),
        ("unreadable", "not a pass", "returned a mapping that cannot be read: it raises LookupError: not now"),
        ("masked", "dtype", "returned dW1 as MaskedArray of float64, which cannot be read"),
        ("accumulates", "accumulates", "of the second call is twice that of the first"),
        ("stale", "other point", "though right at first; dW2, db2, dW1, db1 as in the call before"),
        ("kept_by_batch_size", "other point", "is wrong at other weights: dW3 first, though right at first"),
        ("writes_to_its_first_answer", "overwrites", "returned dW2 in memory that the second call writes to"),
        ("batch_of_150_built_in", "other point", "is wrong at other weights and on fewer rows: dW3 first"),
        ("contiguous_only", "layout", "is wrong when arrays are not contiguous (every second entry): dW"),
    ],
)
def test_a_broken_contract_is_told_by_name(name, kind, said):
    check = harness.check(getattr(misbehaving, name))
    assert check.verdict == "FAIL"
    assert check.exit == 1
    assert any(finding.kind == kind and said in finding.message and finding.fails for finding in check.findings), (
        check.findings
    )


def test_values_in_another_shape_are_judged_all_the_same():
    rows = {row.gradient: row.verdict for row in harness.check(misbehaving.transposed).rows}
    assert rows["dW1"] == "ok"


def test_lists_of_numbers_are_read():
    assert harness.check(misbehaving.as_lists).verdict == "PASS"


def test_an_asynchronous_function_is_refused():
    with pytest.raises(harness.UsageError, match="it is asynchronous"):
        harness.check(misbehaving.asynchronous)


def test_nan_is_a_fault_of_its_own_tensor():
    check = harness.check(misbehaving.one_nan)
    assert check.located.faulty == ["dW2"]
    assert "nan where" in next(row.reason for row in check.rows if row.gradient == "dW2")


def test_what_is_right_but_not_all_is_not_compared():
    check = harness.check(misbehaving.last_layer_only)
    assert (check.verdict, check.exit) == ("NOT COMPARED", 3)
    assert "returns no dW2, db2, dW1, db1" in check.reason


def test_names_that_mean_nothing_are_listed():
    def backward(weights, x, y):
        return right.backward(weights, x, y) | {"delta": x, "_": 1}

    check = harness.check(backward)
    assert check.verdict == "PASS"
    assert check.ignored == ["delta", "_"]
    assert "ignored  delta, _" in str(check)


def test_training_tells_whether_it_matters():
    check = harness.check(wrong_at("dW1", np.negative))
    learning = check.learning
    assert learning.steps == 400
    assert learning.right < learning.start
    assert learning.yours > learning.right
    assert "does it matter" in str(check)
    assert harness.check(right.backward).learning is None


def test_whether_it_matters_is_told_alike_however_its_gradients_are_returned():
    def wrong(weights, x, y):
        return right.backward(weights, x, y) | {"dW1": 0 * weights["W1"]}

    def by_turns(weights, x, y):  # now and then in another shape, type and order
        by_turns.calls += 1
        turn, found = by_turns.calls % 3, wrong(weights, x, y)
        if turn == 1:
            return {"grads": {name: found[name] for name in reversed(names)}}
        return {name: found[name].tolist() if turn == 2 else found[name] for name in names}

    by_turns.calls, names = 0, harness.load_network("4-3-2-1").gradients
    assert harness.check(by_turns).learning == harness.check(wrong).learning is not None


def test_the_object_and_its_json_agree():
    check = harness.check(wrong_at("dz2", np.negative))
    told = check.to_dict()
    assert told["verdict"] == check.verdict == "FAIL"
    assert told["first_wrong_link"] == "dz2"
    assert [row["gradient"] for row in told["rows"]] == [row.gradient for row in check.rows]


def test_a_keyword_of_the_network_is_told_to_be_one():
    with pytest.raises(TypeError, match=r"give check\(\.\.\., harness\.load_network\('4-3-1', activation='tanh'\)\)"):
        harness.check(right.backward, "4-3-1", activation="tanh")
