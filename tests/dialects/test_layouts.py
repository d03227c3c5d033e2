"""Samples in rows, in columns, one at a time: right programs pass, the same with one mistake are located."""

from functools import partial

import numpy as np
import pytest

import harness
from harness.candidates.layout import Layout
from tests.dialects import programs
from tests.graphs.branching import branching, positions

LABELS = harness.load_network("4-3", loss="cross-entropy")
WRITTEN = {"columns": programs.in_columns, "sample": programs.of_a_sample, "sample-column": programs.backprop}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("layout", "program"), WRITTEN.items(), ids=WRITTEN)
def test_a_right_program_passes_in_its_layout(layout, program, dtype):
    for seed in range(3):
        check = harness.check(program, programs.MODEL, layout=layout, batch=20, dtype=dtype, seed=seed)
        assert (check.verdict, [f for f in check.findings if f.kind != "names"]) == ("PASS", []), str(check)
        assert {row.gradient for row in check.judged} >= set(check.gradients)
    assert "read as: " in str(check).split("\n")[1]


@pytest.mark.parametrize(("layout", "program"), WRITTEN.items(), ids=WRITTEN)
def test_the_layout_in_which_it_is_right_is_named_where_it_was_asked_in_another(layout, program):
    for asked in ("rows", "columns"):
        if asked != layout:
            check = harness.check(program, programs.MODEL, layout=asked, batch=16)
            assert check.verdict == "FAIL"
            assert (
                f"note  {check.setting.name} is right in another layout: layout='{layout}' (--layout {layout})"
                in str(check)
            )
    wrong = partial(program, slope=programs.slope_of_z)
    assert "another layout" not in str(harness.check(wrong, programs.MODEL, batch=16))


@pytest.mark.parametrize(("layout", "program"), WRITTEN.items(), ids=WRITTEN)
def test_the_same_with_a_mistake_is_located(layout, program):
    check = harness.check(partial(program, slope=programs.slope_of_z), programs.MODEL, layout=layout, batch=16)
    assert (check.verdict, check.first_wrong) == ("FAIL", "dz1"), str(check)
    assert "z1·(1 − z1)" in check.diagnoses[0].causes[0].formula


def test_everything_is_judged_in_columns():
    check = harness.check(programs.in_columns, programs.MODEL, layout="columns")
    names = {"z1", "a1", "z2", "a2", "loss", "da2", "dz2", "dW2", "db2", "da1", "dz1", "dW1", "db1"}
    assert {row.gradient for row in check.judged} == names
    assert check.ignored == []


def changed(program, change):
    """A program of which the answer is changed, other than by a wrong number."""

    def backward(weights, x, y):
        found = program(weights, x, y)
        change(found)
        return found

    return backward


def transpose(name):
    return lambda found: found.update({name: found[name].T})


def test_a_gradient_in_rows_fails_in_columns_by_its_shape():
    check = harness.check(changed(programs.in_columns, transpose("dW2")), programs.MODEL, layout="columns", batch=9)
    assert check.verdict == "FAIL"
    said = (
        "returned dW2 of shape (3, 2) instead of (2, 3); that is the shape of its transpose: W has shape (n_out, n_in)"
    )
    assert said in check.reason
    check = harness.check(changed(programs.in_columns, transpose("dz1")), programs.MODEL, layout="columns", batch=9)
    assert "returned dz1 of shape (9, 3) instead of (3, 9)" in check.reason


@pytest.mark.parametrize(("layout", "program"), [("columns", programs.in_columns), ("rows", programs.in_rows)])
def test_a_transposed_square_weight_is_wrong_numbers(layout, program):
    assert harness.check(program, "4-4-4", layout=layout, batch=9).verdict == "PASS"
    check = harness.check(changed(program, transpose("dW2")), "4-4-4", layout=layout, batch=9)
    assert (check.verdict, check.first_wrong) == ("FAIL", "dW2")


@pytest.mark.parametrize("layout", WRITTEN)
def test_what_is_changed_in_place_is_seen(layout):
    def backward(weights, x, y):
        x -= 1
        return WRITTEN[layout](weights, x + 1, y)

    check = harness.check(backward, programs.MODEL, layout=layout, batch=8)
    assert "changed x, which it was given to read" in [finding.message for finding in check.findings if finding.fails]


def test_a_bias_that_is_not_summed_fails_in_columns():
    unsummed = changed(programs.in_columns, lambda found: found.update(db1=found["dz1"]))
    check = harness.check(unsummed, programs.MODEL, layout="columns", batch=9)
    assert "returned db1 of shape (3, 9) instead of (3, 1)" in check.reason


