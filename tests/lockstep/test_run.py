"""Runs, their record, and what ends them."""

import numpy as np
import pytest

import harness
from harness.inputs.datasets import Data
from harness.inputs.schedule import EVERYTHING, Schedule
from harness.results.rebuilding import batches_of_head
from impls.hand import GradientDescent, from_text
from impls.hand_numpy import Hand


def fields(run):
    return {k: v for k, v in run.to_dict().items() if k != "created"}


def test_a_recorded_run_is_read_back_the_same(tmp_path):
    run = harness.run(against=["torch"], steps=5, output=tmp_path / "run.jsonl")
    assert fields(harness.read_run(tmp_path / "run.jsonl")) == fields(run)


def test_the_same_run_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        harness.run(against=["torch", "jax"], steps=3, output=tmp_path / name)
    (head_a, *a), (head_b, *b) = ((tmp_path / n).read_bytes().splitlines() for n in ("a", "b"))
    assert a == b
    assert head_a.split(b'"network"')[1] == head_b.split(b'"network"')[1]


def test_a_run_killed_in_the_middle_of_a_line_keeps_its_whole_steps(tmp_path):
    path = tmp_path / "run.jsonl"
    harness.run(against=["hand"], steps=5, output=path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:50])
    run = harness.read_run(path)
    assert (len(run.steps), run.how) == (3, "cut off")
    assert run.verdict == "PASS"


@pytest.mark.parametrize("text", [b"", b"hello\n", b'{"kind":"step"}\n', b'{"kind":"run","schema":99}\n', b"[1]\n"])
def test_what_is_no_record_is_refused_with_the_reason(tmp_path, text):
    path = tmp_path / "run.jsonl"
    path.write_bytes(text)
    with pytest.raises(harness.UsageError, match="Cannot read"):
        harness.read_run(path)


def test_weights_of_each_step_round_trip(tmp_path):
    run = harness.run(against=["hand"], steps=2, output=tmp_path / "run.jsonl")
    read = harness.read_run(tmp_path / "run.jsonl")
    network = from_text("4-3-2-1")
    first = network.init(0, np.float32)
    assert all(np.array_equal(read.weights_at(1)[n], w) for n, w in first.items())
    assert not np.array_equal(run.weights_at(2)["W1"], first["W1"])


def test_gradients_in_float64_are_kept_at_some_steps_in_lockstep(register, tmp_path):
    register("mine", Hand)
    run = harness.run(against=["mine"], steps=6, output=tmp_path / "run.jsonl")
    read = harness.read_run(tmp_path / "run.jsonl")
    assert [step.step for step in read.steps if step.doubles] == [1, 2, 4, 6]
    network, (x, y) = from_text("4-3-2-1"), batches_of_head(run.head, from_text("4-3-2-1")).at(4)
    given = {name: w.astype(float) for name, w in read.weights_at(4).items()}, x.astype(float)
    expected = network.backward(*given, y.astype(float), network.forward(*given))
    (who, found), *others = read.doubles_at(4).items()
    assert (who, others, list(found)) == ("mine", [], list(network.gradients))
    assert all(np.array_equal(found[name], expected[name]) for name in found)
    assert not any(step.doubles for step in harness.run(against=["mine"], steps=6, free_run=True).steps[1:])
    assert not any(step.doubles for step in harness.run("4-2500-1", against=["mine"], steps=1).steps)


def test_the_default_run_learns():
    run = harness.run(against=["hand"])
    losses = run.losses["hand"]
    assert len(losses) == 200
    assert losses[-1] < losses[0] / 5


