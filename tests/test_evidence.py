"""Evidence: what a diagnosis says in words, and what it must not say."""

import numpy as np
import pytest

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


SMALL = {
    "dW2 times 1 + 1e-9": {"dW2": lambda t: (t["a1"].T @ t["dz2"]) * (1 + 1e-9)},
    "dW2 times 1 + 3e-8": {"dW2": lambda t: (t["a1"].T @ t["dz2"]) * (1 + 3e-8)},
    "1e-8 in the derivative": {"dz1": lambda t: t["da1"] * (t["a1"] * (1 - t["a1"]) + 1e-8)},
    "1e-8 in a forward pass": {"a1": lambda t: 1 / (1 + np.exp(-t["z1"]) + 1e-8)},
    "1e-8 in the loss": {"loss": lambda t: np.square(t["a3"] - t["y"] + 1e-8).sum()},
}


@pytest.mark.parametrize("only", [None, GRADIENTS], ids=["all", "weights"])
@pytest.mark.parametrize("mistake", SMALL)
def test_a_small_term_is_not_called_float32(mistake, only):
    if only and "loss" in mistake:
        only = (*GRADIENTS, "loss")
    check = checked(SMALL[mistake], only=only)
    assert check.verdict == "FAIL"
    for diagnosis in check.diagnoses:
        for cause in diagnosis.causes:
            assert "float32" not in cause.cause + cause.says
        assert diagnosis.causes or "the error is as small as the rounding of float32" in "".join(diagnosis.known)


def narrow(link):
    def line(t):
        inputs = {n: np.float32(a) if np.asarray(a).dtype.kind == "f" else a for n, a in t.items()}
        return np.asarray(link(inputs), np.float64)

    return line


def test_float32_is_named_with_its_evidence():
    network = harness.load_network("4-3-2-1")
    links = {link.output: narrow(link) for link in network.links}
    for only in (None, GRADIENTS):
        (diagnosis,) = checked(links, only=only).diagnoses
        assert diagnosis.causes[0].says.startswith("everything has the accuracy of float32")
    (diagnosis,) = checked({"dz2": links["dz2"]}).diagnoses
    assert diagnosis.causes[0].says.endswith("its wrong entries are exactly float32 numbers")


def test_not_everything_is_float32_where_something_is_right_in_float64():
    network = harness.load_network("4-3-2-1")
    lines = {link.output: narrow(link) for link in network.backward_links}
    check = checked(lines)
    causes = [cause for diagnosis in check.diagnoses for cause in diagnosis.causes]
    assert {cause.cause for cause in causes} >= {"computed in float32"}
    assert not any("everything" in cause.says for cause in causes)


def test_a_guess_is_refuted_and_near():
    for factor in (0.9, -1):
        for at in ("da3", "dz2", "dW2"):
            for only in (None, GRADIENTS):
                line = lambda t, at=at, factor=factor: factor * right("4-3-2-1", at)(t) + 0.01  # noqa: E731
                for diagnosis in checked({at: line}, only=only).diagnoses:
                    guess = diagnosis.runner_up
                    assert guess is None or 1e-6 < guess.residual <= 0.5
