"""Networks of well-known courses: a right one passes in its dialect, a wrong one is located and named, every way."""

from functools import partial

import numpy as np
import pytest

import harness
from impls.hand import Dense, Network, Scaled, Sigmoid, SumSquaredError
from tests.users import courses

SQUARES = {"output_activation": "identity", "loss": "mean-squared-error"}
BINARY = {"loss": "binary-cross-entropy"}
OWN = "with gradients of each sample's own loss, and 1/N in those of the weights"
HALF = "for 1/2 times that loss"
PENALTY = "with the L2 penalty 0.005·Σw² added to the loss"
PROGRAMS = {
    "layers": ("4-5-2", {"activation": "tanh", **SQUARES}, "rows", None, "dz1", "square too much"),
    "columns": (
        "4-5-3", {"activation": "relu", "loss": "one-hot-cross-entropy"},
        "columns", OWN, "dz1", "mask from the upstream",
    ),
    "scores": (
        "4-6-3", {"activation": "relu", "loss": "cross-entropy"}, "rows", PENALTY, "dW1", "doubled",
    ),
    "halves": ("4-6-1", {"activation": "elu", **SQUARES}, "rows", HALF, "dz1", "term of the derivative missing"),
    "everything": (
        "4-5-5-1", {"activation": "leaky-relu", **BINARY}, "rows", None, "dz1", "derivative at another layer",
    ),
    "named": ("4-3-2", {"activation": "softplus", **SQUARES}, "rows", None, "da2", "doubled"),
    "loop": ("4-3-1", {"activation": "tanh", **BINARY}, "rows", None, "db1", "times N"),
    "total": (
        "4-3-1", {"activation": "leaky-relu", **BINARY}, "rows", "for N times that loss", "dz1", "parameter left out",
    ),
}  # fmt: skip


def found_in(name, *, wrong=False, by_update=False, said=None):
    """The check of a program of `PROGRAMS`, as it is or by an update with its gradients."""
    sizes, meant, layout, *_ = PROGRAMS[name]
    function = partial(getattr(courses, name), wrong=wrong)
    net = harness.load_network(sizes, **meant | ({"loss": said} if said else {}))
    if by_update:
        function = harness.gradients_from_update(partial(updated, function), lr=0.1, name=name)
    return harness.check(function, net, layout=layout, batch=40)


def updated(of, w, x, y):
    """One update of the weights, with the gradients that a program returns in its own way."""
    given = of(w, x, y)
    given = given[1] if isinstance(given, tuple) else given
    if isinstance(given, list):
        given = {f"{kind}{n}": g for n, pair in enumerate(given, 1) for kind, g in zip("Wb", pair, strict=True)}
    for name in w:
        gradient = next(given[key] for key in (f"d{name}", f"grad_{name}", name) if key in given)
        w[name] = w[name] - 0.1 * np.reshape(gradient, w[name].shape)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_right_one_passes_and_its_dialect_is_said(name):
    found = found_in(name)
    assert (found.verdict, found.dialect) == ("PASS", PROGRAMS[name][3]), str(found)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_mistake_is_located_and_named(name):
    found, (at, cause) = found_in(name, wrong=True), PROGRAMS[name][4:]
    assert (found.verdict, found.dialect, found.wrong) == ("FAIL", PROGRAMS[name][3], [at]), str(found)
    assert found.diagnoses[0].causes[0].cause == cause, str(found)


@pytest.mark.parametrize("name", PROGRAMS)
def test_by_its_update_it_is_right_with_the_loss_that_is_told_if_any(name):
    found = found_in(name, by_update=True)
    if PROGRAMS[name][3] in (None, OWN):
        assert found.verdict == "PASS", str(found)
        return
    assert (found.verdict, found.option is None) == ("FAIL", False), str(found)
    said = found.option.removeprefix("--loss ").strip('"')
    assert said in str(found)
    assert found_in(name, by_update=True, said=said).verdict == "PASS"
    wrong = found_in(name, wrong=True, by_update=True, said=said)
    assert (wrong.verdict, wrong.wrong) == ("FAIL", [PROGRAMS[name][4]]), str(wrong)


@pytest.mark.parametrize("wrong", [False, True])
def test_in_a_pytest_assertion_too(wrong):
    sizes, meant, *_ = PROGRAMS["halves"]
    reference = harness.reference(harness.load_network(sizes, **meant | {"loss": "mean-squared-error(by=0.5)"}))
    _, gradients = courses.halves(reference.weights, reference.x, reference.y, wrong=wrong)
    assert (gradients == harness.allow(reference)) is not wrong


