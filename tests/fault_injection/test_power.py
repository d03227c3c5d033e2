"""Power: which planted faults the checks of this project, and those of others, would miss."""

import json
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.arithmetic.rationals import IrrationalError
from harness.arithmetic.true_values import TrueTensor
from harness.cli.commands import harness as command
from harness.evaluation.point import Point
from harness.fault_injection.misses import (
    FORMULA,
    OF_WEIGHTS,
    ROUNDING,
    Planted,
    catalogue_of,
    count_misses,
    of_weights_only,
    plant,
)
from harness.fault_injection.planted_pass import Exactly, Ground, of_precision
from harness.faults import Fault
from harness.results.record_file import read_lines
from impls import registry
from impls.hand import from_text
from impls.hand_numpy import Hand

NETWORK = from_text("4-3-2-1")


@cache
def ground(dtype="float32"):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4)).astype(dtype), rng.normal(size=(20, 1)).astype(dtype)
    point = Point(NETWORK, NETWORK.init(0, dtype), x, y, 1)
    return Ground(point, Hand(NETWORK, dtype).differentiate(point.weights, x, y))


def planted_at(at, rule_of, comparers=None):
    """A fault at a link, made of the link's own rule."""
    link = next(link for link in NETWORK.links if link.output == at)
    fault = Fault("made up", at, "", "", lambda t: rule_of(link(t)))
    return of_weights_only(ground(), link, plant(ground(), link, fault, comparers or {}))


def others():
    return {name: c.accepts for name, c in Hand(NETWORK, "float32").comparers().items()}


def test_what_changes_nothing_is_nobodys_miss():
    planted = planted_at("dz2", lambda dz: 1.0 * dz, others())
    assert not planted.differs
    assert not planted.missed
    assert not any(planted.missed_by(check) for check in (FORMULA, OF_WEIGHTS, ROUNDING, "np.allclose"))


def again_and_again(dz):
    """The same numbers, rounded two hundred times."""
    for _ in range(100):
        dz = dz / 3 * 3
    return dz / 5 * 5


def test_what_only_rounds_otherwise_changes_nothing():
    pytest.importorskip("flint")
    planted = planted_at("dz2", lambda dz: again_and_again(dz / 7) * 7, others())
    assert not planted.differs
    kinked = {"activation": "leaky-relu(slope=0.1)", "output_activation": "identity", "loss": "huber(delta=5)"}
    power = harness.power(from_text("10-8-1", **kinked), "diabetes", ["hand"])
    averaged = [each for each in power.planted if each.fault.cause == "averaged over the samples"]
    assert [each.differs for each in averaged] == [False]  # every row of dz2 is the same
    assert power.verdict == "PASS"


def test_a_change_below_the_allowance_is_a_miss():
    planted = planted_at("dz2", lambda dz: dz * (1 + 2.0**-49), others())
    assert (planted.differs, planted.accepted[FORMULA], planted.missed) == (True, True, True)


@pytest.mark.parametrize("sizes", ["4-3-2-1", "3-4-2"])
@pytest.mark.parametrize(("activation", "loss"), [("sigmoid", "sum-squared-error"), ("leaky-relu", "huber")])
def test_rules_give_in_exact_arithmetic_what_they_give_in_floats(sizes, activation, loss):
    if activation == "sigmoid":
        pytest.importorskip("flint")
    network = from_text(sizes, activation=activation, loss=loss)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, network.inputs)), rng.normal(size=(6, network.outputs))
    point = Point(network, network.init(1), x, y, 1)
    there = Ground(point, Hand(network, "float64").differentiate(point.weights, x, y))
    tensors, asked = Exactly(point).tensors, 0
    for _, fault in catalogue_of(network):
        if of_precision(fault):
            continue
        with suppress(IrrationalError):
            assert there.faulty(fault).holds(TrueTensor(fault.rule(tensors)).value), (fault.cause, fault.at)
            asked += 1
    assert asked > 100


def test_what_is_within_float32_is_seen_in_float64_and_charged_to_no_float32_comparison():
    planted = planted_at("dz2", lambda dz: dz * (1 + 2.0**-30), others())
    assert (planted.differs, planted.visible, planted.missed) == (True, False, False)
    assert planted.missed_by(ROUNDING)
    assert not planted.missed_by(FORMULA)
    assert not planted.missed_by("np.allclose")


