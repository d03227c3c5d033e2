"""A figure of the benchmark is of what its name says."""

import json
import math
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.arithmetic.loops import Compiler
from harness.environment import WAITING
from harness.inputs.schedule import TURNS, milestone
from harness.lockstep.judging import judged
from impls.hand import from_text
from impls.hand.named import named
from reports.benchmark import __main__ as benchmark
from reports.benchmark import apart, checked, kept, other_checks, readme
from reports.benchmark.figure import Figure, figure_of
from reports.benchmark.growth import slope
from reports.benchmark.networks import Case, chain
from reports.benchmark.other_checks import checks, compared
from reports.benchmark.peers import PEERS, bare_products
from reports.benchmark.plain import BARE
from reports.benchmark.products import counted
from reports.benchmark.program import CAUSES, OFF, mistakes, off_by, program_of
from reports.benchmark.steps import rounds_of
from reports.benchmark.verdicts import LADDER, OURS, Verdicts, checks_table
from reports.growth import OfSteps, of_layers, of_steps
from reports.pairs import COMMANDS, Checkout, Taken, main, pairs, row

FAT_PARENT = """
import subprocess, sys
import numpy as np
held = np.ones(2**27)  # 1 GB
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
CERTIFY = """
from reports.benchmark.sees import certify
certify("4-3-2-1", "sigmoid", "sum-squared-error", 150)
"""


def test_peak_memory_is_of_the_process_itself_and_not_of_its_parent():
    words = [sys.executable, "-c", FAT_PARENT, CERTIFY]
    seconds, gigabytes = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert float(seconds) > 0
    assert 0.01 < float(gigabytes) < 0.5


def test_growth_is_of_the_run_alone():
    found = of_layers(2, ["hand"])
    assert found.layers == 2
    assert 0 < found.planting < found.first
    assert found.second < found.first
    assert 0.01 < found.gigabytes < 2
    steps = of_steps(30, ["hand"])
    assert 10 < steps.early <= steps.late < 2000
    assert 0 < steps.seconds < 10
    assert 0 < steps.parts[0] < steps.parts[1] < steps.parts[2]
    assert OfSteps(1000, 500.0, 550.0, 0.1, (1.0, 2.0, 4.0)).kilobytes_a_step == 100


STAND_IN = """
import sys, time
from pathlib import Path
while time.process_time() < {seconds}:
    pass
if "run" in sys.argv:
    Path(sys.argv[-1]).open("x").close()
if "report" in sys.argv:
    Path(sys.argv[2]).read_bytes()
