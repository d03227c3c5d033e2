"""The command as a person types it, once in a process of its own and otherwise in this one."""

import json
import os
import subprocess
import sys

import click
import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.commands import harness as command
from harness.usage import UsageError
from tests.helpers.command import typed


def in_a_process(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, check=False, **options
    )


def test_a_run_prints_its_verdict_and_its_conventions():
    done = in_a_process("run", "--steps", "3")
    assert done.returncode == 0, done.stderr
    assert "\nPASS  hand, torch and jax agree up to rounding: 6 gradients x 3 steps" in done.stdout
    assert "L = sum over samples of (O31 - y)^2" in done.stdout
    assert "i = source, j = destination" in done.stdout
    assert done.stderr == ""


def test_json_holds_what_is_promised():
    done = typed("run", "--steps", "2", "--against", "torch", "--json", "--optimizer", "adam")
    run = json.loads(done.stdout)
    promised = "schema verdict exit network dtype seed steps environment implementations weights_digest loss rows"
    assert set(promised.split()) <= set(run)
    assert run["verdict"] == "PASS"
    keys = "check gradient against difference allowed used sees step index verdict"
    assert all(set(keys.split()) <= set(row) for row in run["rows"])
    assert {row["check"] for row in run["rows"]} == {"formula", "rounding", "end-to-end"}
    assert all(abs(r["difference"]) <= r["allowed"] for r in run["rows"] if r["difference"] is not None)


@pytest.mark.parametrize(
    ("style", "start"), [("markdown", "4-3-2-1"), ("github", "::notice title=PASS::"), ("jsonl", '{"kind":"run"')]
)
def test_every_format_is_printed(style, start):
    done = typed("run", "--steps", "1", "--against", "torch", "--format", style)
    assert done.returncode == 0
    assert done.stdout.startswith(start)


WRONG = {
    "a model": ["run", "4-3-"],
    "sizes": ["run", "5-3-1"],
    "an activation": ["run", "--activation", "sigmiod"],
    "a loss": ["run", "--loss", "mse"],
    "a data set": ["run", "--data", "irsi"],
    "a file": ["run", "--data", "nowhere.csv"],
    "an implementation": ["run", "--against", "trch"],
    "an optimizer": ["run", "--optimizer", "adamm"],
    "a rate": ["run", "--lr", "-1"],
    "an option": ["run", "--stesp", "3"],
    "a command": ["rum"],
    "a path": ["run", "--output", "nowhere/run.jsonl"],
    "both lengths": ["run", "--steps", "1", "--epochs", "1"],
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_of(what):
    done = typed(*WRONG[what])
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 5


def test_zero_steps_exit_with_5():
    assert typed("run", "--steps", "0", "--against", "torch").returncode == 5


def test_a_csv_and_an_npz_of_ones_own(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 3))
    names = np.where(x.sum(axis=1) > 0, "good", "bad")
    rows = "\n".join(",".join(map(str, row)) + f",{name}" for row, name in zip(x, names, strict=True))
    (tmp_path / "mine.csv").write_text(f"a,b,c,kind\n{rows}\n")
    np.savez(tmp_path / "mine.npz", x=x, y=rng.normal(size=(20, 2)))
    short = ("--steps", "2", "--against", "hand")
    csv = typed("run", "3-4-2", "--data", tmp_path / "mine.csv", "--loss", "cross-entropy", *short)
    npz = typed("run", "3-4-2", "--data", tmp_path / "mine.npz", "--activation", "tanh", *short)
    assert (csv.returncode, npz.returncode) == (0, 0), csv.stderr + npz.stderr


def test_the_verdict_survives_a_terminal_without_unicode():
    done = in_a_process("run", "--steps", "1", "--against", "hand", env={"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert done.returncode == 0
    assert "PASS  hand" in done.stdout
    assert "?" not in done.stdout


def test_what_is_installed_is_listed_and_tried():
    done = typed("implementations")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[2:5]] == ["hand", "torch", "jax"]
    assert done.stdout.count(" ok") == 3


def test_the_help_lists_every_name():
    from impls.hand import notation

    shown = " ".join(typed("run", "--help").stdout.split())
    for table in (notation.ACTIVATIONS, notation.LOSSES, notation.OPTIMIZERS):
        assert ", ".join(table) in shown.replace("- ", "-")


def test_doctor_and_version():
    doctor = json.loads(typed("doctor", "--json").stdout)
    assert {"python", "numpy", "torch", "jax", "torch threads", "jax float64 mode"} <= set(doctor)
    assert typed("--version").stdout.startswith("backprop-harness")


def test_idle_threads_sleep_unless_somebody_said_otherwise():
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    asleep = json.loads(in_a_process("doctor", "--json", env=environment).stdout)
    awake = json.loads(typed("doctor", "--json", OMP_WAIT_POLICY="ACTIVE").stdout)
    assert (asleep["OMP_WAIT_POLICY"], awake["OMP_WAIT_POLICY"]) == ("PASSIVE", "ACTIVE")
    assert asleep["torch threads"] == awake["torch threads"]


def test_digits_come_from_scikit_learn():
    done = typed(
        "run", "64-16-10", "--data", "digits", "--loss", "cross-entropy", "--activation", "relu", "--batch", "128",
        "--steps", "2", "--against", "torch", "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASS")


def test_values_that_overflow_in_the_working_dtype_are_said_in_one_line(tmp_path):
    (tmp_path / "big.csv").write_text("x,y\n1e308,1\n-1e308,2\n")
    done = typed("run", "1-1", "--data", str(tmp_path / "big.csv"), "--raw")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "overflow" in done.stderr


def test_wrong_usage_of_somebody_elses_command_is_told_as_of_ones_own(monkeypatch):
    @click.command("theirs")
    def theirs():
        raise UsageError("Cannot do it, because it is theirs; do without.")

    monkeypatch.setitem(command.commands, "theirs", theirs)
    done = CliRunner().invoke(command, ["theirs"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "harness theirs: Cannot do it, because it is theirs; do without.\n"
