"""Mistakes written by hand, without the catalogue: each is found at its link and named."""

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.diagnosis import diagnose
from impls.hand import from_text
from tests.broken import backward_passes as passes
from tests.broken import backward_slips as slips
from tests.helpers.diagnosing import faulty, point_of

NETWORK = from_text("4-3-2-1")
LR = 0.05


def sums(t, name):
    return np.sum(t[name], axis=0)


def every_weight(change):
    """The same change of the gradient of every weight."""
    right = {
        **{f"dW{k}": lambda t, k=k: t["x" if k == 1 else f"a{k - 1}"].T @ t[f"dz{k}"] for k in (1, 2, 3)},
        **{f"db{k}": lambda t, k=k: sums(t, f"dz{k}") for k in (1, 2, 3)},
    }
    return slips.pass_with(**{name: lambda t, r=r: change(t, r(t)) for name, r in right.items()})


def with_line(name, line):
    return slips.pass_with(**{name: line})


MISTAKES = {
    "derivative of z": (passes.derivative_of_z, "dz2", "derivative at z"),
    "derivative of z, weights only": (passes.weights_only(passes.derivative_of_z), "dz2", "derivative at z"),
    "derivative of z everywhere": (passes.derivative_of_z_everywhere, "dz3", "derivative at z"),
    "sigmoid' of a": (passes.sigmoid_of_sigmoid, "dz1", "function applied twice"),
    "no derivative at the output": (passes.no_derivative_at_the_output, "dz3", "derivative missing"),
    "no derivative anywhere": (passes.no_derivative_anywhere, "dz3", "derivative missing"),
    "half of the square": (passes.half_of_the_square, "da3", "half"),
    "target minus output": (passes.target_minus_output, "da3", "sign flipped"),
    "mean of the square": (passes.mean_of_the_square, "da3", "mean for sum"),
    "cross-entropy's gradient": (passes.cross_entropy_gradient, "dz3", "fused gradient with another loss"),
    "tanh's derivative": (passes.tanh_derivative, "dz2", "derivative of another activation"),
    "lecture's second path": (with_line("dW2", slips.second_path), "dW2", "path of another weight"),
    "last path only": (with_line("da1", slips.last_path_only), "da1", "dropped path"),
    "overwritten sample by sample": (with_line("dW2", slips.overwritten_sample_by_sample), "dW2", "only one sample"),
    "range from 1": (with_line("dW1", slips.range_from_one), "dW1", "dropped sample"),
    "an input forgotten": (with_line("dW1", slips.inputs_but_the_last), "dW1", "dropped neuron"),
    "updated before use": (with_line("da1", slips.updated_before_use(LR)), "da1", "weights after the update"),
    "half precision": (with_line("dz2", slips.in_half_precision), "dz2", "rounded to float16"),
    "single precision": (with_line("dW1", slips.in_single_precision), "dW1", "computed in float32"),
    "clipped": (with_line("dW1", slips.clipped), "dW1", "clipped by value"),
    "fortran order": (with_line("dW1", slips.fortran_order), "dW1", "column-major order"),
    "z for a": (with_line("dW2", lambda t: t["z1"].T @ t["dz2"]), "dW2", "pre-activation for activation"),
    "da for dz": (with_line("dW2", lambda t: t["a1"].T @ t["da2"]), "dW2", "upstream of the activation's output"),
    "mean of the bias": (with_line("db2", lambda t: t["dz2"].mean(axis=0)), "db2", "mean for sum"),
    "one sum for all biases": (
        with_line("db1", lambda t: np.full(3, t["dz1"].sum())), "db1", "sum over everything",
    ),
    "reshaped": (with_line("da1", lambda t: t["dz2"] @ t["W2"].reshape(2, 3)), "da1", "reshaped for transposed"),
    "summed before use": (
        with_line("da1", lambda t: np.ones((len(t["x"]), 1)) * (t["dz2"].sum(axis=0) @ t["W2"].T)),
        "da1", "summed over the samples",
    ),
    "mean of the outer product": (
        with_line("dW1", lambda t: np.outer(t["x"].sum(0), t["dz1"].sum(0))), "dW1", "sums before the product",
    ),
    "derivative squared": (
        with_line("dz1", lambda t: t["da1"] * (t["a1"] * (1 - t["a1"])) ** 2), "dz1", "derivative twice",
    ),
    "da forgotten": (with_line("dz2", lambda t: t["a2"] * (1 - t["a2"])), "dz2", "upstream missing"),
    "1 - a forgotten": (with_line("dz2", lambda t: t["da2"] * t["a2"]), "dz2", "factor of the derivative missing"),
    "lr in every gradient": (every_weight(lambda t, g: LR * g), "dW3", "learning rate multiplied in"),
    "mean in every gradient": (every_weight(lambda t, g: g / len(t["x"])), "dW3", "mean for sum"),
    "weight decay": (
        with_line("dW1", lambda t: t["x"].T @ t["dz1"] + 1e-3 * t["W1"]), "dW1", "weight decay added",
    ),
}  # fmt: skip


def run(backward, point):
    with np.errstate(all="raise"):
        result = backward(dict(point.weights), point.x, point.y)
    names = {link.output for link in point.network.links}
    return {name: np.asarray(value) for name, value in result.items() if name in names}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_written_by_hand_is_located_and_named(mistake):
    backward, at, cause = MISTAKES[mistake]
    point = point_of(NETWORK, rows=9)
    shown = run(backward, point)
    wrong = faulty(point, shown)
    diagnoses = diagnose(point, shown, profile_of("float64"), wrong)
    assert {name for d in diagnoses for name in d.explains} == set(wrong) != set()
    assert at in {diagnoses[0].at, *(c.at for c in diagnoses[0].causes)}
    assert (cause, at) in {(c.cause, c.at) for c in diagnoses[0].causes}, diagnoses


def test_there_are_enough():
    assert len(MISTAKES) >= 25


@pytest.mark.parametrize("show", [passes.correct, passes.weights_only(passes.correct), slips.pass_with()])
def test_a_correct_pass_is_not_diagnosed(show):
    point = point_of(NETWORK, rows=9)
    shown = run(show, point)
    assert faulty(point, shown) == []
    assert diagnose(point, shown, profile_of("float64"), []) == []


def test_the_learning_rate_is_told():
    point = point_of(NETWORK, rows=9)
    for mistake in ("lr in every gradient", "updated before use"):
        shown = run(MISTAKES[mistake][0], point)
        (diagnosis,) = diagnose(point, shown, profile_of("float64"), faulty(point, shown))
        number, off = diagnosis.causes[0].number
        assert abs(number - LR) <= off < 1e-6
        assert "0.05" in diagnosis.causes[0].says
