"""A run names the elementary function that is worse than the table; a wrong link with good functions is wrong."""

import re

import numpy as np
import pytest

import harness
from harness.arithmetic.profile import profile_of
from harness.rendering.tables import render
from harness.surveys.accuracy import evaluated, judged, known, measured
from impls.hand import Network, Tanh, from_text
from tests.helpers.calibrating import having


class PoorTanh(Tanh):
    def forward(self, z):
        return poor_tanh(z)


def poor_tanh(z):
    """Off by 20 u in float32 and 80 u in float64, give or take what tanh and the product are off by."""
    return np.tanh(z) * z.dtype.type(1 + {4: 10, 8: 40}[z.itemsize] * np.finfo(z.dtype).eps)


def with_poor_tanh(shows):
    def build(network, dtype):
        layers = [PoorTanh() if isinstance(layer, Tanh) else layer for layer in network.layers]
        return having(**({"tanh": poor_tanh} if shows else {}))(Network(layers, network.loss), dtype)

    return build


def run_with_tanh(dtype="float32"):
    return harness.run(from_text("4-3-2-1", activation="tanh"), against=["poor"], steps=1, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_names_the_elementary_function_that_is_worse_than_the_table(register, dtype):
    register("poor", with_poor_tanh(shows=True))
    run = run_with_tanh(dtype)
    assert (run.verdict, run.exit) == ("FAIL", 1)
    constant, off = profile_of(dtype).constants["tanh"], {"float32": "2", "float64": "8"}[dtype]
    sentence = run.find("rounding", "a1", "poor").cause
    assert re.match(
        rf"tanh of poor is off by {off}\d\.\d\d u on this machine, the table says {constant:g} u ", sentence
    )
    assert run.outcome.reason.startswith(f"poor: {sentence}: a1 at step 1, ")
    assert "wrong link" not in run.outcome.reason
    assert sentence in render(run)
    assert all(row.cause is None for row in run.rows if row.against == "hand" or row.verdict != "FAULT")


def test_a_wrong_link_with_good_functions_is_called_wrong(register):
    register("poor", with_poor_tanh(shows=False))
    run = run_with_tanh()
    assert run.verdict == "FAIL"
    assert "first wrong link a1" in run.outcome.reason
    assert all(row.cause is None for row in run.rows)


def test_evaluating_gives_copies_of_the_arguments_away():
    x = np.ones(3, "f4")

    def writes(y):
        y.flags.writeable = True
        y[0] = 7
        return y

    assert evaluated(writes, x)[0] == 7
    assert x[0] == 1
    assert judged("exp", "mine", "float32", "sample", measured("exp", (x,), x, known("exp", x))).verdict == "EXCEEDS"
