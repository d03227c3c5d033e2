"""The truth of a network: exact or enclosed, and as text."""

import numpy as np
import pytest

from harness.truth import true_tensors
from impls.hand import from_text


def test_the_true_gradient_of_one_neuron_is_the_one_found_by_hand():
    """L = (s(w x + b) - y)^2 at w = 0.5, x = 2, b = -1: s(0) = 1/2, and dL/dw = 2 (1/2 - y) 1/4 x."""
    network = from_text("1-1")
    weights = {"W1": np.array([[0.5]]), "b1": np.array([-1.0])}
    truth = true_tensors(network, weights, np.array([[2.0]]), np.array([[0.25]]))
    assert (truth.kind, truth.bits, truth.undecided) == ("ball", 256, 0)
    gradient = truth.tensors["dW1"]
    assert abs(gradient.value[0, 0] - 0.25) <= gradient.radius[0, 0] < 1e-70
    assert gradient.digits((0, 0), 12) == "0.250000000000"


def test_a_network_of_dense_and_relu_has_an_exact_gradient():
    network = from_text("2-1", activation="relu")
    weights = {"W1": np.array([[0.1], [0.2]]), "b1": np.array([0.3])}
    truth = true_tensors(network, weights, np.array([[1.0, 3.0]]), np.array([[0.5]]))
    assert (truth.kind, truth.bits, truth.undecided) == ("rational", None, 0)
    assert not truth.tensors["dW1"].radius.any()
    # 0.1, 0.2 and 0.3 are the doubles: their binary digits show.
    assert truth.tensors["z1"].digits((0, 0), 30) == "1.00000000000000002775557561563"


def test_a_precision_that_is_given_is_taken():
    network = from_text("2-1", activation="relu")
    with pytest.raises(ValueError, match="not finite"):
        true_tensors(network, network.init(0), np.array([[1.0, np.nan]]), np.zeros((1, 1)))
    truth = true_tensors(network, network.init(0), np.ones((1, 2)), np.zeros((1, 1)), bits=200)
    assert (truth.kind, truth.bits) == ("ball", 200)
