"""Torch's own samples of operators: none is called wrong but those that are; the page lists every hand rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.coverage.jax_functions import functions, judged_function
from reports.coverage.page import PAGE
from reports.coverage.torch_operators import KNOWN, judged, operators
from tests.helpers.deferred import Deferred

aten, lax = Deferred("impls.torch_autograd.aten"), Deferred("impls.jax_grad.lax")

SOME = (
    "scatter_add", "index_put", "roll", "std", "masked.softmax", "nn.functional.grid_sample", "nn.functional.mish",
    "nn.functional.conv_transpose2d", "nn.functional.cross_entropy", "linalg.multi_dot", "cummax", "hypot",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_operators_of_torchs_own_samples_are_right_but_for_one():
    found = {operator.name: judged(operator, 2) for operator in operators([*SOME, KNOWN[0]])}
    assert {name for name, each in found.items() if each.wrong} == {"nn.functional.hardsigmoid"}
    assert len(found) == len(SOME) + 1
    assert found["scatter_add"].kind == found["roll"].kind == found["nn.functional.cross_entropy"].kind == "derived"
    assert found["nn.functional.mish"].kind == "its decomposition"
    assert found["hypot"].kind == "rounding only"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_nor_are_they_wrong_in_16_bits(dtype):
    """Along an axis that is not the last a softmax keeps its exponentials in the dtype until they are divided.

    Where a matrix exponential overflows on the way, so does the reference when it is measured in the format.
    """
    names = ("softmax", "log_softmax", "nn.functional.layer_norm", "cumsum", "addmm", "matrix_exp")
    found = {operator.name: judged(operator, 2, dtype) for operator in operators(names, dtype)}
    assert not [name for name, each in found.items() if each.wrong]
    assert found["softmax"].kind == "derived"


def test_the_page_lists_every_hand_rule():
    text = Path(PAGE).read_text(encoding="utf-8")
    for rules, what in ((aten.RULES, "ATen operations"), (lax.RULES, "lax primitives")):
        (listed,) = re.findall(rf"^(\d+) {what}: (.*)\.$", text, re.MULTILINE)
        assert int(listed[0]) == len(rules)
        assert set(re.findall(r"`([^`]+)`", listed[1])) == set(rules)
    assert len(aten.RULES) >= 45
    assert len(lax.RULES) >= 40


FUNCTIONS = {
    "jax.numpy.cumsum": "derived", "jax.nn.softmax": "derived", "jax.lax.scan": "derived", "jax.lax.cond": "derived",
    "jax.numpy.cosh": "rounding only",
}  # fmt: skip


def test_functions_of_jax_are_judged_as_the_page_says():
    text = Path(PAGE).read_text(encoding="utf-8").partition("## Functions of JAX")[2]
    listed = {kind: re.findall(r"`(jax\.[^`]+)`", line) for kind, line in re.findall(r"^([a-z ]+): (.*)$", text, re.M)}
    public = functions()
    assert {name for names in listed.values() for name in names} <= set(public)
    found = {name: judged_function(name, public[name]) for name in FUNCTIONS}
    assert {name: each.kind for name, each in found.items()} == FUNCTIONS
    assert all(name in listed[kind] for name, kind in FUNCTIONS.items())
    assert not any(each.wrong for each in found.values())
