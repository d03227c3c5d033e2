"""Disks without room: of a process of its own, where the system writes a part of a file; and one that is flaky."""

import errno
import subprocess
import sys
from io import FileIO

import pytest

LITTLE_ROOM = """
import resource
from harness.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
main()
"""


def typed_with_little_room(*words):
    """The command in a process whose files may not grow beyond 20,000 bytes.

    The limit holds for every file of a process, the log that pytest itself writes included: it is a child's.
    """
    pytest.importorskip("resource", reason="limits on files are a matter of POSIX")
    return subprocess.run([sys.executable, "-c", LITTLE_ROOM, *map(str, words)], capture_output=True, text=True)


class Flaky(FileIO):
    """A disk that is full for some writes, and takes half a line before it says so."""

    full = ()
    calls = 0

    def write(self, data):
        type(self).calls += 1
        if self.calls in self.full:
            super().write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)
