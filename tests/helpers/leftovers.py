"""What a command leaves behind: processes that have inherited its mark, and files in its folder for temporary ones."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from uuid import uuid4

import pytest

MARK = "HARNESS_TESTS_MARK"
SHORT = """
import resource, sys
from harness.cli import main
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)) * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]))
main()
"""


class Command:
    """``harness`` with these words, in a folder of its own, and Ctrl-C as at a terminal, or ignored."""

    def __init__(self, folder, *words, memory=None, ignored=False):
        if not Path("/proc/self/environ").exists():
            pytest.skip("what is left behind is looked for in /proc")
        # Not below the folder, whose path may be too long for a socket.
        self.mark, self.temporary = f"{MARK}={uuid4()}", Path(mkdtemp())
        name, _, value = self.mark.partition("=")
        start = ["-m", "harness"] if memory is None else ["-c", SHORT, memory]
        handler = signal.SIG_IGN if ignored else signal.default_int_handler
        found = signal.signal(signal.SIGINT, handler)  # which a child inherits where it is ignored
        try:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, (*start, *words))], cwd=folder, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, name: value, "TMPDIR": str(self.temporary)},
            )  # fmt: skip
        finally:
            signal.signal(signal.SIGINT, found)

    def processes(self):
        """Those that are left, by number."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                held = path.read_bytes().split(b"\0")
            except OSError:  # it has ended, or is somebody else's
                continue
            if self.mark.encode() in held:
                found.append(int(path.parent.name))
        return found

    def ended(self, timeout=120):
        """Status, stdout and stderr, once it has ended; nothing may be left, and whatever is, is ended."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        finally:
            self.process.kill()
            left = self.processes()
            for number in left:
                os.kill(number, signal.SIGKILL)
            files = sorted(self.temporary.iterdir())
            rmtree(self.temporary)
        assert (left, files) == ([], [])
        return self.process.returncode, out, err

    def once(self, begun, signal_number):
        """Send a signal as soon as something is true."""
        for _ in range(2400):
            if begun():
                break
            time.sleep(0.05)
        assert self.process.poll() is None, self.process.communicate()
        self.process.send_signal(signal_number)
        return self
