"""Wrong operations in many manners: each is caught, most are named, and no name is wrong.

A name is right where it says what the slip is, or where the edit that it gives puts the operation right in every case.
"""

import importlib
import re

import pytest

from harness import check_vjp
from tests.broken import operations

QUICK = [
    "leaky_without_slope", "gelu_density", "batch_norm_ddof", "embedding_padding_ignored", "blocks_of_four",
    "doubled_for_even_rows", "Exp",
]  # fmt: skip
"""One of each kind: of a hand layer's twin, an edit of its rule, an option, a region, a size, a line of one's own."""


@pytest.fixture(scope="module")
def wrong_ones():
    for framework in ("torch", "jax"):
        pytest.importorskip(framework)
    for module in ("in_numpy", "norms_in_numpy", "layers_in_numpy", "in_torch", "in_jax"):
        importlib.import_module(f"tests.broken.operations.{module}")
    return {wrong.name: wrong for wrong in operations.OPERATIONS}


def test_there_are_many_of_them(wrong_ones):
    assert len(wrong_ones) == len(operations.OPERATIONS) >= 75


@pytest.mark.parametrize("name", QUICK)
def test_a_wrong_operation_is_caught_and_named(wrong_ones, name):
    wrong = wrong_ones[name]
    found = check_vjp(wrong.forward, wrong.backward, reference=wrong.reference, inputs=wrong.inputs)
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert found.causes
    for explanation in found.causes:
        assert explanation.cause != "unknown", str(found)
        assert wrong.is_named_by(explanation), explanation.to_dict()


def test_an_edit_of_ones_own_code_names_the_line_and_is_told_in_text_and_json(wrong_ones):
    wrong = wrong_ones["glu_gate_linear"]
    found = check_vjp(wrong.forward, wrong.backward, reference=wrong.reference, inputs=wrong.inputs)
    (explanation,) = found.causes
    assert (explanation.cause, explanation.causes) == ("one edit of your code", ())
    told = f"in_numpy.py:{wrong.line}: with `dx[:, 1::2] = u * a * g * (1 - g)` in place of `dx[:, 1::2] = u * a * g` "
    assert told in explanation.says
    assert told in str(found)
    assert told in found.to_dict()["causes"][0]["repair"]
    again = check_vjp(wrong.forward, wrong.backward, reference=wrong.reference, inputs=wrong.inputs)
    assert str(again) == str(found)  # the code is what it was


def test_a_line_stands_beside_a_name(wrong_ones):
    wrong = wrong_ones["tanh_unsquared"]
    found = check_vjp(wrong.forward, wrong.backward, reference=wrong.reference, inputs=wrong.inputs)
    assert found.causes[0].cause == "square missing"
    assert re.search(rf"in_numpy.py:{wrong.line}: with `return u \* \(1 - a \*\* 2\)` in place of", str(found))
