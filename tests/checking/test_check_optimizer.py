"""Optimizers of one's own: right ones pass in whatever way they are written, wrong ones are found and named."""

import json
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from impls.hand import optimizers as hand
from tests.users import optimizers as mine
from tests.users.optimizers import B1, B2, DECAY, EPS, LR, MU, RHO

DESCENT = hand.GradientDescent(LR)
DECAYED = hand.GradientDescent(LR, DECAY)
MOMENTUM, NESTEROV = hand.Momentum(LR, MU), hand.Nesterov(LR, MU)
ADAM, ADAM_L2 = hand.Adam(LR, B1, B2, EPS), hand.Adam(LR, B1, B2, EPS, DECAY)
ADAMW = hand.AdamW(LR, B1, B2, EPS, DECAY)
ADAGRAD, RMSPROP = hand.Adagrad(LR), hand.RMSProp(LR, RHO, EPS)

RIGHT = {
    "gradient descent": (mine.descent, DESCENT),
    "gradient descent, decay as a factor": (mine.decayed_descent, DECAYED),
    "momentum as a velocity": (mine.velocity, MOMENTUM),
    "momentum as torch has it": (mine.as_torch, MOMENTUM),
    "nesterov as a velocity": (partial(mine.velocity, nesterov=True), NESTEROV),
    "nesterov as torch has it": (partial(mine.as_torch, nesterov=True), NESTEROV),
    "adam": (mine.Adam(), ADAM),
    "adam, its class": (mine.Adam, ADAM),
    "adam with coupled decay": (mine.Adam(decay=DECAY), ADAM_L2),
    "adamw": (mine.AdamW("adamw", DECAY), ADAMW),
    "adagrad": (mine.adagrad, ADAGRAD),
    "rmsprop": (mine.rmsprop, RMSPROP),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_optimizer_passes(name):
    step, optimizer = RIGHT[name]
    found = harness.check_optimizer(step, optimizer)
    assert (found.verdict, found.exit, found.mistake) == ("PASS", 0, None), str(found)
    assert {row.verdict for row in found.rows} == {"ok"}
    assert found.form is not None or "factor" not in name


OF_ADAM = (
    "betas swapped", "step counted per tensor", "step counted from 0", "step not counted", "state not kept",
    "m and v in one array", "1 − beta1 missing", "1 − beta2 missing", "1 − beta missing", "square missing", "v of m",
    "bias correction missing", "bias correction of m missing", "bias correction of v missing",
    "epsilon inside the root", "epsilon before the bias correction", "root missing", "learning rate twice", "sign",
    "learning rate missing",
)  # fmt: skip
WRONG = [(slip, mine.Adam(slip), ADAM) for slip in OF_ADAM] + [
    ("weight decay missing", mine.Adam(), ADAM_L2),
    ("weight decay doubled", mine.Adam("weight decay doubled", DECAY), ADAM_L2),
    ("weight decay decoupled", mine.AdamW("adamw", DECAY), ADAM_L2),
    ("weight decay coupled", mine.AdamW("weight decay coupled", DECAY), ADAMW),
    ("weight decay missing", mine.AdamW("weight decay missing", DECAY), ADAMW),
    ("weight decay without lr", mine.AdamW("weight decay without lr", DECAY), ADAMW),
    ("Nesterov", partial(mine.velocity, nesterov=True), MOMENTUM),
    ("not Nesterov", mine.velocity, NESTEROV),
    ("dampening", partial(mine.velocity, dampening=True), MOMENTUM),
    ("sign", partial(mine.velocity, sign=-1), MOMENTUM),
    ("momentum missing", mine.descent, MOMENTUM),
    ("weight decay missing", mine.descent, DECAYED),
    ("epsilon inside the root", partial(mine.adagrad, slip="epsilon inside the root"), ADAGRAD),
    ("rho swapped", partial(mine.rmsprop, slip="rho swapped"), RMSPROP),
    ("1 − rho missing", partial(mine.rmsprop, slip="1 − rho missing"), RMSPROP),
    ("another optimizer", mine.rmsprop, ADAGRAD),
]


@pytest.mark.parametrize(("cause", "step", "optimizer"), WRONG, ids=[f"{c}-{type(o).__name__}" for c, _, o in WRONG])
def test_a_wrong_optimizer_is_found_and_named(cause, step, optimizer):
    found = harness.check_optimizer(step, optimizer)
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert found.mistake is not None, str(found)
    assert found.mistake.cause == cause, str(found)


def test_an_unnamed_mistake_is_told_by_its_numbers_and_named_nowhere():
    def step(weights, gradients):
        for name in weights:
            weights[name] -= 0.7 * LR * gradients[name]

    found = harness.check_optimizer(step, DESCENT)
    assert found.verdict == "FAIL"
    assert found.mistake is None
    assert "every entry is 0.7 times what it should be" in str(found)


def test_one_wrong_entry_of_one_weight_at_a_late_step_is_enough():
    class Late:
        t = 0

        def step(self, weights, gradients):
            self.t += 1
            for name in weights:
                weights[name] -= LR * gradients[name]
            if self.t == 5:
                weights["k"][1, 2, 0] += LR * 1e-6 * gradients["k"][1, 2, 0]

    found = harness.check_optimizer(Late(), DESCENT, dtype="float64")
    assert (found.verdict, found.wrong) == ("FAIL", ["k"])
    assert {row.step for row in found.rows if row.verdict == "FAULT"} == {5}


def _global_count(weights, gradients, state, kept=mine.Adam()):  # noqa: B008  (the mistake)
    kept.update(weights, {f"d{name}": g for name, g in gradients.items()})
    return weights, state


def test_a_state_that_survives_its_training_is_found():
    found = harness.check_optimizer(_global_count, ADAM)
    assert found.verdict == "FAIL"
    assert any(finding.kind == "second call differs" for finding in found.findings)


def test_a_step_that_raises_or_gives_another_shape_or_dtype_fails_with_its_message():
    def raises(weights, gradients):
        raise KeyError("velocity")

    def upcast(weights, gradients):
        return {name: w - np.float64(LR) * gradients[name] for name, w in weights.items()}

    def spread(weights, gradients):
        return {name: w - LR * gradients[name] for name, w in weights.items()} | {"b1": np.zeros((3, 3))}

    for step, said in ((raises, "raises KeyError"), (upcast, "float64, though"), (spread, "of shape (3, 3) instead")):
        found = harness.check_optimizer(step, DESCENT)
        assert found.verdict == "FAIL", step
        assert said in found.reason


def test_a_step_too_small_to_be_seen_has_no_power():
    found = harness.check_optimizer(lambda weights, gradients: None, hand.GradientDescent(1e-16), dtype="float32")
    assert (found.verdict, found.exit) == ("NO POWER", 0)


@pytest.mark.parametrize(
    ("step", "optimizer", "said"),
    [
        (3, "adam", "of type int"),
        (lambda weights: weights, "adam", "and is called as"),
        (mine.descent, "adamm", "did you mean adam"),
    ],
)
def test_wrong_use_is_told(step, optimizer, said):
    with pytest.raises(harness.UsageError, match=said):
        harness.check_optimizer(step, optimizer)


def test_the_command_checks_an_optimizer(monkeypatch, capfd):
    monkeypatch.chdir("tests/users")
    words = ["check", "optimizers.py:velocity", "--lr", "0.01"]
    done = CliRunner().invoke(command, [*words, "--optimizer", "momentum", "--dtype", "float64", "--quiet"])
    assert (done.exit_code, done.output.split()[0]) == (0, "PASS")
    done = CliRunner().invoke(command, [*words, "--optimizer", "nesterov", "--json"])
    told = json.loads(done.output)
    assert (done.exit_code, told["verdict"], told["mistake"]["cause"]) == (1, "FAIL", "not Nesterov")
    assert {row["dtype"] for row in told["rows"]} == {"float64", "float32"}
    done = CliRunner().invoke(command, [*words, "--optimizer", "nesterov", "--format", "github"])
    assert done.output.startswith("::error title=FAIL::every weight is wrong, first at step 1 of ordinary gradients")
    for more, said in (
        (["--optimizer", "adam", "--model", "4-1"], "without a network"),
        (["--optimizer", "adam", "--report", "page.html"], "without a network"),
        (["--optimizer", "adamm"], "did you mean adam"),
        (["--optimizer", "adam(lr=0.1)"], "two values"),
    ):
        done = CliRunner().invoke(command, [*words, *more])
        assert done.exit_code == 2
        assert said in done.stderr + capfd.readouterr().err
