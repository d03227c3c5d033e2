"""What is said of a network before anything is compared: a softmax, or a sigmoid, that its loss applies once more."""

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from impls.hand import Dense, Network, Penalised, Scaled, Sigmoid, Softmax, SoftmaxCrossEntropy, Tanh
from impls.hand_numpy import Hand

TWICE = [
    ("softmax", "cross-entropy"), ("softmax", "one-hot-cross-entropy"), ("sigmoid", "binary-cross-entropy-on-logits"),
    ("softmax", "cross-entropy(by=2, l2=0.1)"),
]  # fmt: skip
ONCE = [
    ("softmax", "categorical-cross-entropy"), ("softmax", "sparse-categorical-cross-entropy"),
    ("identity", "cross-entropy"), ("sigmoid", "cross-entropy"), ("sigmoid", "binary-cross-entropy"),
    ("softmax", "mean-squared-error"),
]  # fmt: skip
SAYS = "note  the loss applies {} itself: this network applies it twice"


def right(network):
    def backward(weights, x, y):
        result = Hand(network, "float64").differentiate(weights, x, y)
        return {**result.gradients, "loss": result.loss}

    return backward


@pytest.mark.parametrize(("last", "loss"), TWICE)
def test_a_function_applied_twice_is_pointed_out_in_a_check_that_passes(last, loss):
    network = harness.load_network("4-3-3", output_activation=last, loss=loss)
    check = harness.check(right(network), network)
    assert check.verdict == "PASS"
    assert str(check).split("\n")[2] == SAYS.format(last)
    assert [finding["message"] for finding in check.to_dict()["findings"]] == [
        f"applies {last} itself: this network applies it twice"
    ]


@pytest.mark.parametrize(("last", "loss"), ONCE)
def test_nothing_is_said_of_a_function_applied_once(last, loss):
    network = harness.load_network("4-3-3", output_activation=last, loss=loss)
    assert "note" not in str(harness.check(right(network), network))


def test_a_run_says_it_once_below_its_heading():
    words = ["run", "4-3-3", "--output-activation", "softmax", "--loss", "cross-entropy", "--steps", "2", "--against"]
    done = CliRunner().invoke(command, [*words, "hand"])
    assert done.stdout.split("\n")[3] == SAYS.format("softmax")
    assert done.stdout.count("applies softmax") == 1


def test_a_softmax_further_up_is_none_at_the_end():
    network = Network([Dense(4, 3), Softmax(), Dense(3, 3), Tanh()], Penalised(Scaled(SoftmaxCrossEntropy(), 2), 0.1))
    assert harness.check(right(network), network).findings == []
    behind = Network([Dense(4, 3), Softmax(), Sigmoid()], SoftmaxCrossEntropy())
    assert harness.check(right(behind), behind, (np.ones((2, 4)), np.array([[0], [1]]))).findings == []
