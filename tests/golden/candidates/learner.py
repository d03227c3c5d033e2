"""Tests that a learner writes with this package; run by pytest in a golden case."""

import numpy as np
import pytest

import harness


def gradients(reference, **changed):
    return {name: reference.gradients[name] for name in reference.network.gradients} | changed


def test_right():
    reference = harness.reference("4-3-2-1", data="iris")
    assert gradients(reference) == harness.allow(reference)


def test_sign():
    reference = harness.reference("4-3-2-1", data="iris")
    assert gradients(reference, dW2=-reference.gradients["dW2"]) == harness.allow(reference)


def test_shape():
    reference = harness.reference("4-3-2-1")
    assert gradients(reference, dW1=np.zeros((3, 4))) == harness.allow(reference)


@pytest.mark.parametrize("model", ["4-3-1", "5-3-1"])
def test_lockstep(lockstep, model):
    lockstep(model, data="iris", steps=2, against=["hand"])
