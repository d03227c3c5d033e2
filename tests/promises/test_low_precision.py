"""In bfloat16 and float16 no right program is called wrong, and what the format can tell is found and named."""

import json
from collections import Counter
from functools import partial

import numpy as np
import pytest

import harness
from harness.arithmetic import Context, profile_of
from harness.candidates.implementation import profile_for
from harness.comparison.checks import rounding
from harness.evaluation.point import Point
from harness.fault_injection import misses
from harness.fault_injection.misses import catalogue_of, plant
from harness.fault_injection.planted_pass import Ground
from harness.faults.precision import DTYPES as OF_PRECISION
from harness.inputs.batches import batches_of
from harness.inputs.datasets import load_data
from harness.lockstep import training
from impls import registry
from impls.contract import Arithmetic, CannotCompareError, Pass, tensors_of
from impls.graph import evaluate
from impls.hand import Dense, MatrixProduct, Network, Silu, SumSquaredError, Tanh, from_text
from impls.hand.networks import gpt
from impls.hand_numpy import Hand
from reports.soundness import campaign
from reports.soundness.cases import case, graph_case
from reports.soundness.score import judge_case
from reports.soundness.tally import Tally
from tests.helpers.command import typed
from tests.helpers.deferred import Deferred

silu = Deferred("tests.promises.silu")

DTYPES = ["bfloat16", "float16"]
FRAMEWORKS = ["hand", "torch", "jax"]


@pytest.mark.filterwarnings("ignore")  # what overflows is meant to
def test_graphs_of_layers_raise_no_alarm():
    """One of them; `python -m reports.soundness --layers --dtypes bfloat16,float16` judges as many as are asked for."""
    drawn = next(d for number in range(60) if "LayerNorm" in repr((d := graph_case(1, number)).network) and d.rows > 1)
    tally = judge_case(drawn, {name: registry.load(name) for name in FRAMEWORKS}, DTYPES)
    assert isinstance(tally, Tally)
    assert [campaign.told(alarm) for alarm in tally.alarms] == []
    for name in FRAMEWORKS:
        for dtype in DTYPES:
            assert tally.total(check="rounding", dtype=dtype, against=name).compared > 10_000


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [17, 25])
def test_chains_raise_no_alarm(number):
    """Subnormal products that a probability divides, and JAX's tanh', whose first sum overflows."""
    tally = judge_case(case(0, number), {name: registry.load(name) for name in FRAMEWORKS}, DTYPES)
    assert [campaign.told(alarm) for alarm in tally.alarms] == []
    assert tally.total(check="rounding").compared > 1_000


