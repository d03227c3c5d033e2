"""Where an allowance comes from: the terms add up, and each is what its link does."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.evaluation.point import Point
from harness.explaining.allowance import allowance_of
from harness.explaining.references import entry
from impls.hand import from_text
from impls.hand.notation import ACTIVATIONS
from tests.helpers.command import typed


def point_of(text, activation, loss, dtype, seed):
    network, rng = from_text(text, activation=activation, loss=loss), np.random.default_rng(seed)
    x = rng.normal(size=(5, network.inputs)).astype(dtype)
    y = rng.integers(0, network.outputs, 5) if network.loss.labels else rng.random((5, network.outputs)).astype(dtype)
    return Point(network, network.init(seed, dtype), x, y, 1)


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(["3-2", "4-3-2", "2-5-3-2"]),
    activation=st.sampled_from(list(ACTIVATIONS)),
    loss=st.sampled_from(["sum-squared-error", "huber", "cross-entropy"]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_the_terms_add_up_to_what_is_allowed(text, activation, loss, dtype, seed, data):
    point = point_of(text, activation, loss, dtype, seed)
    tensors = point.centre(dtype).tensors
    name = data.draw(st.sampled_from(list(tensors)))
    index = tuple(data.draw(st.integers(0, size - 1)) for size in tensors[name].value.shape)
    answer = allowance_of(point, name, index)
    assert answer.allowed == float(np.asarray(tensors[name].bound)[index])
    assert sum(term.amount for term in answer.terms) == pytest.approx(answer.allowed, rel=1e-12)
    assert [t.kind for t in answer.terms] == ["own rounding", *["inherited"] * (len(answer.terms) - 2), "centre"]
    assert all(term.amount >= 0 for term in answer.terms)


def test_a_first_link_inherits_nothing_and_a_gradient_inherits_from_all_before_it():
    point = point_of("4-3-2", "tanh", "sum-squared-error", "float64", 0)
    assert [t.link for t in allowance_of(point, "z1", (0, 0)).terms] == ["z1", None]
    links = [t.link for t in allowance_of(point, "dW1", (0, 0)).terms]
    assert links == ["dW1", "dz1", "da1", "dz2", "da2", "a2", "z2", "a1", "z1", None]
    assert "dW2" not in links  # the gradient of another weight is not on the way


def test_what_is_asked_is_counted_from_1_and_a_single_number_needs_no_place():
    assert entry("dW1[3,2]", {"dW1": (4, 3)}) == ("dW1", (2, 1))
    assert entry(" dW1 [ 3 , 2 ] ", {"dW1": (4, 3)}) == ("dW1", (2, 1))
    assert entry("loss", {"loss": ()}) == ("loss", ())
    assert entry("db3", {"db3": (1,)}) == ("db3", (0,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dW1[0,1]", "1 to 4 and 1 to 3"), ("dW1[5,1]", "1 to 4 and 1 to 3"), ("dW1[1]", "dW1\\[i,j\\]"),
        ("dW1", "1 to 4"), ("dW9[1,1]", "there are dW1"), ("W1[1,1]", "did you mean dW1"), ("dW1[1,2", "write"),
        ("", "write"), ("dW1[-1,2]", "write"), ("dW1[1e9,2]", "write"), ("loss[1]", "one number"),
        ("dW1[" + "9" * 18 + ",1]", "1 to 4"), ("dW1[" + "9" * 5000 + ",1]", "write"), ("\x1b[31m", "write"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_answered_with_what_does(text, said):
    with pytest.raises(harness.UsageError, match=rf"^Cannot .*because .*{said}"):
        harness.why(text)


def test_why_is_asked_at_the_step_where_a_run_would_be():
    run = harness.run(against=["hand"], steps=6, dtype="float64")
    row = next(r for r in run.steps[5].rows if r.gradient == "dW2" and r.check == "formula")
    answer = harness.why(f"dW2[{row.index[0] + 1},{row.index[1] + 1}]", step=6)
    assert answer.allowed == row.allowed


def test_the_command_prints_text_and_json():
    text = typed("why", "dW1[3,2]").stdout
    answer = json.loads(typed("why", "dW1[3,2]", "--json").stdout)
    assert text.startswith(f"dW1[3,2] = {answer['value']!r}\nallowed {answer['allowed']:.1e}")
    assert max(map(len, text.splitlines())) <= 80
    assert answer["index"] == [3, 2]
    assert sum(term["amount"] for term in answer["terms"]) == pytest.approx(answer["allowed"], rel=1e-12)
    wrong = typed("why", "dW7[0,0]")
    assert (wrong.returncode, wrong.stdout) == (2, "")
