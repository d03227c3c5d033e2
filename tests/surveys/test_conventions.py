"""Conventions: what is measured is what the frameworks document."""

import math

import numpy as np
import pytest

import harness
from harness.surveys.topics import GROUPS, TOPICS
from impls import hand, hand_numpy

HAND = {
    "relu at 0": "0",
    "leaky relu at 0": "0.25",
    "elu at 0": "0.25",
    "hard sigmoid at -3": "0",
    "hard sigmoid at 3": "0",
    "abs at 0": "0",
    "gelu": "erf",
    "leaky relu slope": "0.01",
    "elu alpha": "1",
    "huber delta": "1",
    "squared error": "mean",
    "squared error, factor": "1",
    "cross-entropy": "mean",
    "binary cross-entropy": "inf",
}
# As the documentation of torch 2.13 and the sources that it links have it.
TORCH = {
    "relu at 0": "0",
    "leaky relu at 0": "0.25",
    "relu6 at 0": "0",
    "relu6 at 6": "0",
    "hard tanh at -1": "0",
    "hard tanh at 1": "0",
    "clip at its lower bound": "1",
    "clip at its upper bound": "1",
    "abs at 0": "0",
    "sign at 0": "0",
    "maximum of equals": "0.5, 0.5",
    "minimum of equals": "0.5, 0.5",
    "max of all": "0, 0.5, 0.5",
    "max over an axis": "0, 1, 0",
    "amax over an axis": "0, 0.5, 0.5",
    "median of four": "lower",
    "argmax of equals": "first",
    "repeated index": "2, 1",
    "norm at 0": "0, 0",
    "sqrt at 0": "inf",
    "where, NaN not taken": "NaN",
    "product with a zero": "0, 6, 0",
    "cumulative product with a zero": "1, 8, 0",
    "gelu": "erf",
    "leaky relu slope": "0.01",
    "elu alpha": "1",
    "squared error": "mean",
    "cross-entropy": "mean",
    "binary cross-entropy": "100",
    "huber delta": "1",
    "smooth L1 beta": "1",
    "std": "n - 1",
    "var": "n - 1",
    "layer norm eps": "1e-05",
    "batch norm eps": "1e-05",
    "batch norm momentum": "of the new",
    "batch norm variance": "n",
    "batch norm running variance": "n - 1",
    "padding same, even kernel": "behind",
    "average over padding": "counts it",
    "attention, nothing seen": "0",
}
# As the documentation of JAX 0.10 and optax and the sources that it links have it.
JAX = {
    "relu at 0": "0",
    "leaky relu at 0": "1",
    "relu6 at 0": "0",
    "relu6 at 6": "0",
    "hard tanh at 1": "1",
    "clip at its lower bound": "0.5",
    "clip at its upper bound": "0.5",
    "sign at 0": "0",
    "maximum of equals": "0.5, 0.5",
    "minimum of equals": "0.5, 0.5",
    "max of all": "0, 0.5, 0.5",
    "max over an axis": "0, 0.5, 0.5",
    "median of four": "mean of both",
    "argmax of equals": "first",
    "repeated index": "2, 1",
    "norm at 0": "NaN, NaN",
    "sqrt at 0": "inf",
    "where, NaN not taken": "NaN",
    "product with a zero": "0, 6, 0",
    "gelu": "tanh",
    "leaky relu slope": "0.01",
    "elu alpha": "1",
    "squared error": "per entry",
    "L2 loss, factor": "0.5",
    "cross-entropy": "per row",
    "huber delta": "1",
    "std": "n",
    "var": "n",
    "layer norm eps": "1e-05",
    "padding same, even kernel": "behind",
    "attention, nothing seen": "their mean",
}


@pytest.fixture(scope="module", params=["float64", "float32"])
def surveyed(request):
    return harness.conventions(dtype=request.param)


def words(result, name):
    return {each.topic.name: each.words[name] for each in result.answers if name in each.words}


@pytest.mark.parametrize(("name", "documented"), [("hand", HAND), ("torch", TORCH), ("jax", JAX)])
def test_what_is_documented_is_measured(surveyed, name, documented):
    measured = words(surveyed, name)
    assert {topic: measured.get(topic) for topic in documented} == documented


def test_every_topic_is_answered_and_every_answer_is_a_known_choice(surveyed):
    assert [each.topic.name for each in surveyed.answers] == list(TOPICS)
    assert (surveyed.notes, surveyed.missing, surveyed.exit) == ([], {}, 0)
    assert list(surveyed.implementations) == ["hand", "torch", "jax"]


def test_softplus_of_torch_is_cut_off_where_float64_shows_it(surveyed):
    measured = [words(surveyed, name)["softplus"] for name in ("hand", "torch", "jax")]
    assert measured == (["33", "20", "33"] if surveyed.dtype == "float64" else ["14", "14", "14"])


def test_where_they_differ_is_marked_and_counted(surveyed):
    differing = {each.topic.name for each in surveyed.answers if each.differ}
    assert {"leaky relu at 0", "clip at its upper bound", "max over an axis", "norm at 0", "gelu", "std"} <= differing
    assert not {"relu at 0", "maximum of equals", "repeated index", "L2 loss, factor"} & differing
    assert f": {len(differing)} differ (" in surveyed.reason
    marked = [line for line in str(surveyed).split("\n") if "  differs  " in line]
    assert len(marked) == len(differing)
    counted = sum(len([t for t in topics if t.name in differing]) for topics in GROUPS.values())
    assert counted == len(differing)


def test_the_hand_layers_are_between_their_own_limits():
    kinks = {
        "relu at 0": (hand.Relu(), 0.0, 1.0),
        "leaky relu at 0": (hand.LeakyRelu(slope=0.25), 0.0, 1.0),
        "elu at 0": (hand.Elu(alpha=0.25), 0.0, 1.0),
    }
    measured = hand_numpy.measures(np.float64)
    for topic, (layer, z, da) in kinks.items():
        on_kink, left, right = layer.one_sided(np.array([[da]]), np.array([[z]]))
        assert on_kink.all()
        assert left[0, 0] <= measured[topic]() <= right[0, 0]
        assert list(TOPICS[topic].choices.values()) == [left[0, 0], (left[0, 0] + right[0, 0]) / 2, right[0, 0]]
    on_kink, left, right = hand.MeanAbsoluteError().one_sided(np.zeros((1, 1)), np.zeros((1, 1)))
    assert left[0, 0] < measured["abs at 0"]() < right[0, 0]


def test_numbers_are_read_in_their_dtype():
    assert TOPICS["leaky relu slope"].read(float(np.float32(0.01)), "float32") == "0.01"
    assert TOPICS["std"].read(float(np.sqrt(np.float32(2))), "float32") == "n - 1"
    assert TOPICS["std"].read(1.25, "float64") == "1.25"
    assert TOPICS["x/|x| at 0"].read(math.nan, "float64") == "NaN"
    assert TOPICS["norm at 0"].read([-0.0, math.inf], "float64") == "0, inf"
