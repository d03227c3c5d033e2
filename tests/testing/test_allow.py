"""``mine == harness.allow(reference)``: what rounding alone may change, and nothing else."""

import numpy as np
import pytest

import harness
from harness.testing.compared import told
from impls import registry
from impls.contract import Pass
from impls.hand import from_text
from impls.hand_numpy import Hand

NETWORK = "4-3-3-1"


@pytest.fixture(params=["float64", "float32"])
def reference(request):
    return harness.reference(NETWORK, dtype=request.param)


def shown(reference):
    return {**reference.activations, "loss": reference.loss, **reference.gradients}


def weight_gradients(reference):
    return {name: reference.gradients[name] for name in reference.network.gradients}


def first_line(mine, reference):
    with pytest.raises(harness.GradientMismatch) as caught:
        harness.assert_gradients_match(mine, reference)
    line = str(caught.value).split("\n")[0]
    assert len(line) <= 80
    assert caught.value.rows == caught.value.result.rows
    return line


def test_a_pass_and_its_tensors_equal_their_own_allowance_from_both_sides(reference):
    allowance = harness.allow(reference)
    for mine in (reference, shown(reference), weight_gradients(reference), reference.gradients):
        assert mine == allowance
        assert allowance == mine
        assert (mine != allowance) is False
        harness.assert_gradients_match(mine, reference)


def test_a_framework_equals_the_allowance(framework, reference):
    dtype = str(reference.loss.dtype)
    taken = registry.load(framework)(reference.network, dtype)
    mine = taken.differentiate(reference.weights, reference.x, reference.y)
    assert mine == harness.allow(reference)


def arrays_of(framework, tensors):
    """The tensors as arrays of a framework, in their own dtypes."""
    if framework == "torch":
        import torch

        return {name: torch.tensor(numbers, requires_grad=True) for name, numbers in tensors.items()}
    import jax

    with jax.enable_x64(True):
        return {name: jax.numpy.array(numbers) for name, numbers in tensors.items()}


def test_arrays_of_a_framework_on_the_left(framework, reference):
    mine = arrays_of(framework, shown(reference))
    assert mine == harness.allow(reference)
    other = arrays_of(framework, {"dW2": -reference.gradients["dW2"]})
    assert first_line({**mine, **other}, reference) == "FAIL  first wrong link: dW2"


def test_numpy_arrays_in_another_layout_on_the_left(reference):
    mine = {name: np.array(numbers, order="F") for name, numbers in shown(reference).items()}
    assert mine == harness.allow(reference)


@pytest.mark.parametrize("only_weights", [True, False])
def test_a_wrong_gradient_is_found_where_it_is(reference, only_weights):
    mine = dict(weight_gradients(reference) if only_weights else shown(reference))
    mine["dW2"] = mine["dW2"].T
    assert mine != harness.allow(reference)
    assert first_line(mine, reference) == "FAIL  first wrong link: dW2"


def test_what_follows_a_wrong_link_rightly_inherits_it(reference):
    tensors = shown(reference)
    given = {**tensors, "x": reference.x, "y": reference.y, **reference.weights}
    for link in reference.network.backward_links:
        given[link.output] = -link(given) if link.output == "dz2" else link(given)
    mine = {name: given[name] for name in tensors}
    assert first_line(mine, reference) == "FAIL  first wrong link: dz2; inherited by dW2, db2, da1, dz1, dW1, db1"
    result = harness.allow(reference).compare(mine)
    assert result.first_wrong == "dz2"
    summary, table = told(result).split("\n\n")
    assert "worst entry" in summary
    assert len(summary.split("\n")) <= 8  # which is what pytest shows
    assert "inherited" in table


def test_a_wrong_link_that_is_not_shown_is_told_from_the_gradients_of_the_weights():
    reference = harness.reference(NETWORK)
    given = {**shown(reference), "x": reference.x, "y": reference.y, **reference.weights}
    for link in reference.network.backward_links:
        given[link.output] = given["da2"] * given["z2"] * (1 - given["z2"]) if link.output == "dz2" else link(given)
    mine = {name: given[name] for name in reference.network.gradients}
    assert mine != harness.allow(reference)
    assert first_line(mine, reference) == "FAIL  first wrong link: dz2; seen at dW2; inherited by db2, dW1, db1"
    assert "what you computed   da2 · z2·(1 − z2): " in told(harness.allow(reference).compare(mine))