def test_one_sample_at_a_time_in_lists():
    def found(meant="sum-squared-error(by=0.5)", **slip):
        net = harness.load_network("4-5-3", loss=meant)
        return harness.check(partial(courses.book, **slip), net, layout="sample-column", batch=20)

    assert found().verdict == "PASS"
    assert found("sum-squared-error").option == '--loss "sum-squared-error(by=0.5)"'
    wrong = found(wrong=True)
    assert (wrong.wrong, wrong.diagnoses[0].causes[0].cause) == (["dz2", "dz1"], "function applied twice"), str(wrong)


WITHOUT = "for a network without biases"


def test_without_biases_it_is_read_as_a_network_without_and_its_loss_is_said():
    def found(network="4-3-1", strict=False, **slip):
        step = partial(courses.no_biases, **slip)
        backward = harness.gradients_from_update(step, lr=1, name="step")
        return harness.check(backward, network, batch=20, strict=strict)

    half = found()
    assert (half.verdict, half.wrong, half.dialect) == ("FAIL", ["da2"], WITHOUT), str(half)
    assert half.option == '--loss "sum-squared-error(by=0.5)"'
    meant = harness.load_network("4-3-1", loss="sum-squared-error(by=0.5)")
    assert (found(meant).verdict, found(meant).dialect, found(meant, strict=True).verdict) == ("PASS", WITHOUT, "FAIL")
    wrong = found(meant, wrong=True)
    assert (wrong.verdict, wrong.dialect) == ("FAIL", WITHOUT), str(wrong)
    layers = [Dense(4, 3, bias=False), Sigmoid(), Dense(3, 1, bias=False), Sigmoid()]
    plain = Network(layers, Scaled(SumSquaredError(), 0.5))
    assert (found(plain).verdict, found(plain).dialect) == ("PASS", None)
    assert found(plain, wrong=True).verdict == "FAIL"


@pytest.mark.parametrize("biased", [True, False])
def test_a_step_that_trains_no_bias_is_told_so_and_one_mistake_is_one(biased):
    def step(w, x, y, wrong=False):
        biases = [w["b1"], w["b2"]] if biased else [0, 0]
        a1 = np.tanh(x @ w["W1"] + biases[0])
        a2 = a1 @ w["W2"] + biases[1]
        dz2 = a2 - y
        dz1 = dz2 @ w["W2"].T * (1 - a1 if wrong else 1 - a1**2)
        loss = ((a2 - y) ** 2).sum() / 2
        return {"W1": w["W1"] - 0.1 * x.T @ dz1, "W2": w["W2"] - 0.1 * a1.T @ dz2}, loss

    network = harness.load_network("4-3-1", activation="tanh", output_activation="identity")
    says = f"{'with biases that are not trained' if biased else WITHOUT}, for 1/2 times that loss"
    right, wrong = (
        harness.check(harness.gradients_from_update(partial(step, wrong=each), lr=0.1, name="step"), network, batch=20)
        for each in (False, True)
    )
    assert (right.verdict, right.dialect) == ("PASS", says), str(right)
    assert any("shows its update and its loss" in finding.message for finding in right.findings)
    assert (wrong.wrong, wrong.dialect) == (["dz1"], says), str(wrong)
    assert wrong.diagnoses[0].causes[0].cause == "square missing"


def test_a_method_that_a_class_has_inherited_is_one_of_that_class(tmp_path):
    from click.testing import CliRunner

    from harness.cli.commands import harness as command

    (tmp_path / "mine.py").write_text("from tests.users.courses import Net, Updated\n")
    said = ["--model", "4-5-3", "--activation", "relu", "--loss", "cross-entropy", "--batch", "20"]
    for name, status, words in (("Net", 0, "PASS"), ("Updated", 1, "W2 was updated, with learning rate 0.1, before")):
        target = f"{tmp_path / 'mine.py'}:{name}.train_step"
        done = CliRunner().invoke(command, ["check", target, *said, "--update", "--lr", "0.1"])
        assert (done.exit_code, words in done.output) == (status, True), done.output
    with pytest.raises(harness.UsageError, match="a method of Net and of Updated, which has inherited it"):
        harness.gradients_from_update(courses.Updated.train_step, lr=0.1)
    of_an_object = harness.gradients_from_update(courses.Updated().train_step, lr=0.1)
    net = harness.load_network("4-5-3", activation="relu", loss="cross-entropy")
    assert harness.check(of_an_object, net, batch=20).verdict == "FAIL"


def test_the_first_step_of_a_momentum_is_one_of_plain_descent():
    sizes, meant, *_ = PROGRAMS["loop"]
    step = courses.Velocity(courses.loop).step
    found = harness.check(harness.gradients_from_update(step, lr=0.1), harness.load_network(sizes, **meant), batch=20)
    assert found.verdict == "PASS", str(found)
