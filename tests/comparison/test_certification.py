"""Every reference case is certified: against the truth, within the derived bound; and runs that are exact."""

import json
import sys
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.arithmetic import profile_of
from harness.arithmetic.balls import Balls
from harness.arithmetic.rationals import IrrationalError, Rationals
from harness.arithmetic.true_values import TrueTensor
from harness.cli.commands import harness as command
from harness.comparison import checks
from harness.comparison.certification import certify_centre, true_error, true_errors, ulp, worst_error
from harness.evaluation.centre import alone
from harness.evaluation.point import Point
from harness.inputs.schedule import Schedule
from harness.rendering.tables import render
from impls import registry
from impls.contract import CannotCompareError, Pass, tensors_of
from impls.hand import Adam, Dense, Network, Relu, SumSquaredError, Tanh, from_text
from impls.hand.notation import name_of
from impls.hand.optimizers import update_links
from impls.hand_numpy import Hand
from tests.promises.test_equivalence import KNOWN_BUGS, LACKS, NO_OPTIMIZER, OPTIMIZERS, PAIRS

FRAMEWORKS = ["hand", "torch", "jax"]
RATIONAL_STEPS = ("gradient-descent", "momentum", "nesterov")


@cache
def certified_point(activation, loss, seed, scale):
    network = from_text("5-4-3-3", activation=activation, loss=loss)
    rng = np.random.default_rng(seed)
    x, y = scale * rng.normal(size=(7, 5)), rng.normal(size=(7, 3))
    if network.loss.labels:
        y = rng.integers(0, 3, 7)
    elif network.loss.unit_targets:
        y = np.eye(3)[rng.integers(0, 3, 7)]
    return Point(network, network.init(seed), x, y, 1, certified=True)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_the_centre_of_every_reference_case_is_certified(activation, loss, seed):
    point = certified_point(activation, loss, seed, 10.0 if seed == 2 else 1.0)
    assert (point.truth.shortfall, point.truth.undecided) == (None, 0)
    rows = certify_centre(point, point.truth)
    assert [row.gradient for row in rows] == [link.output for link in point.network.links]
    assert {row.verdict for row in rows} == {"ok"}
    assert sum(row.entries for row in rows) > 150


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_every_reference_case_is_within_its_bound_of_the_truth(activation, loss, name):
    for seed in (0, 1, 2):
        point = certified_point(activation, loss, seed, 10.0 if seed == 2 else 1.0)
        try:
            made = registry.load(name)(point.network, "float64")
        except CannotCompareError:
            assert (name, loss) in LACKS
            return
        result = made.differentiate(point.weights, point.x, point.y)
        rows = checks.formula(point, name, result)
        wrong = {row.gradient for row in rows if row.verdict == "FAULT"}
        assert wrong == KNOWN_BUGS.get((name, activation, "float64"), set())
        errors = true_errors(point, name, tensors_of(result))
        assert len(errors) == len(point.network.links)
        for error, row in zip(errors, rows, strict=True):  # one number, two ways
            assert error.gradient == row.gradient
            assert error.used <= 1 or row.verdict in ("FAULT", "inherited")
            assert error.used == pytest.approx(row.used, rel=1e-9)


def true_link(link, tensors):
    """The true output of one link alone, exactly if it is rational."""

    def on(numbers):
        inputs = [tensors[n] if tensors[n].dtype.kind in "iu" else numbers.exact(tensors[n]) for n in link.inputs]
        return TrueTensor(link.rule(*inputs))

    try:
        return on(Rationals())
    except IrrationalError:
        return on(Balls(256))


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, Adam(0.01, beta1=0.3, beta2=0.4)], ids=name_of)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_rule_of_every_optimizer_is_within_its_bound_of_the_truth(name, optimizer):
    network, rng = from_text("3-2"), np.random.default_rng(0)
    weights = network.init(0)
    try:
        updater = registry.load(name)(network, "float64").start(optimizer, weights)
    except CannotCompareError:
        assert (name, name_of(optimizer)) in NO_OPTIMIZER
        return
    profile, before = (
        profile_of("float64"),
        {s + w: np.zeros(weights[w].shape) for s in optimizer.state for w in weights},
    )
    compared = 0
    for t in (1, 2, 3, 4):
        gradients = {
            "d" + w: rng.normal(size=a.shape) * 10.0 ** rng.integers(-6, 3, a.shape) for w, a in weights.items()
        }
        update = updater.update(weights, gradients)
        tensors = {**weights, **gradients, **before, "t": np.asarray(t)}
        for link in update_links(optimizer, weights):
            actual = {**update.weights, **update.state}[link.output]
            true, bounded = true_link(link, tensors), alone(link, tensors, profile)
            rational = not true.radius.any()
            assert rational or not name_of(optimizer).startswith(RATIONAL_STEPS)
            assert np.all(true.far_below(bounded.bound))
            assert np.all(true.distance(bounded.value) <= bounded.bound), link.output
            assert np.all(true.distance(actual) <= bounded.bound), link.output
            compared += actual.size
            tensors[link.output] = actual
        weights, before = update.weights, dict(update.state)
    assert compared == 4 * 8 * (1 + len(optimizer.state))


