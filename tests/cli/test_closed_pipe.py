"""Who stops reading gets no verdict: the status is that of a process that SIGPIPE ended, and no mismatch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("arguments", [("run", "--steps", "1", "--against", "hand", "--json"), ("--help",)])
def test_a_closed_pipe_is_no_mismatch(arguments):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        command = [sys.executable, "-m", "harness", *arguments]
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert ended.returncode == 128 + 13, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(("words", "stream"), [("run nowhere", "stderr"), ("nothing", "stderr"), ("--help", "stdout")])
def test_a_device_that_takes_nothing_is_no_mismatch(words, stream):
    with FULL.open("w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: full}
        command = [sys.executable, "-m", "harness", *words.split()]
        ended = subprocess.run(command, **streams, timeout=120, check=False)
    assert ended.returncode == 2
