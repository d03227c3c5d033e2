"""Pace: what is told of a program does not depend on how fast the machine is that checks it."""

from time import process_time, thread_time

import numpy as np
import pytest

import harness
from harness import pace
from harness.candidates import repairs
from harness.checking import learning
from impls.hand import Silu

SLOWER = 10
"""Times as long: more than any limit leaves room for."""


@pytest.fixture
def slow_machine(monkeypatch):
    for module in (pace, learning):
        monkeypatch.setattr(module, "thread_time", lambda: SLOWER * thread_time())
    monkeypatch.setattr(repairs.time, "process_time", lambda: SLOWER * process_time())


def doubled(weights, x, y):
    a1 = 1 / (1 + np.exp(-(x @ weights["W1"] + weights["b1"])))
    dz2 = 2 * (a1 @ weights["W2"] + weights["b2"] - y)
    dz1 = dz2 @ weights["W2"].T * a1 * (1 - a1)
    return {"dW2": a1.T @ dz2, "db2": dz2.sum(0), "dW1": 2 * x.T @ dz1, "db1": dz1.sum(0)}


def silu(z):
    return z / (1 + np.exp(-z))


def silu_vjp(da, z):
    s = 1 / (1 + np.exp(-z))
    return da * (s + z * s)


def test_pace_is_how_many_times_slower_a_machine_is(monkeypatch):
    here = pace.pace()
    monkeypatch.setattr(pace, "thread_time", lambda: SLOWER * thread_time())
    assert pace.pace() > SLOWER * here / 4
    monkeypatch.setattr(pace, "thread_time", lambda: thread_time() / 1000)
    assert pace.pace() == 1


def test_a_slow_machine_trains_as_long(slow_machine):
    found = harness.check(doubled, "4-3-1", batch=8)
    assert found.verdict == "FAIL"
    assert found.learning.steps == learning.STEPS


def test_a_slow_machine_finds_the_line(slow_machine):
    found = harness.check_vjp(silu, silu_vjp, reference=Silu(), inputs="z=8,12")
    assert found.verdict == "FAIL"
    assert any("1 - s" in cause.repair.says for cause in found.causes if cause.repair), str(found)


def test_nobody_waits_for_a_slow_candidate_to_be_trained(monkeypatch):
    calls = []

    def slow(weights, x, y):
        calls.append(x)
        return doubled(weights, x, y)

    monkeypatch.setattr(learning, "monotonic", lambda: 1.0 * len(calls))  # as if each call slept for a second
    found = harness.check(slow, "4-3-1", batch=8)
    assert found.verdict == "FAIL"
    assert found.learning is None
    assert len(calls) < learning.STEPS