def test_an_exact_run_certifies_at_steps_1_2_4_and_so_on_and_the_last(framework):
    run = harness.run(against=[framework], steps=11, exact=True)
    assert (run.verdict, run.exit) == ("PASS", 0)
    assert [(c.step, c.of, c.truth, c.bits) for c in run.certificates] == [
        (step, ("hand", framework), "ball", 128) for step in (1, 2, 4, 8, 11)
    ]
    assert all(c.undecided == 0 and c.shortfall is None and 0 < c.radius <= 2.0**-53 for c in run.certificates)
    told = {(e.gradient, e.against, e.dtype) for e in run.true_errors}
    tensors = {row.gradient for row in run.rows if row.check == "formula"}
    assert told == {(t, a, d) for t in tensors for a in ("hand", framework) for d in ("float32", "float64")} | {
        (t, "centre", "float64") for t in tensors
    }
    for error in run.true_errors:
        assert error.used == 0 if error.error == 0 else 0 < error.used <= 1
        assert error.used == pytest.approx(error.error / error.allowed)
        assert 0 <= error.median_ulp <= error.largest_ulp
    assert run.find("formula", "dW1", "centre").verdict == "ok"


def test_a_record_of_an_exact_run_reads_back_the_same(tmp_path):
    run = harness.run(against=["hand"], steps=4, exact=True, output=tmp_path / "run.jsonl")
    read = harness.read_run(tmp_path / "run.jsonl")
    assert read.certificates == run.certificates
    assert {k: v for k, v in read.to_dict().items() if k != "created"} == {
        k: v for k, v in run.to_dict().items() if k != "created"
    }
    assert harness.run(against=["hand"], steps=2).certificates == []


def test_rational_networks_are_certified_with_radius_0(tmp_path):
    network = from_text("4-3-1", activation="leaky-relu")
    run = harness.run(network, against=["hand"], steps=3, exact=True)
    assert [(c.truth, c.bits, c.radius) for c in run.certificates] == [("rational", None, 0.0)] * 3
    assert run.verdict == "PASS"


def test_in_a_free_run_everybodys_own_point_is_certified():
    run = harness.run(against=["torch"], steps=4, exact=True, free_run=True)
    assert [(c.step, c.of) for c in run.certificates] == [
        (1, ("hand", "torch")), (2, ("hand",)), (2, ("torch",)), (4, ("hand",)), (4, ("torch",)),
    ]  # fmt: skip
    assert run.verdict == "PASS"


def test_certified_are_steps_that_are_compared():
    assert [s for s in range(1, 21) if Schedule(True, 0, 20, 0).certifies(s)] == [1, 2, 4, 8, 16, 20]
    assert [s for s in range(1, 21) if Schedule(False, 0, 20, 0).certifies(s)] == [1, 2, 4, 8, 16, 20]
    assert [s for s in range(1, 21) if Schedule(True, 8, 20, 0).certifies(s)] == [1, 8, 16, 20]


class OffByATrillionth(Hand):
    """Wrong: the gradient of the first weights is 1 + 1e-12 times the right one, which no float32 could tell."""

    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap)
        return Pass(result.loss, {**result.gradients, "dW1": result.gradients["dW1"] * (1 + 1e-12)}, result.activations)


def test_a_wrong_formula_is_farther_from_the_truth_than_allowed(register):
    register("wrong", OffByATrillionth)
    run = harness.run(against=["wrong"], steps=1, exact=True)
    assert run.verdict == "FAIL"
    assert "wrong" in run.outcome.reason
    wrong = next(e for e in run.true_errors if (e.gradient, e.against, e.dtype) == ("dW1", "wrong", "float64"))
    assert wrong.used > 1
    assert wrong.largest_ulp > 1e3
    assert all(e.used <= 1 for e in run.true_errors if e.against in ("hand", "centre"))


def test_a_centre_outside_its_bound_is_a_fault_of_its_own(monkeypatch):
    """A rule whose bound is too small: the truth finds it, whoever else keeps to it."""
    from harness.arithmetic.bounded import RULES

    right = RULES[np.matmul]

    def too_sharp(x, y):
        result = right(x, y)
        result.bound = result.bound * 1e-6
        return result

    monkeypatch.setitem(RULES, np.matmul, too_sharp)
    run = harness.run(from_text("4-1", activation="identity"), against=["hand"], steps=1, exact=True, dtype="float64")
    assert run.verdict == "FAIL"
    assert run.find("formula", "dW1", "centre").verdict == "FAULT"


def a_tie_of_two_tanhs():
    network = Network([Dense(1, 2), Tanh(), Dense(2, 1), Relu()], SumSquaredError())
    weights = {"W1": np.full((1, 2), 0.3), "b1": np.zeros(2), "W2": np.array([[1.0], [-1.0]]), "b2": np.zeros(1)}
    network.init = lambda seed, dtype: {name: w.astype(dtype) for name, w in weights.items()}
    return network


