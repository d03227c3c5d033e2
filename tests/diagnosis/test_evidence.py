"""Evidence: what a diagnosis says in words, and what it must not say."""

import numpy as np
import pytest

import harness
from tests.helpers.evident import checked, right

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
    for at, factor in (("da3", 0.9), ("dz2", -1), ("dW2", 0.9)):
        for only in (None, GRADIENTS):
            line = lambda t, at=at, factor=factor: factor * right("4-3-2-1", at)(t) + 0.01  # noqa: E731
            for diagnosis in checked({at: line}, only=only).diagnoses:
                guess = diagnosis.runner_up
                assert guess is None or 1e-6 < guess.residual <= 0.5


LABELS = harness.load_network("3-4-2", loss="cross-entropy")
ALL_BUT_A2 = tuple(link.output for link in LABELS.links if link.output != "a2")


def softmax_over_the_samples(t):
    powers = np.exp(t["a2"] - t["a2"].max(axis=0))
    return powers / powers.sum(axis=0)


def loss_over_the_samples(t):
    return -np.log(softmax_over_the_samples(t)[np.arange(len(t["y"])), t["y"]]).mean()


def gradient_over_the_samples(t):
    return (softmax_over_the_samples(t) - np.eye(2)[t["y"]]) / len(t["y"])


def test_a_softmax_over_the_wrong_axis_is_named_forward_and_backward():
    lines = {"loss": loss_over_the_samples, "da2": gradient_over_the_samples}
    for only in (None, ALL_BUT_A2):
        for names in (("loss",), ("da2",), ("loss", "da2")):
            check = checked({name: lines[name] for name in names}, network=LABELS, only=only)
            assert check.wrong == list(names)
            assert {d.causes[0].cause for d in check.diagnoses} == {"softmax over the samples"}


def test_an_unknown_mistake_is_located_where_it_is_shown():
    lines = {"loss": lambda t: np.cos(right(LABELS, "loss")(t)), "da2": lambda t: np.cos(right(LABELS, "da2")(t))}
    check = checked(lines, network=LABELS, only=ALL_BUT_A2)
    assert check.wrong == ["loss", "da2"]
    assert not any("not shown" in fact for d in check.diagnoses for fact in d.known)


def test_an_unknown_mistake_at_one_hidden_link_is_located_there():
    names = [link.output for link in harness.load_network("4-3-2-1").links if link.output != "dz2"]
    check = checked({"dz2": lambda t: t["da2"] * np.cos(t["a2"])}, only=names)
    assert check.first_wrong == "dz2"


@pytest.mark.parametrize("without", [(), ("z2",), ("z2", "a2")], ids=str)
def test_a_name_that_was_used_again_is_overwritten_and_no_gradient_is_wrong(without):
    names = [link.output for link in harness.load_network("4-3-2-1").links if link.output not in without]
    check = checked({}, only=names, after={"a1": lambda t: 1 - np.square(t["a1"])})
    assert check.wrong == ["a1"]
    assert all(row.verdict == "ok" for row in check.rows if row.gradient != "a1")
    says = "a1 is not the activation any more where you return it (overwritten?): what is computed from it is right"
    assert says in str(check)


def test_an_activation_that_is_wrong_where_it_is_read_is_not_overwritten():
    check = checked({"a1": lambda t: t["z1"]})
    assert check.wrong == ["a1"]
    assert [cause.cause for cause in check.diagnoses[0].causes] == ["activation missing"]


def test_a_mistake_behind_an_overwritten_name_is_found_too():
    check = checked({"dz1": lambda t: t["da1"]}, after={"a2": lambda t: t["a2"] * (1 - t["a2"])})
    assert check.wrong == ["a2", "dz1"]
    assert "derivative missing" in {cause.cause for cause in check.diagnoses[1].causes}
