"""Training steps that hand over no gradient: gradients read off one update, at any learning rate, in both dtypes."""

import json
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.arithmetic import Context, profile_of
from harness.cli.commands import harness as command
from impls.hand.optimizers import read_off
from tests.graphs.branching import branching
from tests.users import steps

RATES = [10.0**exponent for exponent in range(-6, 4)]


def checked(step, lr, **options):
    return harness.check(harness.gradients_from_update(step, lr=lr), **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("lr", RATES)
def test_a_right_step_passes_at_any_rate_and_a_wrong_one_is_found(lr, dtype):
    right = checked(partial(steps.in_place, rate=lr), lr, dtype=dtype)
    assert (right.verdict, right.exit) == ("PASS", 0), str(right)
    wrong = checked(partial(steps.in_place, rate=lr, slip="mean for sum"), lr, dtype=dtype)
    assert wrong.wrong == ["dW2"], str(wrong)
    assert "mean for sum" in [cause.cause for cause in wrong.diagnoses[0].causes]


@pytest.mark.parametrize(
    "step",
    [
        steps.returned, steps.in_order, steps.with_loss, steps.folded, steps.Net().train_step, steps.Net.train_step,
        steps.Kept().train, steps.in_torch,
    ],
    ids=lambda step: step.__qualname__,
)  # fmt: skip
def test_a_step_is_called_in_the_way_it_is_written(step):
    found = checked(step, steps.RATE)
    assert found.verdict == "PASS", str(found)
    assert any("(W − new W)/0.1" in finding.message for finding in found.findings)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("slip", ["sign", "transposed", "derivative missing"])
def test_a_slip_is_named_as_if_the_gradients_were_shown(slip, dtype):
    found = checked(partial(steps.in_place, rate=0.1, slip=slip), 0.1, dtype=dtype)
    shown = harness.check(partial(steps.gradients, slip=slip), dtype=dtype)
    assert found.verdict == shown.verdict == "FAIL"
    assert found.diagnoses[0].causes[0].cause == shown.diagnoses[0].causes[0].cause


def test_the_allowance_is_wider_at_the_gradients_of_weights_only_and_less_so_for_a_larger_rate():
    of = harness.check(steps.gradients, dtype="float32")
    small, large = (checked(partial(steps.in_place, rate=lr), lr, dtype="float32") for lr in (1e-4, 100.0))
    for shown, coarse, sharp in zip(of.rows, small.rows, large.rows, strict=True):
        assert shown.sees < sharp.sees < coarse.sees
        assert sharp.sees < 2.1 * shown.sees
    assert small.rows[4].sees > 100 * large.rows[4].sees  # dW1, which is small


def test_a_rate_too_small_has_no_power_and_the_one_that_is_told_has():
    found = checked(partial(steps.in_place, rate=1e-10), 1e-10, dtype="float32")
    assert (found.verdict, found.exit) == ("NO POWER", 0), str(found)
    told = next(finding.message for finding in found.findings if "too small" in finding.message)
    enough = float(told.rpartition("lr=")[2].split()[0])
    assert checked(partial(steps.in_place, rate=enough), enough, dtype="float32").verdict == "PASS"
    less = enough / 100
    assert checked(partial(steps.in_place, rate=less), less, dtype="float32").verdict == "NO POWER"


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_half_and_double_never_pass(factor):
    for lr in (1e-9, 1e-8, 1e-7, 1e-6):
        found = checked(partial(steps.in_place, rate=lr * factor), lr, dtype="float32")
        assert found.verdict != "PASS", (lr, str(found))


def test_another_rate_than_the_step_has_is_told():
    found = checked(partial(steps.in_place, rate=0.3), 0.1)
    assert found.verdict == "FAIL"
    assert any("is right with lr=0.3 (--lr 0.3)" in finding.message for finding in found.findings)


def test_a_step_that_goes_on_with_a_momentum_is_no_single_step():
    found = checked(steps.Momentum().step, steps.RATE)
    assert found.verdict == "FAIL"
    assert any(finding.kind == "second call differs" and finding.fails for finding in found.findings)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_rule_holds_whatever_the_sizes_of_weight_gradient_and_rate(dtype):
    rng = np.random.default_rng(7)
    context, of = Context(profile_of(dtype)), np.dtype(dtype).type
    for lr in (1e-6, 0.1, 0.25, 1.0, 3.7, 1e3):
        size = 10.0 ** rng.uniform(-6, 3, 2000)
        W, g = (size * rng.standard_normal(2000)).astype(dtype), rng.standard_normal(2000).astype(dtype)
        g[:500] = (W[:500] / lr * rng.uniform(0.4, 2.2, 500)).astype(dtype)  # about where the difference is exact
        new = W - of(lr) * g
        read = ((W.astype(float) - new.astype(float)) / lr).astype(dtype)
        expected = read_off(context.exact(g), context.exact(W), lr)
        assert expected.holds(read)
        near = W[:500] / lr
        exact = read_off(context.exact(near), context.exact(W[:500]), lr)
        rounded = read_off(context.exact(near / 8), context.exact(W[:500]), lr)
        assert np.median(exact.bound / np.abs(near)) < np.median(rounded.bound / np.abs(near / 8)) / 2


@pytest.mark.parametrize(("factor", "verdict"), [(1, "PASS"), (2, "FAIL")])
def test_a_step_of_a_graph_with_shared_weights_is_read_too(factor, verdict):
    network = branching()

    def step(weights, x, y):
        found = network.backward(weights, x, y, network.forward(weights, x))
        moved = {name: w - 0.1 * found[network.gradient[name]] for name, w in weights.items()}
        return moved | {"fc2.W": weights["fc2.W"] - 0.1 * factor * found["fc2.dW"]}

    found = checked(step, 0.1, network=network)
    assert (found.verdict, found.wrong) == (verdict, ["fc2.dW"] * (factor - 1)), str(found)


def test_a_step_that_changes_nothing_is_wrong_use():
    with pytest.raises(harness.UsageError, match="leaves every weight as it was"):
        checked(steps.rebinding, 0.1)


@pytest.mark.parametrize(
    ("step", "lr", "said"),
    [
        (steps.in_place, 0, "a number above 0"),
        (steps.in_place, True, "a number above 0"),
        (3, 0.1, "of type int"),
        (lambda x: x, 0.1, "and is called as"),
        (steps.Sized.step, 0.1, "make one, net = Sized"),
        (object.__init__, 0.1, "keeps no W1|takes|method"),
    ],
)
def test_wrong_use_is_told(step, lr, said):
    with pytest.raises(harness.UsageError, match=said):
        checked(step, lr)


def test_an_assertion_takes_what_is_read_off_an_update():
    reference = harness.reference("4-3-2-1", data="iris")
    right = harness.gradients_from_update(partial(steps.in_place, rate=0.1), lr=0.1)
    wrong = harness.gradients_from_update(partial(steps.in_place, rate=0.1, slip="sign"), lr=0.1)
    assert right(reference.weights, reference.x, reference.y) == harness.allow(reference)
    assert wrong(reference.weights, reference.x, reference.y) != harness.allow(reference)


def test_the_command_reads_an_update(monkeypatch, capfd):
    monkeypatch.chdir("tests/users")
    done = CliRunner().invoke(command, ["check", "steps.py:returned", "--update", "--lr", "0.1", "--json"])
    assert (done.exit_code, json.loads(done.output)["verdict"]) == (0, "PASS")
    for words, said in (
        (["steps.py:returned", "--update"], "give the learning rate"),
        (["steps.py:returned", "--lr", "0.1"], "give --update or --optimizer too"),
        (["steps.py:returned", "--optimizer", "adam", "--update"], "without a network"),
    ):
        done = CliRunner().invoke(command, ["check", *words])
        assert done.exit_code == 2
        assert said in done.stderr + capfd.readouterr().err


def test_a_loss_that_the_step_returns_is_judged_and_a_share_of_the_samples_is_none():
    def step(weights, x, y, told=None):
        found = steps.gradients(weights, x, y)
        told = told(y) if callable(told) else told
        return {name: weights[name] - 0.1 * found[f"d{name}"] for name in weights}, told

    wrong = checked(partial(step, told={"cost": 3.5}), 0.1, batch=20)
    assert (wrong.verdict, wrong.wrong) == ("FAIL", ["loss"]), str(wrong)
    assert checked(partial(step, told={"cost": 3.5, "accuracy": 0.5}), 0.1, batch=20).wrong == ["loss"]
    assert checked(partial(step, told=3.55), 0.1, batch=20).wrong == ["loss"]
    for told in (lambda y: np.mean(y > 0.5), lambda y: float((y > 0.5).sum()), lambda y: len(y)):
        assert checked(partial(step, told=told), 0.1, batch=20).verdict == "PASS"