def test_what_is_given_is_contiguous_and_labels_stay_one_for_each_sample():
    given = []

    def backward(weights, x, y):
        given.append((x, y, weights["W1"], weights["b1"]))
        return programs.of_labels(weights, x, y)

    check = harness.check(backward, LABELS, layout="columns", batch=12)
    assert check.verdict == "PASS", str(check)
    x, y, weight, bias = given[0]
    assert (x.shape, y.shape, weight.shape, bias.shape) == ((4, 12), (12,), (3, 4), (3, 1))
    assert all(array.flags.c_contiguous for array in given[0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_mean_over_samples_that_come_one_by_one_divides_exactly(dtype):
    check = harness.check(programs.of_a_label, LABELS, layout="sample", dtype=dtype, batch=30)
    assert check.verdict == "PASS", str(check)
    assert check.setting.rows == 16
    assert "loss" in {row.gradient for row in check.judged}

    def doubled(weights, x, y):
        loss, (weight, bias) = programs.of_a_label(weights, x, y)
        return loss, (weight, bias * 2)

    check = harness.check(doubled, LABELS, layout="sample", batch=16)
    assert (check.verdict, check.first_wrong) == ("FAIL", "db1")


def test_a_function_that_sums_over_its_calls_is_told_so():
    sums = {}

    def backward(weights, x, y):
        for name, array in programs.of_a_sample(weights, x, y).items():
            sums[name] = sums.get(name, 0) + array
        return dict(sums)

    assert harness.check(backward, programs.MODEL, layout="sample", batch=8).verdict == "FAIL"


def test_memory_that_the_next_sample_writes_to_is_read_in_time():
    buffers = {"dW1": np.zeros((4, 3)), "db1": np.zeros(3), "dW2": np.zeros((3, 2)), "db2": np.zeros(2)}

    def backward(weights, x, y):
        for name, array in programs.of_a_sample(weights, x, y).items():
            if name in buffers:
                buffers[name][...] = array
        return buffers

    assert harness.check(backward, programs.MODEL, layout="sample", batch=8).verdict == "PASS"


def test_functions_of_frameworks_get_their_own_arrays_in_columns():
    torch = pytest.importorskip("torch")

    def backward(weights, x, y):
        weights = {name: torch.nn.Parameter(w) for name, w in weights.items()}
        a1 = torch.sigmoid(weights["W1"] @ x + weights["b1"])
        a2 = torch.sigmoid(weights["W2"] @ a1 + weights["b2"])
        (loss := ((a2 - y) ** 2).sum()).backward()
        return {"loss": loss, "grads": {name: w.grad for name, w in weights.items()}}

    check = harness.check(backward, programs.MODEL, layout="columns", batch=9, arrays="torch")
    assert check.verdict == "PASS", str(check)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"layout": "cols"}, "layout='cols', because there is none of that name; give rows, columns, sample"),
        ({"layout": None}, "layout=None, because it is no text"),
        ({"layout": ["rows"]}, "because it is no text"),
    ],
)
def test_another_layout_is_refused(options, why):
    with pytest.raises(harness.UsageError, match=why):
        harness.check(programs.in_rows, programs.MODEL, **options)


def test_networks_whose_tensors_cannot_lie_so_are_refused(tmp_path):
    with pytest.raises(harness.UsageError, match=r"because i has shape \(N, 5\) and only a column of numbers"):
        harness.check(programs.in_rows, positions(), "random", layout="columns")
    with pytest.raises(harness.UsageError, match="Cannot use layout with a file of numbers"):
        harness.check(tmp_path / "dump.npz", programs.MODEL, layout="columns")


@pytest.mark.parametrize("layout", ["columns", "sample", "sample-column"])
def test_a_graph_of_several_inputs_and_shared_weights_lies_in_any_layout(layout):
    network = branching()

    def rows(name, array):
        array = np.asarray(array)
        if (name in ("k", "y") and not array.ndim) or (layout == "sample" and network.tensors[name].per_row):
            return array[None]
        if layout == "sample" or network.tensors[name].whole:
            return array
        return array.T if len(network.tensors[name].shape) > 1 else array[:, 0] if array.ndim else array

    def backward(weights, x, y):
        t = {name: rows(name, array) for name, array in {**weights, **x, "y": y}.items()}
        for link in network.links:
            t[link.output] = link(t)
        lie = harness_layout(network)
        return {name: lie.laid(name, t[name]) for name in (*network.gradient.values(), *network.activations, "loss")}

    def harness_layout(network):
        return Layout(network, columns="column" in layout, alone="sample" in layout)

    check = harness.check(backward, network, "random", layout=layout, batch=16)
    assert check.verdict == "PASS", str(check)
    assert {row.gradient for row in check.judged} >= {"fc2.dW", "emb.dW", "h1.db", "res.s", "loss"}


def test_the_fixture_takes_layout_and_strict(lockstep):
    assert lockstep.check(programs.in_columns, programs.MODEL, layout="columns", batch=9).verdict == "PASS"
    lockstep.check(programs.backprop, programs.MODEL, layout="sample-column", batch=8)
    with pytest.raises(harness.GradientMismatch, match="read as dW1, db1, dW2"):
        lockstep.check(programs.backprop, programs.MODEL, layout="sample-column", batch=8, strict=True)
