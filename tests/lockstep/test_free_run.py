"""Free run: each implementation follows its own updates, and rounding explains the drift or does not."""

import numpy as np
import pytest

import harness
from harness.rendering.tables import render
from harness.results.verdicts import TWIN, distance, moved_by_one_ulp
from impls.contract import Pass
from impls.hand import from_text
from impls.hand_numpy import Hand
from tests.helpers.command import typed


@pytest.fixture(scope="module")
def free():
    return harness.run(against=["torch", "jax"], steps=30, free_run=True)


def test_drift_of_correct_implementations_is_explained_by_rounding(free):
    assert free.verdict == "PASS"
    for name in ("torch", "jax"):
        assert free.explanation(name).explained is True
        assert free.drift[name][0] == 0
        assert 0 < free.drift[name][-1] < 1e-4
    assert free.drift[TWIN][0] > 0
    assert list(free.drift) == ["torch", "jax", TWIN]


def test_each_follows_its_own_updates_and_is_compared_where_it_stands(free):
    lockstep = harness.run(against=["torch", "jax"], steps=30)
    assert lockstep.drift == {}
    assert free.losses["hand"] == lockstep.losses["hand"]
    assert free.losses["torch"] != lockstep.losses["torch"]
    assert free.entries == lockstep.entries
    assert {row.check for row in free.rows} == {"formula", "rounding", "end-to-end"}


class SlightlyWrong(Hand):
    """One gradient is off by a ten-thousandth: far too little to notice in the loss."""

    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap)
        wrong = {**result.gradients, "dW1": result.gradients["dW1"] * self.dtype.type(1 + 1e-4)}
        return Pass(result.loss, wrong, result.activations)


def test_a_wrong_gradient_is_not_explained_by_rounding(register):
    register("wrong", SlightlyWrong)
    run = harness.run(against=["wrong"], steps=30, free_run=True)
    assert (run.verdict, run.explanation("wrong").explained) == ("FAIL", False)
    assert "dW1 is outside its allowance at step 1" in run.explanation("wrong").reason
    assert run.drift["wrong"][-1] > 10 * run.drift[TWIN][-1]


class NoOptimizer(Hand):
    start = None


def test_without_an_optimizer_there_is_no_path_of_ones_own(register):
    register("bare", NoOptimizer)
    run = harness.run(against=["bare"], steps=5, free_run=True)
    assert run.explanation("bare").explained is None
    assert set(run.drift["bare"]) == {0.0}
    assert run.verdict == "PASS"


def test_the_twin_starts_one_ulp_away_in_every_weight():
    weights = from_text("4-3-1").init(0, np.float32)
    twin = moved_by_one_ulp(weights, 0)
    for name, w in weights.items():
        assert np.all(np.abs(twin[name] - w) == np.abs(np.spacing(np.minimum(np.abs(w), np.abs(twin[name])))))
    assert distance(weights, twin) == max(np.abs(twin[n] - w).max() for n, w in weights.items())
    assert not np.array_equal(moved_by_one_ulp(weights, 1)["W1"], twin["W1"])


def test_a_free_run_is_recorded_read_back_and_tabulated(tmp_path):
    run = harness.run(against=["torch"], steps=5, free_run=True, output=tmp_path / "run.jsonl")
    read = harness.read_run(tmp_path / "run.jsonl")
    assert read.head.free_run
    assert read.drift == run.drift
    text = render(read)
    assert "torch  drift explained by rounding" in text
    assert "each follows its own updates" in text
    object_ = read.to_dict()
    assert object_["explained"]["torch"]["explained"] is True
    assert len(object_["drift"]["twin"]) == 5


def test_the_command_takes_the_option():
    done = typed("run", "--free-run", "--against", "torch", "--steps", "2")
    assert "\n     2" in done.stdout
    assert "twin" in done.stdout


def test_training_that_diverges_in_a_free_run_is_said_at_its_step():
    from impls.hand import GradientDescent

    network = from_text("4-3-1", activation="identity")
    run = harness.run(network, against=["torch"], optimizer=GradientDescent(1e6), steps=50, free_run=True)
    assert (run.verdict, run.exit, run.how) == ("NOT COMPARED", 3, "diverged")
    assert f"diverges at step {len(run.steps)}" in run.outcome.reason


class WithoutIntermediates(Hand):
    def differentiate(self, weights, x, y, *, tap=True):
        return super().differentiate(weights, x, y, tap=False)


def test_without_intermediates_the_gradients_end_to_end_explain_the_drift_or_nothing_is_told(register):
    register("bare", WithoutIntermediates)
    told = harness.run(against=["bare"], steps=4, free_run=True).explanation("bare")
    assert told.explained in (True, None)
    assert "every link" not in told.reason


def test_steps_that_were_not_compared_in_full_explain_nothing():
    run = harness.run(against=["torch"], steps=6, free_run=True, check_every=3)
    assert run.explanation("torch").explained is None
    assert "at 3 of 6 steps only" in run.explanation("torch").reason
