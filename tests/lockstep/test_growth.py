"""A long run needs as much memory as a short one, and its first line counts what was compared."""

import copy
import gc
import os
import re
import tracemalloc
from inspect import signature
from io import FileIO
from tempfile import NamedTemporaryFile, TemporaryFile
from weakref import ref

import numpy as np
import pytest

import harness
from harness.evaluation.given import read_only
from harness.evaluation.point import Point
from harness.fault_injection import misses
from harness.faults.catalogue import faults_at
from harness.inputs.batches import batches_of
from harness.lockstep import judging
from harness.results import steps as kept
from harness.results.record import Step
from harness.results.steps import Steps
from harness.results.summary import Summary
from impls.hand import LeakyRelu, from_text, parts
from reports.page.sizes import invented


def made(number):
    return Step(number, f"{number:064x}", "full", {"hand": 1 / number}, [], [], 0, {"W1": [number / 7] * 40})


@pytest.fixture
def little(monkeypatch):
    """Memory for two or three steps."""
    monkeypatch.setattr(kept, "HELD", 1500)


def test_steps_are_a_sequence_wherever_they_are_kept(little):
    expected = [made(number) for number in range(1, 51)]
    steps = Steps(expected)
    assert list(steps) == expected
    assert steps == expected
    assert steps != expected[:49]
    assert steps != [*expected[:49], made(7)]
    assert [steps[i] for i in (0, 17, -1, -50)] == [expected[i] for i in (0, 17, -1, -50)]
    assert (steps[3:9], steps[:1], steps[-2:]) == (expected[3:9], expected[:1], expected[-2:])
    assert sum(map(len, steps._held)) < 1500
    with pytest.raises(IndexError):
        steps[50]
    assert list(copy.deepcopy(steps)) == expected
    steps.append(made(51))
    assert (len(steps), steps[50], steps[20]) == (51, made(51), expected[20])


def test_where_there_is_no_room_for_a_file_memory_holds_them(little, monkeypatch):
    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(kept, "TemporaryFile", full)
    steps = Steps(map(made, range(1, 31)))
    monkeypatch.setattr(kept, "TemporaryFile", TemporaryFile)
    for number in range(31, 101):
        steps.append(made(number))
    assert list(steps) == list(map(made, range(1, 101)))
    assert sum(map(len, steps._held)) < 100 * 400


def test_a_disk_that_is_full_after_a_while_loses_no_step(little, monkeypatch):
    class Filling(FileIO):
        def write(self, data):
            return super().write(data if self.tell() + len(data) < 4000 else data[:10])

    monkeypatch.setattr(kept, "TemporaryFile", lambda **_: Filling(os.open(tmp, os.O_RDWR | os.O_CREAT), "r+"))
    with NamedTemporaryFile() as named:
        tmp = named.name
        steps = Steps(map(made, range(1, 41)))
        assert list(steps) == list(map(made, range(1, 41)))
        assert 0 < steps._filed < 40


def test_a_longer_run_takes_no_more_memory(little):
    run = invented(1, 3)
    step = run.steps[0]

    def grown(count):
        """Bytes that are held after so many steps."""
        tracemalloc.start()
        steps = Steps(step for _ in range(count))
        summary = Summary(run.head, steps)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (len(steps), summary.steps) == (count, count)
        return held

    assert grown(400) - grown(40) < 360 * 100  # a step as an object takes tens of thousands


def test_the_summary_is_that_of_all_steps_at_once(little):
    run = harness.run("2-1", "random", against=["hand"], steps=12)
    groups = {}
    for step in run.steps:
        for row in step.rows:
            groups.setdefault((row.check, row.gradient, row.against), []).append(row)
    assert len(run.rows) == len(groups) > 8
    for row in run.rows:
        of = groups[row.check, row.gradient, row.against]
        assert row.used == max(r.used for r in of)
        assert row.sees == max((r.sees for r in of if r.sees is not None), default=None)
        assert row.entries == sum(r.entries for r in of)
    assert run.losses["hand"] == [step.losses["hand"] for step in run.steps]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 5}, "gradients x 5 steps; "),
        ({"steps": 5, "check_every": 500}, "gradients x 2 of 5 steps; "),
        ({"steps": 9, "check_every": 4}, "gradients x 4 of 9 steps; "),
        ({"steps": 1, "check_every": 500}, "gradients x 1 steps; "),
    ],
    ids=str,
)
def test_the_first_line_counts_what_was_compared(options, said):
    assert said in harness.run("2-1", "random", against=["hand"], **options).reason


