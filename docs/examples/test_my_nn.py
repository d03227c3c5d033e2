"""A test of the learner's backward pass, which finds its mistake."""

from my_nn import backward

import harness


def test_my_backward():
    reference = harness.reference("4-3-2-1", data="iris")
    mine = backward(reference.weights, reference.x, reference.y)
    assert mine == harness.allow(reference)