def test_a_relative_error_below_rtol_is_missed_by_allclose_and_by_nothing_here():
    planted = planted_at("dW2", lambda dW: dW * (1 + 2.0**-18), others())
    assert planted.visible
    assert planted.missed_by("np.allclose")
    assert not any(planted.missed_by(check) for check in (FORMULA, OF_WEIGHTS, ROUNDING))


def test_a_gross_error_is_seen_by_everybody():
    planted = planted_at("dW2", lambda dW: -dW, others())
    assert not any(planted.accepted.values())


@pytest.mark.parametrize("rule_of", [lambda dW: dW.T, lambda dW: dW[:1], lambda dW: dW + np.nan])
def test_another_shape_and_what_is_not_finite_are_seen(rule_of):
    planted = planted_at("dW2", rule_of, others())
    assert planted.differs
    assert not any(planted.accepted.values())


@cache
def answer(dtype="float32"):
    return harness.power("4-3-2-1", dtype=dtype)


def test_this_comparison_misses_no_fault_of_the_catalogue():
    power = answer()
    assert (power.verdict, power.exit, power.missed) == ("PASS", 0, [])
    assert power.links == len(NETWORK.backward_links)
    assert len(power.planted) == power.possible > 300
    assert {planted.fault.at for planted in power.planted} == {link.output for link in NETWORK.backward_links}
    assert power.misses(FORMULA) == power.misses(OF_WEIGHTS) == []
    causes = {planted.fault.cause for planted in power.misses(ROUNDING)}
    assert causes == {"computed in float32", "accumulated in float32"}  # all that float32 cannot see


def test_checks_by_differences_miss_what_they_are_known_to_miss():
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    missed = {name: {p.fault.cause for p in answer().misses(name)} for name in ("gradcheck", "check_grads")}
    assert "rounded to float16" in missed["gradcheck"] & missed["check_grads"]
    assert "sign flipped" not in missed["gradcheck"] | missed["check_grads"]
    assert all(answer().peers[name].asked == len(answer().planted) for name in missed)


def test_the_text_says_how_everybody_was_asked():
    text = str(answer())
    assert text.splitlines()[2].startswith("PASS  ")
    for told in ("np.allclose(actual, expected)", "float64, end to end", "this link alone", "next  harness power --of"):
        assert told in text


def test_faults_that_the_data_hides_are_counted_apart():
    rows = np.array([[0.5, -1.0], [0.5, -1.0]])
    power = harness.power("2-2-1", (rows, np.array([1.0, 1.0])), ["hand"])
    hidden = {planted.fault.cause for planted in power.unchanged}
    assert "samples out of step" in hidden  # both are one and the same
    assert f"{len(power.unchanged)}" in str(power)


def test_a_miss_is_no_power_and_is_listed_with_its_place():
    power = answer()
    first = power.planted[0]
    blind = Planted(first.fault, True, True, {FORMULA: True, ROUNDING: True, OF_WEIGHTS: True})
    other = replace(power, planted=(blind, *power.planted[1:]))
    assert other.verdict == "NO POWER"
    assert "misses 1" in other.reason
    assert f"{first.fault.cause} at {first.fault.at}: {first.fault.says}" in str(other)


def test_where_rounding_is_as_large_as_the_gradient_faults_are_missed_and_that_is_told():
    """Inputs of 1e20 saturate every neuron: what is left of dz1 and dW1 is rounding of numbers far larger."""
    power = harness.power("4-3-1", (1e20 * np.ones((5, 4)), np.ones((5, 1))), ["hand"])
    assert (power.verdict, power.exit) == ("NO POWER", 0)
    assert power.missed
    assert all(planted.accepted[FORMULA] and planted.accepted[ROUNDING] for planted in power.missed)


