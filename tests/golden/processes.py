"""Golden cases of processes: scores of tests, pytest, and a run that is interrupted."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import harness
from tests.golden.calls import pinned, said_by
from tests.helpers.command import told


@pinned
def scores_of_tests(folder: Path) -> str:
    tests, target = "candidates/scored.py", "operations:backward"
    return said_by(
        lambda: harness.score(f"{tests}::test_numeric", target),
        lambda: harness.score(f"{tests}::test_shape_only", target),
    )


@pinned
def scores_wrong_input(folder: Path) -> str:
    tests, target = "candidates/scored.py", "operations:backward"
    return said_by(
        lambda: harness.score(f"{tests}::test_failing", target),
        lambda: harness.score(f"{tests}::test_numeric", "operations:bakward"),
        lambda: harness.score("nowhere.py::test_x"),
        lambda: harness.score("--pdb"),
        lambda: harness.score(f"{tests}::test_numeric", target, timeout=0),
    )


@pinned
def pytest_of_a_learner(folder: Path) -> str:
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "candidates/learner.py"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return f"exit {done.returncode}\n{done.stdout}{done.stderr}"


OF_PYTEST = (scores_wrong_input, pytest_of_a_learner)
"""These tell what pytest prints."""


def interrupted_by_signal(folder: Path) -> str:
    """A run in a process of its own, ended by Ctrl-C after at least three steps."""
    words = ("run", "--steps", "1000000", "--against", "hand", "--output", "run.jsonl")
    record = folder / "run.jsonl"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is run in the background ignores it
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    while process.poll() is None and not (record.exists() and record.read_bytes().count(b"\n") > 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    again = harness.read_run(record)
    done = subprocess.CompletedProcess(words, process.returncode, out, err)
    return told(done) + f"\n{again.verdict} {again.exit} {again.how}\n"
