"""Two tests of the same backward pass: one with a derived allowance, one as loose as many are."""

import numpy as np
from any_depth import backward

import harness


def test_up_to_rounding():
    reference = harness.reference("4-3-2-1", data="iris")
    mine = backward(reference.weights, reference.x, reference.y)
    assert mine == harness.allow(reference)


def test_loosely():
    reference = harness.reference("4-3-2-1", data="iris")
    mine = backward(reference.weights, reference.x, reference.y)
    assert np.allclose(mine["dW1"], reference.gradients["dW1"], atol=1e-2)