def test_mini_batches_keep_the_last_short_one_and_their_order(register):
    seen = []

    class Watches(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            if tap and x.dtype == np.float32:
                seen.append(len(x))
            return super().differentiate(weights, x, y, tap=tap)

    register("watches", Watches)
    run = harness.run(against=["watches"], batch=64, epochs=2)
    assert len(run.steps) == 6
    assert seen[-5:] == [64, 22, 64, 64, 22]
    assert run.verdict == "PASS"


def test_zero_steps_compare_nothing():
    run = harness.run(steps=0)
    assert (run.verdict, run.exit) == ("NOT COMPARED", 5)


def test_training_that_diverges_everywhere_stops_and_says_where():
    network = from_text("4-3-1", activation="identity")
    run = harness.run(network, against=["torch"], optimizer=GradientDescent(1e6), steps=50)
    assert (run.verdict, run.exit, run.how) == ("NOT COMPARED", 3, "diverged")
    assert len(run.steps) < 50
    assert f"diverges at step {len(run.steps)}" in run.outcome.reason


def test_an_interrupt_keeps_the_finished_steps(tmp_path):
    def stop(step, steps):
        if step == 3:
            raise KeyboardInterrupt

    run = harness.run(against=["hand"], steps=50, output=tmp_path / "run.jsonl", progress=stop)
    assert (run.exit, len(run.steps)) == (130, 3)
    assert harness.read_run(tmp_path / "run.jsonl").exit == 130


def test_a_named_implementation_that_is_missing_is_said_and_the_others_are_compared(monkeypatch):
    from impls import registry

    load = registry.load

    def missing(name):
        if name == "jax":
            raise registry.NotInstalledError("Cannot compare with jax, because the package 'jax' is not installed")
        return load(name)

    monkeypatch.setattr(registry, "load", missing)
    run = harness.run(against=["torch", "jax"], steps=2)
    assert (run.verdict, run.exit) == ("NOT COMPARED", 3)
    assert "jax" in run.outcome.reason
    assert run.find("formula", "dW1", "torch").verdict == "ok"
    assert harness.run(steps=2).verdict == "PASS"


def test_nothing_installed_compares_nothing(monkeypatch):
    from impls import registry

    load = registry.load

    def missing(name):
        if name == "hand":
            return load(name)
        raise registry.NotInstalledError(f"Cannot compare with {name}, because it is not installed")

    monkeypatch.setattr(registry, "load", missing)
    run = harness.run(steps=2)
    assert (run.verdict, run.exit) == ("NOT COMPARED", 5)


@pytest.mark.parametrize(
    "options",
    [
        {"network": "4-3-x"}, {"network": "5-3-1"}, {"data": "irsi"}, {"data": "none.csv"}, {"against": ["tosrch"]},
        {"steps": -1}, {"steps": 2, "epochs": 2}, {"batch": 0}, {"dtype": "tf32"}, {"optimizer": "adma"},
        {"seed": -1}, {"output": "/nonexistent/run.jsonl"}, {"data": (np.ones((3, 4)), np.ones((2, 1)))},
        {"data": (np.full((3, 4), np.nan), np.ones(3))}, {"steps": 1.5}, {"network": "4-3-2"},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_usage_says_what_why_and_what_instead(options):
    with pytest.raises(harness.UsageError, match=r"(?s)Cannot .* because .*"):
        harness.run(**options)


def test_a_record_is_never_overwritten(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("precious")
    with pytest.raises(harness.UsageError, match="would be lost"):
        harness.run(steps=1, output=path)
    assert path.read_text() == "precious"


def test_the_schedule_is_full_at_powers_of_two_and_rotates_between():
    schedule = Schedule(full=False, every=0, last=100, seed=3)
    full = [step for step in range(1, 101) if schedule.turn(step) == EVERYTHING]
    assert full == [1, 2, 4, 8, 16, 32, 64, 100]
    turns = [schedule.turn(step) for step in range(17, 25)]
    sizes = {
        "dW1": 6400,
        "dz1": 8192,
        "a1": 8192,
        "db1": 64,
        "dW2": 640,
        "dz2": 1280,
        "z1": 8192,
        "z2": 1280,
        "loss": 1,
    }
    shares = [turn.names(sizes) for turn in turns]
    assert sorted(name for share in shares for name in share) == sorted(sizes)  # each once
    assert max(sum(sizes[name] for name in share) for share in shares) == 8192  # the largest is the most of a step


def test_a_sampled_step_of_a_large_network_compares_a_part_and_agrees():
    rng = np.random.default_rng(0)
    data = Data("random", rng.normal(size=(128, 100)), rng.integers(0, 10, 128), tuple("0123456789"))
    network = from_text("100-64-10", activation="tanh", loss="cross-entropy")
    run = harness.run(network, data, ["torch"], optimizer="adam", steps=4)
    assert run.verdict == "PASS"
    assert [step.checked for step in run.steps] == ["full", "full", "sample", "full"]
    count = [sum(row.entries for row in step.rows) for step in run.steps]
    assert count[2] < count[1] / 4


@pytest.mark.parametrize(("tensor", "entry"), [("dW1", (70, 19)), ("db1", (19,)), ("a1", (83, 7)), ("W1", (27, 60))])
def test_eight_samples_one_after_the_other_judge_every_entry_once(register, tensor, entry):
    class Wrong(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            result = super().differentiate(weights, x, y, tap=tap)
            for tensors in (result.gradients, result.activations):
                if tensor in tensors:
                    tensors[tensor][entry] += 1
            return result

        def start(self, optimizer, weights):
            updater = super().start(optimizer, weights)
            update = updater.update

            def wrong(weights, gradients):
                result = update(weights, gradients)
                if tensor in result.weights:
                    result.weights[tensor][entry] += 1
                return result

            updater.update = wrong
            return updater

    register("wrong", Wrong)
    rng = np.random.default_rng(0)
    data = Data("random", rng.normal(size=(128, 100)), rng.integers(0, 10, 128), tuple("0123456789"))
    network = from_text("100-64-10", activation="tanh", loss="cross-entropy")
    run = harness.run(network, data, ["wrong"], steps=25, seed=0)
    samples = [step for step in run.steps if 17 <= step.step < 25]
    assert {step.checked for step in samples} == {"sample"}
    rows = [row for step in samples for row in step.rows if (row.gradient, row.against) == (tensor, "wrong")]
    assert [(row.index, row.outside) for row in rows] == [(entry, 1)]
    judged = [(row.gradient, row.against) for step in samples for row in step.rows]
    assert len(judged) == len(set(judged))
    assert set(judged) == {(row.gradient, row.against) for row in run.steps[15].rows if row.check == "rounding"}


def test_float32_end_to_end_reads_no_power_where_zeros_would_pass():
    rng = np.random.default_rng(0)
    data = Data("random", rng.normal(size=(32, 400)), rng.integers(0, 10, 32), tuple("0123456789"))
    network = from_text("400-300-200-10", activation="tanh", loss="cross-entropy")
    run = harness.run(network, data, ["torch"], steps=1)
    assert run.find("end-to-end", "db1", "torch").verdict == "no power"
    assert run.find("formula", "db1", "torch").verdict == "ok"
    assert run.verdict == "PASS"