def at_iris(dtype):
    network = from_text("4-3-2-1")
    x, y = batches_of(network, load_data("iris"), dtype, None, 0).at(1)
    return Point(network, network.init(0, dtype), x, y, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_fault_of_the_catalogue_is_seen_but_those_that_are_below_the_rounding_of_the_format(dtype):
    point = at_iris(dtype)
    ground = Ground(point, Hand(point.network, dtype).differentiate(point.weights, point.x, point.y))
    planted = [plant(ground, link, fault, {}) for link, fault in catalogue_of(point.network)]
    differing = [each for each in planted if each.differs]
    unseen = {each.fault.cause for each in differing if each.accepted["rounding"]}
    assert unseen - {*OF_PRECISION} <= {"weight decay added", "samples out of step"}
    assert sum(not each.accepted["rounding"] for each in differing) > 0.85 * len(differing)
    assert not any(each.missed for each in planted)  # in float64 the formula check sees these too


WRITTEN = """
import torch

def backward(weights, x, y):
    W1, b1, W2, b2 = (weights[name] for name in ("W1", "b1", "W2", "b2"))
    z1 = x @ W1 + b1
    a1 = torch.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = torch.sigmoid(z2)
    loss = ((a2 - y) ** 2).sum()
    da2 = 2 * (a2 - y)
    dz2 = da2 * a2 * (1 - a2)
    dW2, db2 = a1.T @ dz2, dz2.sum(axis=0)
    da1 = dz2 @ W2.T
    dz1 = da1 * {a1} * (1 - {a1})
    dW1, db1 = x.T @ dz1, dz1.sum(axis=0)
    del weights, x, y, W1, b1, W2, b2
    return locals()
"""


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mistake_in_somebodys_torch_code_is_located_and_named(dtype, tmp_path):
    pytest.importorskip("torch")
    for a1, exit_status in (("a1", 0), ("z1", 1)):
        path = tmp_path / f"written_{a1}.py"
        path.write_text(WRITTEN.format(a1=a1), encoding="utf-8")
        found = harness.check(f"{path}:backward", "4-3-1", dtype=dtype)
        assert found.exit == exit_status, str(found)
    assert found.first_wrong_link == "dz1" if hasattr(found, "first_wrong_link") else "dz1" in str(found)
    assert "written with z1 instead of its output a1" in str(found)


def test_a_numpy_function_that_bfloat16_makes_float32_is_judged_as_it_is():
    def backward(weights, x, y):
        z1 = x @ weights["W1"] + weights["b1"]  # a product of ml_dtypes' arrays is float32
        da1 = 2 * (z1 - y)
        return {"z1": z1, "da1": da1, "dz1": da1, "dW1": x.T @ da1, "db1": da1.sum(axis=0)}

    network = from_text("4-1", activation="identity", output_activation="identity")
    found = harness.check(backward, network, dtype="bfloat16")
    assert found.exit == 0, str(found)
    assert "as float32, though it was given bfloat16, in which NumPy multiplies it: judged as they are" in str(found)
    assert harness.check(backward, network, dtype="bfloat16", strict=True).exit == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_passes_and_its_record_is_read_again(dtype, tmp_path):
    record = tmp_path / "run.jsonl"
    done = typed("run", "4-3-1", "--against", "hand", "--dtype", dtype, "--steps", "3", "--optimizer", "momentum",
                 "--output", str(record))  # fmt: skip
    assert done.returncode == 0, done.stdout
    head = json.loads(record.read_text(encoding="utf-8").splitlines()[0])
    assert head["dtype"] == dtype
    assert any(f"{dtype}: each link computed in float32 and rounded once" in line for line in head["ledger"])
    again = typed("report", str(record), "-o", str(tmp_path / "run.html"))
    assert again.returncode == 0, again.stderr
    assert dtype in (tmp_path / "run.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_link_of_a_pass_is_judged_by_its_own_arithmetic(name, dtype):
    point = at_iris(dtype)
    made = registry.load(name)(point.network, dtype)
    result = made.differentiate(point.weights, point.x, point.y)
    rows = rounding(point, name, result, profile_for(made, dtype, point.network))
    assert {row.verdict for row in rows} <= {"ok", "no power"}
    sees = {row.gradient: row.sees for row in rows}
    one = {"bfloat16": 2.0**-7, "float16": 2.0**-10}[dtype]  # twice a rounding
    assert one <= sees["dW1"] < 1.5 * one
    assert (sees["db1"] > 0.3) == (name == "jax")  # of which differentiation sums in the dtype itself


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_program_of_which_nothing_is_known_is_allowed_every_rounding(dtype):
    silent, known = profile_of(dtype, arithmetic=Arithmetic()), profile_of(dtype)
    x = np.ones((1, 128)).astype(dtype)
    wide, narrow = ((Context(p).exact(x) @ Context(p).exact(x.T)).bound.item() for p in (silent, known))
    assert wide > 20 * narrow


def test_what_is_read_unrounded_is_allowed_where_a_compiler_leaves_roundings_out():
    rounds, leaves_out = (profile_of("bfloat16", arithmetic=Arithmetic(unrounded=each)) for each in (False, True))
    z = np.array([0.3]).astype("bfloat16")
    unrounded = float(z[0]) * (1 + 2.0**-9)
    square = np.array([unrounded**2]).astype("bfloat16").astype(float)
    far = np.array([(float(z[0]) * (1 + 2.0**-6)) ** 2])
    for profile, holds in ((rounds, False), (leaves_out, True)):
        shown = Context(profile).shown(z)
        assert np.square(shown).holds(np.array([unrounded**2 * (1 + 2.0**-8)])) == holds
        assert np.square(shown).holds(square)
        assert not np.square(shown).holds(far)


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 3e-2), ("float16", 4e-3)])
def test_a_matrix_product_of_inner_size_1024_is_seen_to_a_few_roundings(dtype, most):
    rng = np.random.default_rng(0)
    allowed = harness.allowance_of(
        MatrixProduct(), {name: rng.normal(size=(1, *size)).astype(dtype) for name, size in
                          {"p": (16, 1024), "q": (1024, 16)}.items()}
    )["output"]  # fmt: skip
    assert np.median(2 * allowed.allowed / np.abs(allowed.expected)) < most


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_operation_is_judged(dtype):
    def forward(z):
        return np.tanh(z)

    right = harness.check_vjp(forward, lambda g, z: g * (1 - np.tanh(z) ** 2), reference=Tanh(), dtype=dtype)
    wrong = harness.check_vjp(forward, lambda g, z: g * (1 - np.tanh(z)), reference=Tanh(), dtype=dtype)
    assert (right.verdict, wrong.verdict) == ("PASS", "FAIL")


