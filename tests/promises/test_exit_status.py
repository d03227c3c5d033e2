"""Several problems at once: the exit status is the first of 130, 2, 5, 1, 3; what was found is said with its place."""

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.results import record_file
from impls.contract import Pass
from impls.hand import GradientDescent, from_text
from impls.hand_numpy import Hand
from tests.helpers.full_disk import Flaky


def typed(*words):
    return CliRunner().invoke(command, ["run", *map(str, words)])


@pytest.fixture
def without_jax(uninstall):
    uninstall("jax")


class Doubles(Hand):
    """Wrong: every gradient of a weight is twice the right one."""

    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap)
        doubled = {name: 2 * result.gradients[name] for name in self.network.gradients}
        return Pass(result.loss, {**result.gradients, **doubled}, result.activations)


def test_a_framework_that_is_named_and_missing_says_how_to_install_it(without_jax):
    done = typed("--against", "jax", "--steps", "2", "--quiet")
    assert done.exit_code == 3
    assert done.stdout == (
        "NOT COMPARED  Cannot compare with jax, because the package 'jax' is not installed; "
        "pip install 'backprop-harness[jax]'.\n"
    )


def test_a_mismatch_goes_before_a_missing_framework_and_no_step_before_both(without_jax, register):
    register("wrong", Doubles)
    assert typed("--against", "wrong,jax", "--steps", "2").exit_code == 1
    assert typed("--against", "wrong,jax", "--steps", "0").exit_code == 5


def test_a_mismatch_goes_before_divergence(register):
    register("wrong", Doubles)
    network = from_text("4-3-1", activation="identity")
    assert harness.run(network, against=["wrong"], optimizer=GradientDescent(1e6), steps=50).verdict == "FAIL"


def test_an_interrupt_goes_before_all_and_a_lost_record_before_a_mismatch(register, tmp_path, monkeypatch):
    def stop(step, steps):
        if step == 11:
            raise KeyboardInterrupt

    monkeypatch.setattr(Flaky, "full", range(6, 1000))
    monkeypatch.setattr(Flaky, "calls", 0)
    monkeypatch.setattr(record_file, "FileIO", Flaky)
    register("wrong", Doubles)
    lost = harness.run(against=["wrong"], steps=12, output=tmp_path / "a")
    assert (lost.verdict, lost.exit, lost.outcome.exit) == ("FAIL", 2, 1)
    both = harness.run(against=["wrong"], steps=12, output=tmp_path / "b", progress=stop)
    assert (both.verdict, both.exit, both.unrecorded is None) == ("FAIL", 130, False)


def test_wrong_words_go_before_a_wrong_output():
    done = typed("--loss", "mse", "--output", "nowhere/run.jsonl", "--data", "missing.csv")
    assert done.exit_code == 2
    assert "the loss 'mse'" in done.stderr


@pytest.mark.parametrize("style", [["--quiet"], ["--json"], ["--format", "jsonl"], ["--format", "github"]], ids=str)
def test_a_usage_error_is_the_same_in_every_style(style):
    done = typed("--data", "missing.csv", *style)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("harness run: Cannot read missing.csv, because there is no such file;")


def test_an_answer_that_differs_the_second_time_is_said_with_tensor_and_step(register):
    class Drifts(Hand):
        """Its second answer to the same question is another one, and just as right."""

        calls = 0

        def differentiate(self, weights, x, y, *, tap=True):
            result = super().differentiate(weights, x, y, tap=tap)
            type(self).calls += tap
            if tap and type(self).calls == 2:
                result.gradients["dW2"] = np.nextafter(result.gradients["dW2"], np.float32(9))
            return result

    register("drifts", Drifts)
    run = harness.run(against=["drifts"], steps=2)
    told = [(f.kind, f.tensor, f.step, f.fails) for f in run.findings]
    assert told == [("second call differs", "dW2", 1, False)]
    assert "answers differently the second time: dW2 first, at step 1" in run.findings[0].message
    assert run.verdict == "PASS"


def test_training_that_diverges_says_at_which_step_and_what_to_change(tmp_path):
    network = from_text("4-3-1", activation="identity")
    fast = harness.run(network, against=["hand"], optimizer=GradientDescent(1e6), steps=50)
    assert fast.outcome.reason.startswith(f"the training diverges at step {len(fast.steps)}: ")
    assert fast.outcome.reason.endswith("choose a smaller lr")
    assert all(loss is not None for loss in fast.losses["hand"][:-1])
    huge = harness.run(from_text("1-1", activation="identity"), ([[1e30], [2e30]], [1.0, 2.0]), ["hand"], steps=5)
    assert (len(huge.steps), huge.exit) == (1, 3)
    assert huge.outcome.reason.endswith("scale the data")


def test_what_overflows_where_it_may_in_one_implementation_only_is_no_fault_of_that_one(tmp_path):
    (tmp_path / "b.csv").write_text("-1e25,1e18\n-1e25,1e18\n")
    words = ["1-1", "--raw", "--data", tmp_path / "b.csv", "--activation", "silu", "--loss", "mean-squared-error"]
    done = typed(*words, "--steps", 1, "--quiet")
    assert (done.exit_code, done.stderr) == (3, "")
    assert "where it may overflow" in done.stdout
