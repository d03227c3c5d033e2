"""`harness.reference`: a pass of the hand code that knows where it was taken."""

import numpy as np
import pytest

import harness
from impls.hand import from_text
from impls.hand_numpy import Hand, HandPass


def test_it_is_the_pass_of_the_hand_code_at_the_weights_given():
    network, rng = from_text("3-2-1"), np.random.default_rng(0)
    weights, x, y = network.init(4), rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    reference = harness.reference(network, weights, x, y)
    expected = Hand(network, "float64").differentiate(weights, x, y)
    assert isinstance(reference, HandPass)
    assert reference.network is network
    for name, gradient in expected.gradients.items():
        assert np.array_equal(reference.gradients[name], gradient)
    assert np.array_equal(reference.x, x)
    assert np.array_equal(reference.y, y)


def test_what_is_not_given_is_drawn_from_the_seed():
    one, same, other = (harness.reference("3-2-1", seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.x, same.x)
    assert np.array_equal(one.weights["W1"], same.weights["W1"])
    assert not np.array_equal(one.x, other.x)
    assert not np.array_equal(one.weights["W1"], other.weights["W1"])


def test_data_is_taken_by_name_and_labels_stay_whole_numbers():
    network = harness.load_network("4-3-3", loss="cross-entropy")
    reference = harness.reference(network, data="iris", dtype="float32")
    assert reference.x.shape == (150, 4)
    assert reference.y.dtype.kind == "i"
    assert {reference.x.dtype, reference.loss.dtype, reference.weights["W1"].dtype} == {np.dtype("float32")}
    given = harness.reference(network, reference.weights, reference.x, reference.y, dtype="float32")
    assert np.array_equal(given.loss, reference.loss)


def test_lists_and_arrays_of_a_framework_are_numbers_too(framework):
    weights = {"W1": [[0.5], [0.25]], "b1": [0.0]}
    if framework == "torch":
        import torch as library

        x = library.ones((3, 2), requires_grad=True)
    else:
        import jax.numpy as library

        x = library.ones((3, 2))
    reference = harness.reference("2-1", weights, x, [[0.0], [1.0], [0.5]])
    assert reference.weights["W1"].tolist() == [[0.5], [0.25]]
    assert reference.x.tolist() == [[1, 1]] * 3


def test_what_it_holds_cannot_be_written_to():
    reference = harness.reference("2-1")
    for array in (*reference.weights.values(), reference.x, reference.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": {"W1": [[1.0], [1.0]]}}, "weights called W1, because this network has W1, b1"),
        (
            {"weights": {"W1": [[1.0, 1.0]], "b1": [0.0]}},
            r"W1 of shape \(1, 2\), because this network's has shape \(2, 1",
        ),
        ({"weights": {"W1": [["a"], ["b"]], "b1": [0.0]}}, "no array of real numbers"),
        ({"x": [[1.0, 2.0]]}, "because they are named by x and y, or by data"),
        ({"x": [[1.0, 2.0]], "y": [[0.0]], "data": "random"}, "because they are named by x and y, or by data"),
        ({"x": [[1.0, 2.0, 3.0]], "y": [[0.0]]}, r"data of shape \(1, 3\) to a network with 2 inputs"),
        ({"x": [[0.1, 2.0]], "y": [[0.0]], "dtype": "float32"}, "x in float32, because it holds numbers that float32"),
        (
            {"x": [[1e300, 2.0]], "y": [[0.0]], "dtype": "float32"},
            "x in float32, because it holds numbers that float32",
        ),
        ({"x": [[np.nan, 2.0]], "y": [[0.0]]}, "x, because it is not finite everywhere"),
        ({"dtype": "tf32"}, "dtype='tf32', because nobody computes in it"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, message):
    with pytest.raises(harness.UsageError, match=message):
        harness.reference("2-1", **arguments)


def test_a_reference_stays_what_it_was_when_its_weights_are_updated_in_place():
    network = from_text("4-3-3-1")
    weights, x, y = network.init(0), np.ones((5, 4)), np.ones((5, 1))
    reference = Hand(network, "float64").differentiate(weights, x, y)
    for array in (*weights.values(), x, y):
        array += 1
    assert reference == harness.allow(reference)


def test_network_weights_x_and_y_stand_for_a_reference():
    network, rng = from_text("3-2-1"), np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        at = {"weights": network.init(1, dtype), "x": rng.normal(size=(7, 3)).astype(dtype)}
        at["y"] = rng.normal(size=(7, 1)).astype(dtype)
        mine = Hand(network, dtype).differentiate(**at).gradients
        harness.assert_gradients_match(mine, network=network, **at)
        with pytest.raises(harness.GradientMismatch, match="FAIL  first wrong link: dz1"):
            harness.assert_gradients_match({**mine, "dz1": -mine["dz1"]}, network="3-2-1", **at)


def test_too_little_or_too_much_to_compare_with_is_refused():
    reference = harness.reference("3-2-1")
    with pytest.raises(harness.UsageError, match="without weights, y, because"):
        harness.assert_gradients_match({}, network="3-2-1", x=reference.x)
    with pytest.raises(harness.UsageError, match="Cannot use a reference and network"):
        harness.assert_gradients_match({}, reference, network="3-2-1")
