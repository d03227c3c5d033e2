"""Whoever comes with a program of a well-known course is told what is right and wrong in it, in its own dialect."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.arithmetic import Context, profile_of
from harness.cli.commands import harness as command
from impls.hand.optimizers import read_off
from tests.users import newcomers

COURSE = ("4-5-1", {"activation": "relu", "output_activation": "sigmoid", "loss": "binary-cross-entropy"})
MEAN_IN_WEIGHTS = "1/N in those of the weights"


def checked(program, of=COURSE, **options):
    sizes, named = of
    return harness.check(program, harness.load_network(sizes, **named), **options)


@pytest.mark.parametrize("loss", [True, False])
def test_a_course_in_columns_passes_and_its_convention_is_said(loss):
    found = checked(newcomers.course(loss=loss), layout="columns")
    assert found.verdict == "PASS", str(found)
    assert MEAN_IN_WEIGHTS in str(found)


@pytest.mark.parametrize(("slip", "at"), [("1/m lost", "db1"), ("no mask", "dz1")])
def test_a_mistake_is_told_in_the_convention_in_which_fewest_tensors_are_amiss(slip, at):
    found = checked(newcomers.course(slip), layout="columns")
    assert (found.verdict, found.diagnoses[0].at, len(found.diagnoses)) == ("FAIL", at, 1), str(found)
    assert MEAN_IN_WEIGHTS in str(found)
    assert "and not the update" not in str(found)


def test_the_layout_in_which_it_is_right_is_told_in_its_convention_too():
    told = next(finding.message for finding in checked(newcomers.course()).findings if finding.kind == "layout")
    assert "--layout columns" in told


@pytest.mark.parametrize(("lr", "dtype"), list(product([1e-3, 0.1, 10.0], ["float64", "float32"])))
def test_one_sample_at_a_time_may_update_the_weights(lr, dtype):
    summed = (lr == 0.1) == (dtype == "float64")  # each loss in each dtype
    of = ("4-3-1", {"loss": "sum-squared-error(by=0.5)" if summed else "mean-squared-error(by=0.5)"})

    def found(slip=None):
        step = harness.gradients_from_update(partial(newcomers.online, lr=lr, slip=slip), lr=lr, name="online")
        return checked(step, of, layout="sample", dtype=dtype)

    assert found().verdict == "PASS", str(found())
    assert found("doubled").verdict == "FAIL"


def test_an_update_between_two_gradients_is_found_sample_by_sample():
    step = harness.gradients_from_update(partial(newcomers.online, lr=0.1, slip="order"), lr=0.1, name="online")
    found = checked(step, ("4-3-1", {"loss": "sum-squared-error(by=0.5)"}), layout="sample")
    assert (found.verdict, found.wrong) == ("FAIL", ["dW1", "db1"]), str(found)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mean", [False, True])
def test_the_rule_of_updates_added_up_holds(mean, dtype):
    rng, of = np.random.default_rng(3), np.dtype(dtype).type
    context = Context(profile_of(dtype))
    for lr in (1e-6, 0.1, 1.0, 1e3):
        W = (10.0 ** rng.uniform(-6, 3, 500)).astype(dtype)
        g = rng.standard_normal((64, 500)).astype(dtype)
        read = ((W.astype(float) - (W - of(lr) * g).astype(float)) / lr).astype(dtype)
        summed = context.exact(g).sum(axis=0)
        if mean:
            summed, read = summed / 64.0, read / of(64)
        expected = read_off(summed, context.exact(W), lr, 64, mean)
        assert expected.holds(read.sum(axis=0, dtype=dtype))
        assert not read_off(summed, context.exact(W), 1e3, 64, mean).holds(2 * summed.value)


def test_a_factor_has_its_name_and_the_step_is_right_with_it():
    step = harness.gradients_from_update(newcomers.mini_batch, lr=0.1)
    found = harness.check(step, "4-5-3", layout="columns")
    assert "0.00333333 = 1/(2·N) × the reference" in str(found)
    loss = found.option.removeprefix('--loss "').removesuffix('"')
    assert checked(step, ("4-5-3", {"loss": loss}), layout="columns").verdict == "PASS"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("slip", "wrong"), [(None, []), ("no mask", ["dz1"]), ("no decay of W2", ["dW2"]), ("no decay", ["loss"])]
)
def test_a_penalty_that_nobody_said_does_not_hide_the_mistake(slip, wrong, dtype):
    found = checked(newcomers.scores(slip), ("4-5-3", {"activation": "relu", "loss": "cross-entropy"}), dtype=dtype)
    assert (found.verdict, found.wrong) == ("FAIL" if slip else "PASS", wrong), str(found)
    assert (found.dialect is None) == (slip == "no decay")


def test_a_method_is_no_backward_pass():
    with pytest.raises(harness.UsageError, match="it is a method"):
        harness.check(newcomers.Scores.loss, "4-5-3")


def test_arrays_that_lack_what_those_of_torch_have_are_told_with_the_option():
    found = harness.check(newcomers.in_torch, "4-5-1")
    assert "--arrays says so" in found.reason
    assert "it takes arrays of torch" not in harness.check(newcomers.course(), "4-5-1").reason


def test_a_program_of_another_depth_is_asked_about():
    asked = "is it for another network?"
    assert asked in str(checked(newcomers.course(), ("4-5-5-1", COURSE[1]), layout="columns"))
    assert asked not in str(checked(newcomers.course("no mask"), layout="columns"))


def test_the_command_to_type_next_names_one_loss():
    words = ["check", "docs/examples/dialects.py:scores", "--model", "4-5-3", "--activation", "relu"]
    printed = CliRunner().invoke(command, [*words, "--loss", "cross-entropy"]).stdout
    last = printed.rstrip().rpartition("\n")[2]
    assert last.count("--loss") == 1, last
    assert '--loss "cross-entropy(l2=0.05)"' in last