def test_the_first_line_says_at_how_many_steps_every_entry_was_compared(monkeypatch):
    from harness.lockstep import training

    monkeypatch.setattr(training, "SMALL", 0)
    run = harness.run("2-1", "random", against=["hand"], steps=7)
    assert [step.checked for step in run.steps].count("full") == 4
    assert "gradients x 7 steps, every entry at 4 of them; " in run.reason


def test_faults_are_planted_into_a_sample_of_the_links_of_a_deep_network(monkeypatch):
    """Their number falls as the links behind each grow, so that planting costs the same, and the line says so."""
    seen = []

    def watched(network, link):
        seen.append(link.output)
        return faults_at(network, link)

    monkeypatch.setattr(misses, "faults_at", watched)
    for layers, most in ((40, 150), (80, 80)):
        seen.clear()
        network = "-".join(["2"] * (layers + 1))
        run = harness.run(network, "random", ["hand"], steps=1, batch=4, dtype="float64")
        links = len(harness.load_network(network).backward_links)
        assert len(seen) == len(set(seen)) == misses.MOST_LINKS < links
        assert 10 < run.power.planted <= most
        assert run.power.planted * links <= 2 * misses.LINKS_RUN
        assert re.match(
            rf"{run.power.planted} faults \(an even sample of \d+\) planted at \d+ of {links} links", str(run.power)
        )
    seen.clear()
    run = harness.run("2-2-1", "random", ["hand"], steps=1)
    assert (run.power.planted, run.power.among) == (run.power.possible, None)
    assert re.match(rf"{run.power.planted} faults planted at 8 links", str(run.power))


def test_a_class_is_asked_for_its_parameters_once(monkeypatch):
    asked = []
    monkeypatch.setattr(parts, "signature", lambda kind: asked.append(kind) or signature(kind))
    parts._defaults.cache_clear()
    layer = LeakyRelu(slope=0.1)
    assert [repr(layer) for _ in range(3)] == ["LeakyRelu(slope=0.1)"] * 3
    assert asked == [LeakyRelu]
    assert repr(LeakyRelu(slope=0.3)) == "LeakyRelu(slope=0.3)"


def test_nothing_that_was_run_at_a_step_is_kept_while_the_next_one_runs():
    gone, alive = [], []

    def judge(evidence):
        points = (evidence.here, evidence.here.double)
        step = judging.judged(evidence)
        assert points[1].centre("float64").tensors, "what is derived goes with its point"
        gone.extend(map(ref, (evidence, *points)))
        return step

    def progress(_, __):
        alive.extend(each() for each in gone if each() is not None)

    gc.disable()  # at once, that is, not when there is time
    try:
        harness.run("4-3-1", "iris", ["hand"], steps=2, judge=judge, progress=progress)
    finally:
        gc.enable()
    assert len(gone) == 6
    assert not alive


def test_weights_that_nobody_may_write_to_are_kept_as_they_are():
    point = reference_point()
    assert point.given["W1"] is point.weights["W1"]
    assert point.double.given["W1"] is point.double.weights["W1"]
    assert not point.double.weights["W1"].flags.writeable
    own = np.ones((150, 4), np.float32)
    given = Point(point.network, point.weights, own, point.y, 1).given["x"]
    own[0] = 7.0
    assert given[0, 0] == 1.0
    assert not given.flags.writeable


def reference_point():
    network = from_text("4-3-1")
    batch = batches_of(network, harness.load_data("iris"), "float32", None, 0)
    return Point(network, read_only(network.init(0, "float32")), *batch.at(1), 1)