def test_a_common_factor_is_told_as_such(reference):
    mine = {name: gradient / 2 for name, gradient in weight_gradients(reference).items()}
    assert mine != harness.allow(reference)
    assert first_line(mine, reference) == "FAIL  every gradient is 0.5 × the reference"


def test_the_worst_entry_is_told_with_both_values_and_its_allowance():
    reference = harness.reference(NETWORK)
    mine = {name: array.copy() for name, array in weight_gradients(reference).items()}
    correct = float(mine["dW1"][3, 1])
    mine["dW1"][3, 1] = 7
    assert told(harness.allow(reference).compare(mine)).split("\n")[0] == "FAIL  first wrong link: dW1"
    (row,) = [row for row in harness.allow(reference).compare(mine).rows if row.gradient == "dW1"]
    assert (row.index, row.outside) == ((3, 1), 1)
    assert row.difference == 7 - correct
    assert row.used == row.difference / row.allowed


def test_nan_never_passes(reference):
    for name in ("dW1", "db2", "dz2", "a1", "loss"):
        mine = {name: np.array(array) for name, array in shown(reference).items()}
        mine[name].flat[0] = np.nan
        assert mine != harness.allow(reference)
        assert first_line(mine, reference).startswith("FAIL  ")


def test_nan_where_nothing_is_bounded_does_not_pass_either():
    large = {"W1": np.float32([[1e30], [1e30]]), "b1": np.float32([0])}
    with np.errstate(all="ignore"):  # z is inf - inf
        reference = Hand(from_text("2-1", activation="identity"), "float32").differentiate(
            large, np.float32([[1e30, -1e30]]), np.float32([[0]])
        )
        assert np.isnan(reference.gradients["dW1"]).all()
        assert reference != harness.allow(reference)
    assert first_line(reference, reference) == "FAIL  z1 holds NaN where a correct program may overflow"


def test_a_missing_gradient_fails_by_name(reference):
    mine = weight_gradients(reference)
    del mine["dW2"], mine["db1"]
    assert mine != harness.allow(reference)
    assert first_line(mine, reference) == "FAIL  db1, dW2 missing"
    assert first_line({**mine, "dW2": None, "db1": None}, reference) == "FAIL  db1, dW2 missing"


def test_an_unknown_name_is_ignored_and_mentioned(reference):
    """As of `return locals()`."""
    mine = {**weight_gradients(reference), "reference": reference, "n": 3, "dw1": 0.0, "\x1b[31m\n": 0.0}
    assert mine == harness.allow(reference)
    result = harness.allow(reference).compare(mine)
    assert (result.verdict, result.ignored) == ("PASS", ["reference", "n", "dw1", r"\x1b[31m\n"])
    mine["dW2"] = -mine["dW2"]
    assert r"ignored  reference, n, dw1, \x1b[31m\n: no tensors of this network" in harness.allow(reference).told(mine)


@pytest.mark.parametrize(("name", "meant"), [("dw1", "dW1"), ("dz_2", "dz2"), ("Dz1", "dz1"), ("da_1", "da1")])
def test_a_name_that_looks_like_a_tensor_that_is_missing_fails(reference, name, meant):
    mine = weight_gradients(reference)
    mine.pop(meant, None)
    mine[name] = 0.0
    assert mine != harness.allow(reference)
    assert first_line(mine, reference) == f"FAIL  {name} is no tensor of this network (did you mean {meant}?)"


@pytest.mark.parametrize("shape", [(3, 4), (13,), (5, 4, 3), ()])
def test_another_shape_is_told_before_values(reference, shape):
    mine = weight_gradients(reference)
    mine["dW1"] = np.zeros(shape, reference.loss.dtype)
    assert mine != harness.allow(reference)
    assert first_line(mine, reference).startswith(f"FAIL  returned dW1 of shape {shape} instead of (4, 3)")


