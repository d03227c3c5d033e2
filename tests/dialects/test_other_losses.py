"""A factor, a guard and a penalty at once: right programs pass in the loss they have; one mistake in them stays one."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from impls.hand import from_text
from tests.dialects.losses import MISTAKES, WEIGHTS, another
from tests.dialects.written import penalised, written

NETWORKS = {
    "squares": ("4-3-2", "sigmoid", "sum-squared-error"),
    "binary": ("4-3-2", "sigmoid", "binary-cross-entropy"),
    "binary on logits": ("4-3-2", "identity", "binary-cross-entropy-on-logits"),
    "classes": ("4-3-3", "softmax", "sparse-categorical-cross-entropy"),
    "classes on logits": ("4-3-3", "identity", "cross-entropy"),
}
ROWS = 13


def network(kind, **loss):
    sizes, output, name = NETWORKS[kind]
    said = f"{name}({', '.join(f'{key}={value!r}' for key, value in loss.items())})" if loss else name
    return from_text(sizes, activation="tanh", output_activation=output, loss=said)


def data(kind, scale=1.0):
    rng = np.random.default_rng(3)
    x = scale * rng.normal(size=(ROWS, 4))
    return x, rng.integers(0, 3, ROWS) if "classes" in kind else (rng.uniform(size=(ROWS, 2)) > 0.5) * 1.0


def checked(kind, *, scale=1.0, said=None, **manner):
    return harness.check(another(kind, **manner), network(kind, **(said or {})), data(kind, scale))


RIGHT = {
    "half, penalty on biases, weights shown": (
        "squares", {"factor": 0.5, "l2": 0.02, "biases": True, "shows": WEIGHTS},
        "for 1/2 times that loss, with the L2 penalty 0.02·Σw² of weights and biases added to it",
    ),
    "nameless factor, L1": (
        "squares", {"factor": 0.37, "l1": 0.005, "shows": WEIGHTS},
        "for 0.37 times that loss, with the L1 penalty 0.005·Σ|w| added to it",
    ),
    "nameless factor, epsilon": (
        "binary", {"factor": 0.37, "epsilon": 1e-5},
        "for 0.37 times that loss, with 1e-05 added inside the logarithm",
    ),
    "epsilon, penalty, weights shown": (
        "binary", {"epsilon": 1e-8, "l2": 0.01, "shows": WEIGHTS},
        "with 1e-08 added inside the logarithm, with the L2 penalty 0.01·Σw² added to it",
    ),
    "epsilon on logits": ("classes on logits", {"epsilon": 1e-3}, "with 0.001 added inside the logarithm"),
    "all three on logits": (
        "classes on logits", {"factor": 0.37, "epsilon": 1e-3, "l2": 0.01, "shows": WEIGHTS},
        "for 0.37 times that loss, with 0.001 added inside the logarithm, with the L2 penalty 0.01·Σw² added to it",
    ),
    "clip": ("binary", {"clip": 0.1}, "with its probabilities clipped to [0.1, 1 − 0.1]"),
    "clip on logits, half": (
        "binary on logits", {"clip": 0.1, "factor": 0.5, "shows": WEIGHTS},
        "for 1/2 times that loss, with its probabilities clipped to [0.1, 1 − 0.1]",
    ),
}  # fmt: skip


def scale_of(manner):
    """Inputs so large that a clip acts on some samples."""
    return 8.0 if "clip" in manner else 1.0


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_program_passes_and_the_loss_is_said(name):
    kind, manner, says = RIGHT[name]
    found = checked(kind, scale=scale_of(manner), **manner)
    assert found.verdict == "PASS", str(found)
    assert found.dialect == says
    assert says in str(found).splitlines()[3]


@pytest.mark.parametrize("name", RIGHT)
def test_one_mistake_in_it_is_found_where_it_is_and_named(name):
    kind, manner, says = RIGHT[name]
    mistake = ("derivative of tanh forgotten", "half in one layer")[len(name) % 2]
    found = checked(kind, scale=scale_of(manner), mistake=mistake, **manner)
    assert (found.verdict, found.dialect) == ("FAIL", says), str(found)
    assert found.wrong == [MISTAKES[mistake]]
    assert found.diagnoses[0].causes, str(found)


INCONSISTENT = [
    ("squares", {"factor": 0.5, "l2": 0.02, "biases": True}, "factor in the gradients only"),
    ("squares", {"factor": 0.5, "l2": 0.02, "shows": WEIGHTS}, "biases in the loss only"),
    ("squares", {"factor": 0.37, "l1": 0.01, "shows": WEIGHTS}, "penalty of one layer"),
    ("binary", {"factor": 0.37, "epsilon": 1e-5}, "guard in the loss only"),
    ("binary", {"epsilon": 1e-5, "l2": 0.3, "shows": WEIGHTS}, "factor 2 forgotten"),
    ("binary", {"epsilon": 1e-5, "shows": WEIGHTS}, "another guard in the gradients"),
    ("binary", {"clip": 0.1}, "guard in the gradients only"),
    ("binary", {"clip": 0.1}, "guard in the loss only"),
    ("classes on logits", {"epsilon": 1e-3, "shows": WEIGHTS}, "guard in the loss only"),
    ("classes on logits", {"epsilon": 1e-3, "factor": 0.5}, "factor in one layer only"),
    ("binary on logits", {"clip": 0.1, "l2": 0.02}, "penalty in the gradients only"),
]


@pytest.mark.parametrize(("kind", "manner", "mistake"), INCONSISTENT, ids=str)
def test_what_loss_and_gradients_do_not_share_is_no_dialect(kind, manner, mistake):
    assert checked(kind, scale=scale_of(manner), mistake=mistake, **manner).verdict == "FAIL"


SAID = [("binary", {"clip": 0.1}), ("classes", {"clip": 0.3}), ("classes on logits", {"epsilon": 1e-3})]


@pytest.mark.parametrize(("kind", "guard"), SAID, ids=str)
def test_a_guard_that_is_said_needs_no_dialect(kind, guard):
    found = checked(kind, scale=8.0, said=guard, **guard)
    assert (found.verdict, found.dialect) == ("PASS", None), str(found)
    (name,) = guard
    missing = checked(kind, scale=8.0, said=guard)
    assert (missing.verdict, missing.first_wrong) == ("FAIL", "loss")
    assert f"the {name} {guard[name]:g} of the loss is left out" in missing.diagnoses[0].causes[0].says


def test_a_clip_that_is_not_differentiated_is_named():
    of = another("classes", clip=0.3)

    def passed_on(weights, x, y):
        found = of(weights, x, y)
        t, p = np.eye(3)[y], found["a2"]
        found["da2"] = -t / np.clip(p, 0.3, 0.7) / len(x)
        return {name: found[name] for name in ("z1", "a1", "z2", "a2", "loss", "da2")}

    found = harness.check(passed_on, network("classes", clip=0.3), data("classes", 8.0))
    assert found.first_wrong == "da2"
    assert "the clip is not differentiated" in found.diagnoses[0].causes[0].says


def test_a_guard_that_acts_on_saturated_outputs_alone_is_a_note():
    def guarded(weights, x, y):
        found = another("classes on logits")(weights, x, y)
        z = found["z2"] - found["z2"].max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return {**found, "loss": -np.log(np.clip(p[np.arange(len(y)), y], 1e-7, 1 - 1e-7)).mean()}

    found = harness.check(guarded, network("classes on logits"), data("classes on logits"))
    assert found.verdict == "PASS", str(found)
    assert "is clipped to [1e-07, 1 − 1e-07] in the loss" in str(found)


@pytest.mark.parametrize("number", [{"l2": 0.01}, {"l1": 0.3}, {"l2": 0.03, "biases": True}])
def test_a_penalty_in_the_loss_only_has_a_name(number):
    net = from_text("4-3-1", activation="tanh", output_activation="sigmoid", loss="sum-squared-error")
    found = harness.check(penalised(**number, mistake="penalty in the loss only"), net, "iris", batch=20)
    assert (found.verdict, found.wrong) == ("FAIL", ["loss"])
    (cause,) = found.diagnoses[0].causes
    assert cause.cause == "penalty added"
    assert f"{next(iter(number.values())):g}·Σ" in cause.says


def test_negated_gradients_in_a_convention_are_called_negated():
    def negated(weights, x, y):
        found = written(mean=True, moved=lambda n, k: n)(weights, x, y)
        return {name: -array if name.startswith("d") else array for name, array in found.items()}

    net = from_text("4-3-3", activation="tanh", output_activation="sigmoid", loss="mean-squared-error")
    found = harness.check(negated, net, "random", batch=20)
    assert (found.verdict, found.wrong) == ("FAIL", ["da2"])
    assert "1/N in those of the weights" in str(found)
    assert found.diagnoses[0].causes[0].cause == "sign flipped"
