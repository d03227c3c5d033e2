"""Other losses and other conventions: right programs pass and say how they are read; a mistake stays one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import harness
from harness.dialects.factors import factors_of
from impls.hand import from_text
from tests.dialects.written import penalised, written

SQUARED = ("4-3-1", "tanh", "sigmoid", "sum-squared-error")
MEAN = ("4-3-3", "tanh", "sigmoid", "mean-squared-error")
CLASSES = ("4-5-3", "tanh", "identity", "cross-entropy")
BINARY = ("4-3-1", "tanh", "sigmoid", "binary-cross-entropy")


def network(sizes, activation, output, loss):
    return from_text(sizes, activation=activation, output_activation=output, loss=loss)


def checked(program, of, *, rows=7, **options):
    if of is MEAN:
        return harness.check(program, network(*of), "random", batch=rows, **options)
    return harness.check(program, network(*of), "iris", batch=rows, **options)


RIGHT = {
    "half": (SQUARED, {"factor": lambda n, k: 0.5}, "for 1/2 times that loss"),
    "mean for sum": (SQUARED, {"factor": lambda n, k: 1 / n}, "for 1/N times that loss"),
    "half the mean": (SQUARED, {"factor": lambda n, k: 0.5 / n}, "for 1/(2·N) times that loss"),
    "a constant": (SQUARED, {"factor": lambda n, k: 0.37}, "for 0.37 times that loss"),
    "a third": (SQUARED, {"factor": lambda n, k: 1 / 3}, "for 1/3 times that loss"),
    "sum for mean": (MEAN, {"mean": True, "factor": lambda n, k: n * k}, "for N·K times that loss"),
    "mean over samples only": (MEAN, {"mean": True, "factor": lambda n, k: k}, "for K times that loss"),
    "each sample's own": (MEAN, {"mean": True, "moved": lambda n, k: n}, "gradients of each sample's own loss"),
    "two over N in the weights": (MEAN, {"mean": True, "moved": lambda n, k: n * k / 2}, "times the loss in gradients"),
    "softmax shown": (CLASSES, {"output": "softmax", "squared": False}, "a2 = softmax(z2)"),
    "softmax, its gradient of one step": (
        CLASSES, {"output": "softmax", "squared": False, "fused": True}, "a2 = softmax(z2)",
    ),
    "softmax, each sample's own": (
        CLASSES, {"output": "softmax", "squared": False, "fused": True, "moved": lambda n, k: n}, "own loss",
    ),
    "binary, in one step": (BINARY, {"squared": False, "fused": True}, "da2 for the gradient by z2"),
    "half, each sample's own": (
        MEAN, {"mean": True, "factor": lambda n, k: 0.5, "moved": lambda n, k: n}, "for 1/2 times that loss",
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rows", [7, 60])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_program_passes_and_says_how_it_is_read(name, rows, dtype):
    of, manner, says = RIGHT[name]
    found = checked(written(**manner), of, rows=rows, dtype=dtype)
    assert found.verdict == "PASS", str(found)
    assert says in str(found).splitlines()[3]
    assert found.dialect is not None
    assert found.wrong == []


@pytest.mark.parametrize("name", RIGHT)
def test_the_same_program_fails_where_it_must_be_right_as_it_stands(name):
    of, manner, _ = RIGHT[name]
    found = checked(written(**manner), of, strict=True)
    assert found.verdict == "FAIL"
    assert found.dialect is None


MISTAKES = ("derivative of tanh forgotten", "half in one layer", "bias of the first sample")


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", RIGHT)
def test_one_mistake_in_it_is_found_where_it_is(name, mistake):
    of, manner, _ = RIGHT[name]
    at = {MISTAKES[0]: "dz1", MISTAKES[1]: "dW1", MISTAKES[2]: "db1"}[mistake]
    found = checked(written(**manner, mistake=mistake), of)
    assert found.verdict == "FAIL"
    assert found.wrong == [at], str(found)
    assert found.diagnoses[0].causes, str(found)


LOOK_ALIKES = {
    "1/N lost in one layer": (
        MEAN, {"mean": True, "moved": lambda n, k: n, "mistake": "factor lost in one layer"}, "dW2",
    ),
    "half the loss, not its gradients": (
        SQUARED, {"factor": lambda n, k: 0.5, "mistake": "factor in the loss only"}, "loss",
    ),
    "half the gradients, not the loss": (
        SQUARED, {"factor": lambda n, k: 0.5, "mistake": "factor in the gradients only"}, "da2",
    ),
    "softmax over the samples": (
        CLASSES, {"output": "softmax", "squared": False, "mistake": "softmax over samples"}, "a2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_mistake_that_looks_like_a_dialect_is_one(name):
    of, manner, at = LOOK_ALIKES[name]
    found = checked(written(**manner), of)
    assert found.verdict == "FAIL"
    assert found.first_wrong == at, str(found)


WEIGHTS = ("dW1", "db1", "dW2", "db2")


def test_gradients_alone_that_are_scaled_tell_what_would_make_them_right():
    found = checked(written(factor=lambda n, k: 0.5, shows=WEIGHTS), SQUARED)
    assert found.verdict == "FAIL"
    assert found.option == '--loss "sum-squared-error(by=0.5)"'
    assert found.option in str(found)


def test_gradients_alone_of_the_sum_where_the_mean_is_meant_tell_its_name():
    found = checked(written(mean=True, factor=lambda n, k: n * k, shows=WEIGHTS), MEAN)
    assert (found.verdict, found.option) == ("FAIL", "--loss sum-squared-error")


def test_a_negative_gradient_is_told_by_how_it_is_used():
    found = checked(written(factor=lambda n, k: -1.0, shows=WEIGHTS), SQUARED)
    assert found.verdict == "FAIL"
    assert found.option is None
    assert "+=" in str(found)


def test_a_factor_has_the_name_that_people_give_it():
    def of(number, rows=150, outputs=3):
        return [factor.text for factor in factors_of(number, 1e-12 * abs(number), rows, outputs)]

    assert of(0.5) == ["1/2"]
    assert of(1 / 150) == ["1/N"]
    assert of(3 / 300) == ["K/(2·N)", "0.01"]
    assert of(12, rows=12) == ["N", "12"]
    assert of(0.5, rows=2) == ["1/2", "1/N"]
    assert of(0.37) == ["0.37"]
    assert of(1 / 7) == ["1/7"]
    assert of(1 + 1e-14) == []
    assert of(-0.5) == []
    assert of(3.14159265358979) == ["3.14159"]
    assert next(factors_of(1 / 3, 1e-15, 150, 1)).constant == Fraction(1, 3)


PENALTIES = {
    "l2": {"l2": 0.01},
    "l2 halved": {"l2": 0.03, "half": True},
    "l2 over N": {"l2": 0.7, "mean": True},
    "l2 halved, over N": {"l2": 0.5, "half": True, "mean": True},
    "l2 of biases too": {"l2": 0.02, "biases": True},
    "l1": {"l1": 0.004},
    "l1 over N": {"l1": 0.2, "mean": True},
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_that_was_not_said_is_found_with_its_number(name, dtype):
    found = checked(penalised(**PENALTIES[name]), SQUARED, rows=40, dtype=dtype)
    assert found.verdict == "PASS", str(found)
    number = PENALTIES[name].get("l2") or PENALTIES[name]["l1"]
    said = checked(penalised(**PENALTIES[name]), (*SQUARED[:3], found.option.split('"')[1]), rows=40, dtype=dtype)
    assert said.verdict == "PASS", str(said)
    assert said.dialect is None
    assert any(f"{n:g}" in found.option for n in (number, 2 * number, number / 2))


@pytest.mark.parametrize(
    ("mistake", "at"),
    [("penalty in the gradients only", "dW2"), ("penalty in the loss only", "loss"), ("penalty of one layer", "dW2"),
     ("factor 2 forgotten", "dW2")],
)  # fmt: skip
def test_a_penalty_in_one_place_only_stays_a_mistake(mistake, at):
    found = checked(penalised(l2=0.01, mistake=mistake), SQUARED, rows=40)
    assert found.verdict == "FAIL"
    assert found.first_wrong == at, str(found)


def epsilon_inside(epsilon, *, gradient_too):
    def backward(weights, x, y):
        W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
        a1 = np.tanh(x @ W1 + b1)
        a2 = 1 / (1 + np.exp(-(a1 @ W2 + b2)))
        loss = -(y * np.log(a2 + epsilon) + (1 - y) * np.log(1 - a2 + epsilon)).mean()
        e = epsilon if gradient_too else 0
        da2 = ((1 - y) / (1 - a2 + e) - y / (a2 + e)) / a2.size
        dz2 = da2 * a2 * (1 - a2)
        dz1 = dz2 @ W2.T * (1 - a1**2)
        return {
            "a2": a2, "loss": loss, "da2": da2, "dz2": dz2, "dW2": a1.T @ dz2, "db2": dz2.sum(0), "dz1": dz1,
            "dW1": x.T @ dz1, "db1": dz1.sum(0),
        }  # fmt: skip

    return backward


@pytest.mark.parametrize("epsilon", [1e-5, 1e-8, 1e-12])
def test_an_epsilon_in_the_loss_and_in_its_gradient_is_found_with_its_value(epsilon):
    found = checked(epsilon_inside(epsilon, gradient_too=True), BINARY)
    assert found.verdict == "PASS", str(found)
    assert f"{epsilon:g} added inside the logarithm" in found.reason


@pytest.mark.parametrize("epsilon", [1e-5, 1e-8])
def test_an_epsilon_in_the_loss_only_is_a_mistake_with_its_name(epsilon):
    found = checked(epsilon_inside(epsilon, gradient_too=False), BINARY)
    assert (found.verdict, found.first_wrong) == ("FAIL", "loss")
    assert found.diagnoses[0].causes, str(found)
