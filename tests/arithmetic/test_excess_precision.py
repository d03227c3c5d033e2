"""Excess precision: what a compiler sums before it rounds is allowed for what it shows rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import harness
from impls.hand import Dense, GraphBuilder, Mean, Sum, SumSquaredError

ROWS, INNER, TERMS = 128, 16, 512


def summed(reduction):
    net = GraphBuilder()
    x = net.input("x", INNER)
    total = net("total", reduction([1]), net("fc", Dense(INNER, TERMS), x))
    return net.loss(SumSquaredError(), net("out", Dense(1, 1), total))


def run_of(reduction):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(ROWS, INNER)), rng.normal(size=(ROWS, 1))
    run = harness.run(summed(reduction), data, against=["jax"], dtype="bfloat16", steps=1)
    row = next(
        row for step in run.steps for row in step.rows
        if (row.against, row.check, row.gradient) == ("jax", "rounding", "total.s")
    )  # fmt: skip
    return run, row


@pytest.mark.parametrize("reduction", [Sum, Mean])
def test_xla_sums_what_it_has_not_rounded_yet_and_is_right(reduction):
    pytest.importorskip("jax")
    run, row = run_of(reduction)
    assert (run.verdict, row.verdict) == ("PASS", "ok"), str(run)
    assert row.sees < 1  # a sum in bfloat16 itself would have no power


@pytest.mark.parametrize("reduction", [Sum, Mean])
def test_without_that_allowance_it_would_be_called_wrong(reduction, monkeypatch):
    pytest.importorskip("jax")
    from impls.jax_grad import JaxGrad
    from impls.jax_grad.narrow import on_cpu

    monkeypatch.setattr(JaxGrad, "eager", True, raising=False)  # contraction allows for a rounding too
    monkeypatch.setattr(JaxGrad, "arithmetic", lambda _, *link: replace(on_cpu(*link), unrounded=False))
    run, row = run_of(reduction)
    assert (run.verdict, row.verdict) == ("FAIL", "FAULT")


def test_a_sum_of_a_program_that_nobody_widened_is_one_of_its_dtype():
    jax = pytest.importorskip("jax")

    def program(x):
        return jax.lax.reduce(x * x, jax.numpy.zeros((), x.dtype), jax.lax.add, (0,)).astype("float32")

    found = harness.check_program(program, jax.numpy.linspace(0.5, 1.0, 300).astype("bfloat16"))
    assert found.exit == 0, str(found)
