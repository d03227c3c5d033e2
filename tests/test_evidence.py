"""Evidence: what a diagnosis says in words, and what it must not say."""

import numpy as np

import harness
from tests.evident import checked, right

GRADIENTS = ("dW1", "db1", "dW2", "db2", "dW3", "db3")


def test_a_wrong_loss_before_right_gradients_is_no_common_factor():
    check = checked({"loss": lambda t: right("4-3-2-1", "loss")(t) * (1 + 1e-9)})
    assert (check.first_wrong, check.factor) == ("loss", None)
    assert "every gradient is" not in str(check)


def test_a_wrong_weight_gradient_beside_right_ones_is_no_common_factor():
    check = checked({"dW2": lambda t: (1 + 3e-15) * (t["a1"].T @ t["dz2"])})
    assert check.factor is None


def test_a_factor_in_the_number_of_samples_has_its_name():
    def unbiased(t):
        return right("4-3-2-1", "da3")(t) * len(t["x"]) / (len(t["x"]) - 1)

    text = str(checked({"da3": unbiased}))
    assert "= N/(N − 1) × the reference" in text


def test_a_fitted_number_reads_as_a_formula():
    text = str(checked({"dW2": lambda t: (t["a1"].T @ t["dz2"]) * (1 + 1e-9)}))
    assert "(1 + 1e−09)·dW2   reproduces" in text
    text = str(checked({"dW1": lambda t: t["x"].T @ t["dz1"] - 0.25 * t["W1"]}))
    assert "dW1 − 0.25·W1   reproduces" in text


def test_the_worst_entry_of_a_scalar_has_no_place():
    text = str(checked({"loss": lambda t: np.cos(right("4-3-2-1", "loss")(t))}))
    assert "worst entry          loss\n" in text


def test_a_label_too_high_and_one_too_low_are_told_apart():
    network = harness.load_network("3-4-3", loss="cross-entropy")
    for step, says in ((1, "1 is added to the labels"), (-1, "1 is subtracted from the labels")):

        def moved(t, step=step):
            return right(network, "da2")({**t, "y": (t["y"] + step) % 3})

        text = str(checked({"da2": moved}, network=network))
        assert says in text
        assert f"(softmax(a2) − [class is y {'+' if step > 0 else '−'} 1])/N" in text


def test_a_constant_in_the_backward_pass_is_told_for_a_person():
    text = str(checked({"dz2": lambda t: 0.01 * right("4-3-2-1", "dz2")(t)}))
    assert "dz2 is 0.01 times what it should be (a learning rate, or 1/N, multiplied in too early?)" in text
