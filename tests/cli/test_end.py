"""The command's process ends without being taken apart, with everything said and cleared up."""

import subprocess
import sys
from pathlib import Path

import pytest

ENDING = """
import atexit, sys
from harness.__main__ import command

class Held:
    def __del__(self):
        print("taken apart", flush=True)

held = Held()
atexit.register(print, "cleared up")
sys.argv = ["harness", *sys.argv[1:]]
print("before")
command()
"""


@pytest.mark.parametrize(("asked", "status"), [(["--version"], 0), (["run", "--steps", "none"], 2)])
def test_what_waits_is_written_and_cleared_up_and_nothing_is_taken_apart(asked, status):
    done = subprocess.run([sys.executable, "-c", ENDING, *asked], check=False, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "before"
    assert lines[-1] == "cleared up"
    assert "taken apart" not in lines
    assert "Traceback" not in done.stderr


FULL = """
import sys
from harness import __main__ as module
module.main = sys.exit
sys.stdout = open("/dev/full", "w")
print("what waits")
module.command()
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_what_is_not_written_at_the_end_is_a_status():
    done = subprocess.run([sys.executable, "-c", FULL], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (2, b"")