class InNarrowAlone(Hand):
    """The hand code, with a fault planted if there is one, that cannot be asked in float64."""

    fault = None

    def __init__(self, network, dtype):
        if dtype == "float64":
            raise CannotCompareError("Cannot run in float64, because there is none here; use bfloat16 or float16.")
        super().__init__(network, dtype)

    def differentiate(self, weights, x, y, *, tap=True):
        own, right = self.working, super().differentiate(weights, x, y, tap=tap)
        if self.fault is None:
            return right
        with np.errstate(all="ignore"):
            made = own.kept_by_name(
                evaluate(
                    self.network.links, own.taken_by_name({**weights, "x": x, "y": y}),
                    planted={self.fault.at: self.fault.rule}, passed_on=own.passed_on,
                )
            )  # fmt: skip
        shown = (*right.activations, "loss"), right.gradients
        return Pass(made["loss"], *({n: made[n] for n in names if n != "loss"} for names in reversed(shown)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_without_float64_locates_a_fault_or_lists_it_as_missed(dtype, register, monkeypatch):
    register("narrow", InNarrowAlone)
    monkeypatch.setattr(misses, "MOST_NAMED", 1000)
    run = partial(harness.run, "4-3-2-1", steps=1, dtype=dtype)
    right = run(against=["narrow"])
    assert right.power.missed == len(right.power.which) > 0
    assert f"{right.power.missed} missed" in str(right)
    assert run(against=["hand"]).power.missed == 0  # of which the formula check, in float64, sees every one
    point = at_iris(dtype)
    ground = Ground(point, Hand(point.network, dtype).differentiate(point.weights, point.x, point.y))
    fates = Counter()
    possible = catalogue_of(point.network)
    beyond = [each for each in possible if f"{each[1].cause} at {each[1].at}" in right.power.which]
    monkeypatch.setattr(training, "power_of", lambda *_: None)  # of the right one it is known
    for link, fault in [*beyond, *possible[::17]]:
        monkeypatch.setattr(InNarrowAlone, "fault", fault)
        found = run(against=["narrow"])
        if found.exit == 1:
            assert f"first wrong link {fault.at} " in found.reason
            fates["located"] += 1
        elif misses.within(fault, dtype) or not plant(ground, link, fault, {}).differs:
            fates["changes nothing"] += 1
        else:
            assert f"{fault.cause} at {fault.at}" in right.power.which
            fates["missed"] += 1
    assert fates["located"] > 12
    assert fates["missed"] >= len(set(right.power.which))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_check_says_how_many_faults_it_could_not_tell_from_rounding(dtype):
    def backward(weights, x, y):
        return {**tensors_of(Hand(network, dtype).differentiate(weights, x, y))}

    network = from_text("4-3-1")
    found = harness.check(backward, network, dtype=dtype, batch=8)
    assert found.exit == 0, str(found)
    assert 0 < found.power.missed < 0.3 * found.power.planted
    assert f"{found.power.missed} missed" in str(found)
    assert found.to_dict()["power"]["missed"] == found.power.missed
    told = f"{dtype} has no power for {found.power.missed} of {found.power.planted} planted faults"
    assert (told in found.reason) == (found.verdict == "PASS")
    assert harness.check(backward, network, dtype="float64", batch=8).power is None


def test_a_framework_that_lacks_a_dtype_says_so(register):
    class Wide(Hand):
        def __init__(self, network, dtype):
            if dtype == "bfloat16":
                raise CannotCompareError(
                    "Cannot run in bfloat16, because there is none here; use float16, float32 or float64."
                )
            super().__init__(network, dtype)

    register("wide", Wide)
    found = harness.run("4-2-1", against=["wide"], steps=1, dtype="bfloat16")
    assert found.exit == 3
    assert "use float16, float32 or float64" in str(found.outcome.reason) + str(found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_a_right_operation_overflows_is_looked_for_in_the_numbers_of_the_format(dtype):
    found = harness.check_vjp(silu.Right, reference=Silu(), inputs="z=8,12", dtype=dtype)
    assert found.verdict == "PASS", str(found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_wrong_line_of_an_operation_is_found(dtype):
    found = harness.check_vjp(silu.Wrong, reference=Silu(), inputs="z=8,12", dtype=dtype)
    assert found.verdict == "FAIL"
    repairs = [cause.repair for cause in found.causes if cause.repair]
    assert any("1 - s" in repair.says for repair in repairs), str(found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_factor_is_told_and_no_length_is_short_that_may_be_any(dtype):
    def halved(weights, x, y):
        z1 = x @ weights["W1"] + weights["b1"]
        a1 = np.tanh(z1)
        dz2 = a1 @ weights["W2"] + weights["b2"] - y
        dz1 = dz2 @ weights["W2"].T * (1 - a1 * a1)
        return {"dW2": a1.T @ dz2, "db2": dz2.sum(0), "dW1": x.T @ dz1, "db1": dz1.sum(0)}

    network = Network([Dense(4, 3), Tanh(), Dense(3, 1)], SumSquaredError())
    found = harness.check(halved, network, load_data("iris"), dtype=dtype)
    assert found.verdict == "FAIL"
    assert not any("clipped" in finding.message for finding in found.findings), str(found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_of_a_shared_weights_gradient_are_bounded_each_by_its_own_arithmetic(dtype):
    """An embedding adds up in the dtype what belongs to a token, before what the last product gives is added."""
    network = gpt(layers=1, heads=1, width=16, context=16, tokens=8)
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 8, (2, 8, 16))
    point = Point(network, network.init(0, dtype), tokens[0], tokens[1], 1)
    made = registry.load("torch")(network, dtype)
    result = made.differentiate(point.weights, point.x, point.y)
    rows = rounding(point, "torch", result, profile_for(made, dtype, network))
    assert [row for row in rows if row.verdict == "FAULT"] == []