sys.exit("check" in sys.argv)
"""


def checkout(folder, name, seconds):
    (folder / name / "harness").mkdir(parents=True)
    (folder / name / "harness" / "__init__.py").touch()
    (folder / name / "harness" / "__main__.py").write_text(STAND_IN.format(seconds=seconds))
    return Checkout(folder / name, folder / f"{name} files")


def test_pairs_tell_the_slower_checkout_and_the_exit_status_that_is_another(tmp_path):
    slow, quick = checkout(tmp_path, "slow", 0.5), checkout(tmp_path, "quick", 0.0)
    for words, status in COMMANDS.items():
        found = pairs(slow, quick, words, status, 1)
        assert len(found) == 1
        assert all(old.processor >= 0.5 and old.processor > new.processor > 0 for old, new in found)
        assert all(old.wall >= 0.5 for old, _ in found)
    with pytest.raises(RuntimeError, match=r"ended with 1 in .*quick"):
        quick.take("check docs/examples/my_nn.py", 0, 0)


def test_a_ratio_is_taken_within_a_pair():
    found = [
        (Taken(1.0, 10.0), Taken(2.0, 5.0)),
        (Taken(4.0, 30.0), Taken(4.0, 30.0)),
        (Taken(1.0, 3.0), Taken(3.0, 3.0)),
    ]
    told = row("run --steps 60 --quiet --output {fresh}", found)
    assert told == ["harness run --steps 60 --quiet", "1.00 → 3.00 s", "2.000 (1.00 to 3.00)",
                    "10.00 → 5.00 s", "1.000 (0.50 to 1.00)"]  # fmt: skip


def test_pairs_of_what_is_no_checkout_are_refused(tmp_path, capsys):
    for words in ([str(tmp_path)], [str(Path(__file__).parents[2]), "--pairs", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        assert re.search(r"Cannot .*, because .*; ", " ".join(capsys.readouterr().err.split()))


SMALL = Case("small", from_text("5-6-3", activation="tanh", loss="cross-entropy"), 9)


def test_every_check_is_given_the_same_program_and_only_the_blind_ones_miss_a_mistake(monkeypatch):
    monkeypatch.setattr(other_checks, "LADDER", (1e-10, 1e-6, 1e-3))
    found = {(each.check, each.dtype): each for each in compared(SMALL, rounds=1, seeds=1, most=12, part=8)}
    assert len(found) == len(checks(1))
    ours = found[OURS, "float64"]
    assert (ours.ratio, ours.missed, ours.alarms) == (1, [], {"float32": 0, "float64": 0})
    assert ours.planted == 12
    for each in found.values():
        assert each.alarms["float64" if each.dtype == "float64" else "float32"] == 0, each
        assert each.seconds > 0
    assert (ours.entry, found["assert_close loop", "float32"].entry) == (1e-10, 1e-3)
    assert found["torch gradcheck, slow", "float64"].alarms["float32"] == 1  # differences of 1e-6 are none there
    assert any("0.1 %" in which for which in found["torch gradcheck, slow", "float64"].missed)
    assert checks_table(list(found.values())).count("of 12") == len(found)


def test_slow_gradcheck_is_told_by_what_it_decides_by():
    program = program_of(SMALL.network, SMALL.batch(), "float64", 0)
    planted = [each for each in mistakes(program, 60) if each.cause in OFF]
    assert {each.cause for each in planted} == set(OFF)
    verdicts = []
    for fault in planted[:6]:
        wrong = program.with_mistake(fault)
        verdicts.append(other_checks._gradcheck(wrong, fast=False))
        assert verdicts[-1] == other_checks._by_criterion(wrong), fault
    assert set(verdicts) == {True, False}


def test_planted_mistakes_are_of_every_kind_and_each_changes_a_gradient():
    program = program_of(SMALL.network, SMALL.batch(), "float64", 0)
    planted = mistakes(program, 60)
    kinds = {fault.cause for fault in planted}
    assert kinds >= {"zero", "sign flipped", "doubled", "times N", "dropped sample", *OFF}
    assert kinds <= {*CAUSES, *OFF}
    right = program.gradient(program.weights)
    one = program.with_mistake(off_by(SMALL.network.link["dW1"], LADDER[-1], everywhere=False))
    wrong = one.gradient(program.weights)
    assert [name for name in right if not np.array_equal(right[name], wrong[name])] == ["W1"]
    assert np.sum(right["W1"] != wrong["W1"]) == 1


def test_products_of_a_checked_step_are_counted(monkeypatch):
    monkeypatch.setattr(checked, "EVERYBODY", ("hand",))
    session = checked.session_of(SMALL, *SMALL.batch())
    judged(session.step(1))
    # Of three plain passes: a pass in float32, one in float64 that counts twice, and products on bounded numbers.
    assert 1 + 3 / 3 < counted(session, 2) < 10


class Numbers:
    """Judges who note the numbers of steps, and give each back when the next one comes."""

    def __init__(self, *_):
        self.workers, self.taken, self.finished, self.before = [], [], [], []
        Numbers.made = self

    def take(self, step):
        self.taken.append(step.number)
        self.finished += self.before
        self.before = [SimpleNamespace(checked="full" if milestone(step.number, 0) else "sample")]

    __enter__, __exit__ = lambda self: self, lambda *_: None


@pytest.mark.parametrize(("after", "rounds"), [(0, 1), (math.inf, 1), (1, checked.WARM_UP)])
def test_rounds_to_warm_up_are_taken_until_formulas_are_compiled(after, rounds, monkeypatch):
    monkeypatch.setattr(checked, "EVERYBODY", ("hand",))
    monkeypatch.setattr(checked, "COMPILER", Compiler(after))
    monkeypatch.setattr(checked, "Judges", Numbers)
    found = next(checked.rounds_of(SMALL))
    taken = Numbers.made.taken
    kinds = [[*group] for _, group in groupby(taken, lambda number: milestone(number, 0))]
    # In a row of its kind the first is judged when the second comes, and those that are timed follow.
    assert [len(each) for each in kinds] == [1 + 1 + checked.FULL] + [2 + TURNS, 2 + checked.FULL] * rounds + [
        2 + TURNS
    ]
    assert {number % TURNS for number in taken[-TURNS:]} == set(range(TURNS))
    assert 2 < found.products < 10


@pytest.fixture
def started(monkeypatch):
    """Processes that are started, each with its environment."""
    found, start = [], subprocess.Popen

    def starting(*words, env, **more):
        process = start(*words, env=env, **more)
        found.append((process, dict(env)))
        return process

    monkeypatch.setattr(subprocess, "Popen", starting)
    return found


def test_checked_steps_are_timed_where_idle_threads_sleep_and_peers_where_they_are_left_alone(started, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")  # somebody has set it
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    found = rounds_of(chain("A"), 2, checked=True)
    assert [set(each) for each in found] == 2 * [{"full", "sample", "products", *PEERS, BARE}]
    assert all(value > 0 for each in found for value in each.values())
    assert found[0]["products"] == found[1]["products"]
    (of_peers, left_alone), (of_checked, told) = started
    assert {name: told[name] for name in WAITING} == WAITING | {"OMP_WAIT_POLICY": "ACTIVE"}
    assert {name: left_alone.get(name) for name in WAITING} == {**dict.fromkeys(WAITING), "OMP_WAIT_POLICY": "ACTIVE"}
    assert None not in (of_peers.poll(), of_checked.poll())


def test_the_error_of_checked_steps_is_told_by_who_asks_for_them(started):
    with (
        apart.apart("checked", "none of them", os.environ) as take,
        pytest.raises(RuntimeError, match="KeyError: 'none of them'"),
    ):
        take()
    with pytest.raises(KeyboardInterrupt), apart.apart("checked", "A", os.environ):
        raise KeyboardInterrupt
    assert all(process.poll() is not None for process, _ in started)


def test_bare_products_are_those_of_the_hand_step(monkeypatch):
    given, made = [], np.matmul
    step = bare_products(SMALL.network, SMALL.rows)
    monkeypatch.setattr(
        np, "matmul", lambda *read, out: given.append(tuple(map(np.shape, read))) or made(*read, out=out)
    )
    step()
    assert given == [((9, 5), (5, 6)), ((5, 9), (9, 6)), ((9, 6), (6, 3)), ((6, 9), (9, 3)), ((9, 3), (3, 6))]
    assert bare_products(named("lenet"), 2) is None


def test_an_exponent_is_that_of_a_power():
    assert slope([2, 4, 8], [3 * 2**2.5, 3 * 4**2.5, 3 * 8**2.5]) == pytest.approx(2.5)


def rows():
    yield figure_of([3.0, 1.0, 2.0], network="C", measure="fully checked step against plain", target=9.0)
    yield Figure(network="harness run", measure="time", ratio=4.0, target=5.0, unit="s")


def verdict(**more):
    told = {"network": "C", "check": "eyes", "dtype": "float64", "needs": "patience", "seconds": 1.0, "ratio": 2.0}
    told |= {"entry": 0.1, "whole": None, "planted": 3, "missed": ["zero at dW1"], "seeds": 1}
    return Verdicts(**told, alarms={"float64": 0}, unsure={"float64": 0}, **more)


def test_a_part_that_ends_early_leaves_the_other_rows_and_costs_the_status(monkeypatch, capsys):
    def ends_early(_):
        yield from rows()
        raise RuntimeError("no more")

    monkeypatch.setattr(benchmark, "PARTS", {"one": ends_early, "other": lambda _: rows()})
    assert benchmark.main(["--quick"]) == 1
    told = capsys.readouterr()
    assert told.out.count("harness run") == 4  # as they come, and in the table
    assert "one ended early: RuntimeError: no more" in told.err


def test_an_interrupt_leaves_what_was_measured_and_says_what_was_not(monkeypatch, tmp_path, capsys):
    def interrupted(_):
        yield from rows()
        raise KeyboardInterrupt

    parts = {"one": lambda _: rows(), "other": interrupted, "third": lambda _: rows()}
    monkeypatch.setattr(benchmark, "PARTS", parts)
    monkeypatch.setattr(benchmark, "refresh", lambda: None)
    monkeypatch.setattr(benchmark, "keep", lambda found, how: kept.keep(found, how, tmp_path))
    assert benchmark.main([]) == 1
    assert "interrupted in other" in capsys.readouterr().err
    again = kept.kept(tmp_path)
    assert len(again.rows) == 4
    assert again.failed == {"other": "interrupted", "third": "interrupted"}
    assert set(again.seconds) == {"one", "other"}


def test_what_is_kept_is_read_back_and_the_readme_is_made_of_it(tmp_path):
    given = {"machine": {"processor": "Z80", "cores": "1"}, "failed": {"memory": "no more"}, "seconds": {"steps": 1.0}}
    found = kept.Measured(rows=list(rows()), checks=[verdict()], **given)
    assert kept.kept(tmp_path) is None
    kept.keep(found, "How.", tmp_path)
    again = kept.kept(tmp_path)
    assert again == found
    assert [row["reached"] for row in json.loads((tmp_path / "benchmark.json").read_text())["rows"]] == [True, True]
    page = (tmp_path / "benchmark.md").read_text()
    assert "memory ended early: no more" in page
    assert "- eyes: patience." in page
    text = readme.refreshed(f"Before\n{readme.BEGIN}old\n{readme.END}After\n", found)
    assert text.startswith(f"Before\n{readme.BEGIN}`make bench` measured this (Z80, 1 cores)")
    assert "| C " in text
    assert " 2 x |" in text
    assert "From the shell: `harness run` 4 s." in text
    assert "1 of 3" in text
    assert text.endswith(f"{readme.END}After\n")
    with pytest.raises(ValueError, match="Cannot put figures into the README"):
        readme.refreshed("nothing", found)


def test_the_readme_has_the_figures_that_were_kept():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.refreshed(text, kept.kept()) == text
