"""Twelve operations with a derivative of their own in working models: wrong ones located by line, right ones silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.deferred import Deferred

torch, harness = Deferred("torch"), Deferred("harness")
models, jax_models = Deferred("tests.programs.models"), Deferred("tests.programs.jax_models")

IN_TORCH = ["gelu", "both operands", "layout", "buffer", "lane", "operator", "row", "mean for sum"]
IN_JAX = ["cube", "softmax", "swish", "lane in JAX"]


def line_told(found):
    file, line = found.first.place
    return "".join(Path(file).read_text(encoding="utf-8").splitlines()[line - 1 : line + 1])


@pytest.mark.parametrize("name", IN_TORCH)
def test_in_torch_a_wrong_operation_is_located_and_the_right_one_is_silent(name):
    right, wrong = models.PAIRS[name]
    torch.manual_seed(1)
    x = torch.randn(5, 5)
    found = harness.check_program(models.Around(right), x)
    assert found.verdict == "PASS", str(found)
    found = harness.check_program(models.Around(wrong), x)
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert {o.name for o in found.wrong if not o.meets} == {found.first.name}
    assert found.first.kind == "its own forward"
    assert "def backward" in line_told(found) or "def _wrong" in line_told(found)
    assert found.inherited >= 1 or name == "mean for sum"  # there the layer in front is sent the right gradient


@pytest.mark.parametrize("name", IN_JAX)
def test_in_jax_a_wrong_operation_is_located_and_the_right_one_is_silent(name):
    right, wrong, there = jax_models.PAIRS[name]
    found = harness.check_program(jax_models.model(right), *jax_models.given())
    assert found.verdict == "PASS", str(found)
    found = harness.check_program(jax_models.model(wrong), *jax_models.given())
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert len(found.wrong) == 1
    assert found.first.kind == "its own forward"
    assert there in line_told(found)


def test_there_are_twelve():
    assert len([*models.PAIRS, *jax_models.PAIRS]) == len([*IN_TORCH, *IN_JAX]) == 12
