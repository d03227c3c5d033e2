"""What ``make`` offers: every target has its line in the help, and tests run on every core and say so."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

ROOT = Path(__file__).parents[2]
TARGETS = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split()


def printed(*words):
    # Not as a part of the make that runs the tests, which would hand its own options on.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


def test_the_help_lists_every_target():
    listed = re.findall(r"^make ((?:\w+ )+) ", printed("help"), re.M)
    assert sorted(" ".join(listed).split()) == sorted(set(TARGETS) - {"help"})


@pytest.mark.parametrize(("target", "said"), [("test", "every test"), ("check", "the quick half of the tests")])
def test_tests_run_on_every_core_and_say_so(target, said):
    dry = printed("-n", target, "CORES=7")
    assert f"{said}, on 7 cores" in dry
    assert re.search(r"pytest -n 7\b", dry)


def test_the_quick_half_is_of_folders_that_there_are():
    (command,) = re.findall(r"pytest -n 7 (.*)", printed("-n", "check", "CORES=7"))
    assert len(folders := command.split()) > 1
    assert [folder for folder in folders if not (ROOT / folder).exists()] == []