def test_the_quick_criterion_of_torch_is_that_of_its_assert_close():
    peers = pytest.importorskip("impls.torch_autograd.peers")
    rng = np.random.default_rng(0)
    decided = set()
    for dtype in ("float32", "float64"):
        expected = rng.normal(size=(200, 3)).astype(dtype)
        for scale in 10.0 ** rng.uniform(-9, -3, 60):
            actual = (expected * (1 + scale)).astype(dtype)
            answers = {check({"W": actual}, {"W": expected}) for check in (peers.assert_close, peers.is_close)}
            assert len(answers) == 1
            decided |= answers
        nan = np.full_like(expected, np.nan)
        assert not peers.assert_close({"W": nan}, {"W": nan})
        assert not peers.is_close({"W": nan}, {"W": nan})
        assert not peers.is_close({"W": expected[:1]}, {"W": expected})
    assert decided == {True, False}


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize(
    ("module", "check", "dtype"),
    [("torch_autograd", "gradcheck", "float64"), ("jax_grad", "check_grads", "float32"),
     ("jax_grad", "check_grads", "float64")],
)  # fmt: skip
def test_checks_by_differences_are_asked_rightly(module, check, dtype, factor):
    checkers = pytest.importorskip(f"impls.{module}.peers").GRADIENT_CHECKERS
    loss, gradient_with, weights = ground().passes(dtype)
    right = gradient_with({})
    accepts = checkers[check].accepts(loss, lambda w: {n: factor * g for n, g in right(w).items()}, weights)
    assert accepts is (factor == 1)


def test_a_run_says_what_its_checks_would_have_missed(tmp_path):
    run = harness.run("4-3-2-1", against=["hand"], steps=2, output=tmp_path / "run.jsonl")
    assert (run.power.missed, run.power.links, run.power.planted) == (0, 12, run.power.possible)
    assert run.power.others == {"np.allclose": len(answer().misses("np.allclose"))}
    assert harness.read_run(tmp_path / "run.jsonl").power == run.power
    assert run.to_dict()["power"]["missed"] == 0
    from harness.rendering.tables import footer

    assert f"power  {run.power.planted} faults planted at 12 links" in footer(run)
    assert "0 missed; others at their defaults would miss: np.allclose" in footer(run)


def test_records_from_before_are_still_read(tmp_path):
    path = tmp_path / "run.jsonl"
    harness.run("4-3-2-1", against=["hand"], steps=1, output=path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["crc32"]
    del lines[-1]["power"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert harness.read_run(path).power is None
    assert read_lines(path).end.power is None


@pytest.mark.parametrize(("sizes", "rows", "planted"), [("200-300-10", 64, True), ("2000-2000-10", 64, False)])
def test_a_large_network_gets_a_sample_and_a_very_large_one_says_so(sizes, rows, planted):
    network = from_text(sizes)
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(rows, width)).astype("float32") for width in (network.inputs, network.outputs))
    point = Point(network, network.init(0, "float32"), x, y, 1)
    result = Hand(network, "float32").differentiate(point.weights, x, y) if planted else None
    count = count_misses(point, result, {})
    assert bool(count.planted) is planted
    assert count.planted < count.possible or not planted
    assert ("an even sample of" in str(count)) is planted
    assert ("not measured: a step of" in str(count)) is not planted


def invoke(*arguments):
    return CliRunner().invoke(command, ["power", *arguments], catch_exceptions=False, standalone_mode=False)


def test_the_command_prints_json_and_its_exit_status():
    result = invoke("3-2-1", "--data", "random", "--against", "hand", "--json")
    told = json.loads(result.output)
    assert (told["verdict"], told["exit"], result.exit_code) == ("PASS", 0, 0)
    assert told["planted"] == len(told["faults"]) == told["missed_by"]["formula"] + told["planted"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--of", "tests/test_x.py::test_y", "--data", "iris"], "Cannot use --data with --of"),
        (["--timeout", "3"], "Cannot use --timeout without --of"),
        (["4-3", "--against", "nobody"], "there is no implementation of that name"),
        (["4-3", "--dtype", "tf32"], "tf32"),
    ],
)
def test_wrong_use_is_told(arguments, why):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr


def test_a_named_implementation_that_is_missing_is_said(monkeypatch):
    def missing(name):
        if name == "torch":
            raise registry.NotInstalledError("Cannot compare with torch, because it is not installed; install it.")
        return load(name)

    load = registry.load
    monkeypatch.setattr(registry, "load", missing)
    power = harness.power("3-2-1", "random", ["torch"])
    assert power.exit == 3
    assert "not installed" in str(power)