def test_what_no_precision_decides_is_said_and_judged_without_the_truth():
    run = harness.run(a_tie_of_two_tanhs(), ([[0.5]], [1.0]), ["hand"], steps=1, exact=True)
    (certificate,) = run.certificates
    assert (certificate.undecided, certificate.bits) == (1, 2048)
    centre = {row.gradient: row for row in run.rows if row.against == "centre"}
    assert {name for name, row in centre.items() if row.verdict == "not comparable"} == {
        "dz2", "dW2", "db2", "da1", "dz1", "dW1", "db1",
    }  # fmt: skip
    assert centre["dW2"].reason == "its ball is too wide at 2048 bits"
    assert certificate.shortfall.startswith("balls around dz2, ")
    assert f"not certified at step 1: {certificate.shortfall}" in render(run)
    assert "true error" not in render(run)  # of no gradient of a weight
    assert centre["da2"].verdict == "ok"
    assert run.find("formula", "dW2", "hand").verdict == "ok"  # its bound holds both branches
    assert "dW2" not in {error.gradient for error in run.true_errors}


def test_an_exact_run_of_no_steps_compares_nothing():
    run = harness.run(against=["hand"], steps=0, exact=True)
    assert (run.exit, run.certificates, run.true_errors) == (5, [], [])


def test_the_screen_of_an_exact_run_tells_the_truth():
    done = CliRunner().invoke(command, ["run", "--steps", "4", "--exact", "--against", "torch"])
    assert done.exit_code == 0, done.output
    said = done.stdout
    assert "against the true value where it is known" in said
    assert "truth  128-bit balls at steps 1, 2, 4; the formula check there is the distance to the true value" in said
    assert "the float64 centre is within its bound of it (worst used " in said
    assert "comparisons undecided: 0" in said
    rows = [line.split() for line in said.split("true error")[1].splitlines()]
    assert [row[0] for row in rows if row and row[0] in ("centre", "hand", "torch")].count("torch") == 6
    markdown = CliRunner().invoke(
        command, ["run", "--steps", "1", "--exact", "--against", "hand", "--format", "markdown"]
    )
    assert "| dW1" in markdown.stdout.split("true error")[1]


def test_json_of_an_exact_run_holds_its_certificates_and_no_infinity():
    done = CliRunner().invoke(command, ["run", "--steps", "2", "--exact", "--against", "hand", "--json"])
    run = json.loads(done.stdout, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
    assert [c["step"] for c in run["certificates"]] == [1, 2]
    assert set(run["certificates"][0]) == {"step", "of", "truth", "bits", "undecided", "radius", "shortfall"}
    assert {"gradient", "against", "dtype", "error", "allowed", "used", "ulp", "median_ulp"} <= set(
        run["true_errors"][0]
    )
    assert any("python-flint" in line for line in run["ledger"])


def test_without_flint_an_exact_run_is_refused_with_the_command_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "flint", None)
    words = ["run", "--exact", "--against", "hand", "--steps", "1", "--output", str(tmp_path / "run.jsonl")]
    done = CliRunner().invoke(command, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "harness run: Cannot find the true values of this network, because exp is irrational, and balls need "
        "python-flint, which is not installed; pip install 'backprop-harness[exact]'.\n"
    )
    assert not (tmp_path / "run.jsonl").exists()
    rational = CliRunner().invoke(command, [*words, "--activation", "relu"])
    assert rational.exit_code == 0, rational.stderr
    assert "truth  exact rationals at step 1" in rational.stdout


def test_an_ulp_is_the_distance_of_neighbours_and_never_0():
    for dtype in ("float32", "float64"):
        values = np.array([1.0, 1.5, -3.0, 1e-30, 12345.678, np.finfo(dtype).tiny, 0.0, np.finfo(dtype).max / 2], dtype)
        assert np.array_equal(ulp(values.astype("f8"), dtype), np.spacing(np.abs(values)).astype("f8"))
        assert np.all(ulp(np.array([5e-324, 1e-300, np.inf, np.nan]), dtype) > 0)


def test_a_true_error_without_a_relative_size_is_told_by_its_share_alone():
    exact = TrueTensor(Rationals().exact(np.array([0.0, 0.0, 2.0])))
    error = true_error("dW1", "mine", 3, np.array([0.0, 1e-20, 2.0]), exact, np.array([0.0, 1e-19, 1e-15]))
    assert (error.index, error.used, error.ulp) == ((1,), pytest.approx(0.1), None)
    assert (error.zeros, error.median_ulp, error.largest_ulp) == (2, 0.0, 0.0)
    outside = true_error("dW1", "mine", 4, np.array([1e-20, 0.0, np.nan]), exact, np.zeros(3))
    assert (outside.used, outside.error, outside.index) == (None, None, (2,))
    both = worst_error([error, outside])
    assert (both.step, both.entries, both.zeros) == (4, 6, 4)