@pytest.mark.parametrize("shape", [(12,), (1, 4, 3), (4, 3, 1)])
def test_as_many_numbers_in_another_shape_are_judged_and_fail_if_told_to(reference, shape):
    mine = weight_gradients(reference)
    mine["dW1"] = mine["dW1"].reshape(shape)
    assert mine == harness.allow(reference)
    assert mine != harness.allow(reference, strict=True)
    assert told(harness.allow(reference, strict=True).compare(mine)).startswith(
        f"FAIL  returned dW1 of shape {shape}: read as (4, 3)"
    )
    mine["dW1"] = -mine["dW1"]
    assert mine != harness.allow(reference)
    assert first_line(mine, reference) == "FAIL  first wrong link: dW1"


def test_other_names_are_read_and_fail_if_told_to(reference):
    mine = {name[1:]: gradient for name, gradient in weight_gradients(reference).items()}
    assert mine == harness.allow(reference)
    assert mine != harness.allow(reference, strict=True)
    harness.assert_gradients_match(mine, reference)
    with pytest.raises(harness.GradientMismatch, match="returned W1, b1, W2 and 3 more: read as dW1, db1"):
        harness.assert_gradients_match(mine, reference, strict=True)


def test_another_dtype_is_told(reference):
    other = np.float32 if reference.loss.dtype == np.float64 else np.float64
    mine = {name: array.astype(other) for name, array in weight_gradients(reference).items()}
    line = first_line(mine, reference)
    assert (
        line
        == f"FAIL  returned dW3, db3, dW2 and 3 more as {np.dtype(other)}, though it was given {reference.loss.dtype}"
    )


def test_other_dtypes_are_told_and_an_allowance_in_float16_is_derived():
    torch = pytest.importorskip("torch")
    reference = harness.reference(NETWORK, dtype="float32")
    for dtype in (torch.bfloat16, torch.float16, torch.complex64):
        mine = {name: torch.tensor(array).to(dtype) for name, array in weight_gradients(reference).items()}
        assert mine != harness.allow(reference)
        assert str(dtype).removeprefix("torch.") in first_line(mine, reference)
    half = Hand(from_text("2-1"), "float16").differentiate(
        {"W1": np.ones((2, 1), "f2"), "b1": np.ones(1, "f2")}, np.ones((3, 2), "f2"), np.ones((3, 1), "f2")
    )
    mine = dict(half.gradients)
    assert mine == harness.allow(half)
    assert mine | {"dW1": mine["dW1"] * np.float16(1.5)} != harness.allow(half)


def test_no_power_fails():
    network = from_text("400-300-200-10", activation="tanh", loss="cross-entropy")
    reference = harness.reference(network, dtype="float32")
    mine = weight_gradients(reference)  # what is not shown is bounded end to end, here too widely
    result = harness.allow(reference).compare(mine)
    assert result.verdict == "NO POWER"
    assert mine != harness.allow(reference)
    assert first_line(mine, reference).startswith("NO POWER  nothing failed, but most entries of dW2, db2, dW1, db1 ")
    assert "or compare in float64" in told(result)
    assert reference == harness.allow(reference)


@pytest.mark.parametrize("left", [np.ones(3), np.float64(1), [1.0], 1.0, None], ids=lambda left: type(left).__name__)
def test_a_bare_array_is_refused_and_does_not_spread(left):
    allowance = harness.allow(harness.reference("2-1"))
    with pytest.raises(harness.UsageError, match="neither a Pass nor a dictionary"):
        _ = left == allowance


def test_a_bare_array_of_a_framework_is_refused_too(framework):
    (left,) = arrays_of(framework, {"dW1": np.ones(3, np.float32)}).values()
    with pytest.raises(harness.UsageError, match="neither a Pass nor a dictionary"):
        _ = left == harness.allow(harness.reference("2-1"))


def test_what_does_not_say_where_it_was_taken_is_refused(reference):
    plain = Pass(reference.loss, reference.gradients, reference.activations)
    for thing in (plain, reference.gradients, None):
        with pytest.raises(harness.UsageError, match="does not say where it was taken"):
            harness.allow(thing)
    assert plain == harness.allow(reference)


def test_a_reference_has_the_dtype_of_what_it_is_given():
    network = harness.load_network("3-2-1")
    given = harness.reference(network, dtype="float32")
    again = harness.reference(network, given.weights, given.x, given.y)
    assert again.loss.dtype == np.float32
    assert weight_gradients(again) == harness.allow(given)
    assert harness.reference(network).loss.dtype == np.float64
