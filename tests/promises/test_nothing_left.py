"""Whatever a candidate does, and however a command ends: there is a verdict or a word, and nothing is left behind."""

import re
import signal
import time
from pathlib import Path

import pytest

from tests.helpers import browsing
from tests.helpers.leftovers import Command

HOSTILE = Path(__file__).parents[1] / "users" / "hostile.py"
RIGHT = HOSTILE.with_name("right.py")
PASS = (0, "PASS  {} is right up to rounding: 6 gradients")
CANDIDATES = {
    "keeps_what_multiprocessing_has": PASS,
    "leaves_processes": PASS,
    "comes_back_twice": PASS,
    "closes_all_files": PASS,
    "right_and_replaces_what_judges": PASS,
    "wrong_and_replaces_what_judges": (1, "FAIL  first wrong link: dW1"),
    "leaves_processes_and_never_ends": (1, "FAIL  {} did not answer within 3 s, and could not be interrupted\n"),
    "stops_itself": (1, "FAIL  {} stopped the process by SIGSTOP before there was an answer\n"),
    "ends_its_parent": (1, "FAIL  {} ended the process by SIGKILL before there was an answer\n"),
    "ends_its_group": (1, "FAIL  {} ended the process by SIGTERM before there was an answer\n"),
    "endless_mapping": (1, "FAIL  {} returned what cannot be read: it did not answer within 1 s\n"),
    "endless_array": (1, "FAIL  {} returned what cannot be read: it did not answer within 1 s\n"),
    "interrupts_itself": (1, "FAIL  {} raised KeyboardInterrupt"),
}


def seconds_of(said):
    """The time limit that is told, or one that a busy machine keeps to."""
    found = re.search(r"(\d) s\b", said)
    return found[1] if found else 60


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_gets_its_verdict_and_leaves_nothing(name, tmp_path):
    target = f"{HOSTILE}:{name}"
    expected, said = CANDIDATES[name]
    status, out, err = Command(tmp_path, "check", target, "--quiet", "--timeout", seconds_of(said)).ended()
    assert (status, out.startswith(said.format(target))) == (expected, True), out + err
    assert "Traceback" not in err


AT_IMPORT = {
    "a loop in a copy": ("import os\nif os.fork() == 0:\n    while True: pass\n", 0, ""),
    "os._exit": ("import os\nos._exit(0)\n", 2, "loading it ended the process with status 0; correct it first.\n"),
    "sys.exit": ("import sys\nsys.exit(0)\n", 2, "loading it raises SystemExit: 0; correct it first.\n"),
    "a NUL byte": ("x = '\0'\n", 2, "mine.py is no Python: source code string cannot contain null bytes"),
    "no end": (
        "sum(range(10**12))\n", 2,
        "loading it takes longer than 1 s, and could not be interrupted; correct it first.\n",
    ),
    "all memory": ("import numpy\nnumpy.zeros(10**15)\n", 2, "memory is short"),
}  # fmt: skip


@pytest.mark.parametrize("kind", AT_IMPORT)
def test_a_file_gets_its_answer_and_leaves_nothing(kind, tmp_path):
    text, expected, said = AT_IMPORT[kind]
    (tmp_path / "mine.py").write_text(text + RIGHT.read_text())
    status, out, err = Command(tmp_path, "check", "mine.py", "--quiet", "--timeout", seconds_of(said)).ended()
    assert (status, said in err) == (expected, True), out + err
    assert out.startswith("PASS") if expected == 0 else out == ""
    assert "None" not in err


def test_memory_that_is_short_is_no_mismatch(tmp_path):
    status, out, err = Command(tmp_path, "check", f"{HOSTILE}:takes_all_memory", "--quiet").ended()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("Cannot go on, because memory is short (Unable to allocate 7.11 PiB")
    (tmp_path / "limited").mkdir()
    status, out, err = Command(tmp_path / "limited", "check", RIGHT, "--quiet", memory=150).ended()
    assert (status, out) == (2, ""), err
    assert err.splitlines()[-1].startswith("Cannot go on, because memory is short")
    assert "Traceback" not in err


def test_a_page_needs_no_more_address_space_than_the_check(tmp_path):
    browsing.required("jinja2", "latex2mathml")
    words = ["check", RIGHT, "--quiet", "--report", "page.html"]
    status, out, err = Command(tmp_path, *words, memory=1500).ended()
    assert (status, out.startswith("PASS  "), err) == (0, True, ""), out + err
    assert "</html>" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_check_that_is_interrupted_says_so_and_leaves_nothing(number, tmp_path):
    command = Command(tmp_path, "check", f"{HOSTILE}:leaves_processes_and_never_ends")
    begun = (tmp_path / "begun").exists
    status, out, err = command.once(begun, number).ended()
    assert (status, out, err.strip()) == (130, "", "interrupted")


def test_what_a_check_has_started_ends_with_it_however_that_ends(tmp_path):
    command = Command(tmp_path, "check", f"{HOSTILE}:leaves_processes_and_never_ends")
    command.once((tmp_path / "begun").exists, signal.SIGKILL).process.wait()
    until = time.monotonic() + 20
    while command.processes() and time.monotonic() < until:
        time.sleep(0.05)
    status, out, _ = command.ended()
    assert (status, out) == (-signal.SIGKILL, "")


TEST = """
import subprocess, sys, time
from pathlib import Path
from mine import square


def test_square():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    Path("begun").touch()
    assert square(3.0) == 9.0
    time.sleep(1000)
"""


def test_a_score_that_is_interrupted_leaves_nothing(tmp_path):
    (tmp_path / "mine.py").write_text("def square(x):\n    return x * x\n")
    (tmp_path / "test_mine.py").write_text(TEST)
    command = Command(tmp_path, "power", "--of", "test_mine.py::test_square", "--target", "mine:square")
    begun = (tmp_path / "begun").exists
    status, out, err = command.once(begun, signal.SIGTERM).ended()
    assert (status, out, err.strip()) == (130, "", "interrupted")


def recorded(folder):
    return (folder / "run.jsonl").exists() and (folder / "run.jsonl").read_bytes().count(b"\n") > 3


def test_a_run_that_is_terminated_keeps_its_steps(tmp_path):
    words = ["run", "--against", "hand", "--steps", 1_000_000, "--output", "run.jsonl", "--quiet"]
    command = Command(tmp_path, *words)
    status, out, err = command.once(lambda: recorded(tmp_path), signal.SIGTERM).ended()
    assert (status, err) == (130, "")
    assert "interrupted after step" in out
    assert b'"how":"interrupted"' in (tmp_path / "run.jsonl").read_bytes().splitlines()[-1]


def test_who_starts_a_command_with_ctrl_c_ignored_means_it(tmp_path):
    command = Command(
        tmp_path, "run", "--against", "hand", "--steps", 400, "--output", "run.jsonl", "--quiet", ignored=True
    )
    status, out, _ = command.once(lambda: recorded(tmp_path), signal.SIGINT).ended()
    assert (status, "6 gradients x 400 steps" in out) == (0, True)
