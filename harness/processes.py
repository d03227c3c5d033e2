"""Programs of somebody else's, each under a supervisor: whatever they start has ended when they have."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal, NamedTuple, Self

SUPERVISOR = Path(__file__).with_name("supervisor.py")

LONGEST = 10.0
"""Seconds that a supervisor gets to end a program, several times as many as it takes."""

CALL = (
    "import json, sys; from importlib import import_module; path, name, *words = sys.argv[1:]; "
    "sys.path[:] = json.loads(path); module, function = name.split(':'); "
    "getattr(import_module(module), function)(*words)"
)


def python(function: str, *words: str) -> list[str]:
    """The words that start Python with what can be imported here, and call ``module:function`` with texts."""
    return [sys.executable, "-P", "-c", CALL, json.dumps(sys.path), function, *words]


def unnamed_file() -> IO[bytes]:
    """A new file without a name, in memory where the system has such: a full disk costs no answer."""
    return os.fdopen(os.memfd_create("shared"), "w+b") if hasattr(os, "memfd_create") else TemporaryFile()


class End(NamedTuple):
    """How a program ended: with a status, by a signal, or stopped by one and not continued."""

    how: Literal["status", "signal", "stopped"]
    number: int

    def __str__(self) -> str:
        """In words that follow "ended the process" or, where it was stopped, "stopped the process"."""
        if self.how == "status":
            return f"with status {self.number}"
        return f"by {signal.Signals(self.number).name}" if self.number in set(signal.Signals) else f"by {self.number}"

    @property
    def verb(self) -> str:
        """Before these words."""
        return "stopped" if self.how == "stopped" else "ended"


class Program:
    """A program that has been started.

    As a context manager it ends the program, and everything that it has started, when the block ends, as it does where
    this process ends in whatever way.

    Args:
        words: its path and its arguments.
        stdout: the number of a file that it prints to; its stdin is empty.
        stderr: another for its complaints; this process's if None.
        environment: its environment; this process's if None.
        files: numbers of further files that it gets.
    """

    supervised = os.name != "nt"

    def __init__(
        self,
        words: Sequence[str],
        *,
        stdout: int,
        stderr: int | None = None,
        environment: Mapping[str, str] | None = None,
        files: Sequence[int] = (),
    ) -> None:
        self._end: End | None = None
        if self.supervised:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR), str(stdout), *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment,
                start_new_session=True, pass_fds=[stdout, *files],
            )  # fmt: skip
        else:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment
            )

    def wait(self, seconds: float | None = None) -> End | None:
        """How it ended; None where it has not after so many seconds."""
        if self._end is None and self._process.stdout is None:
            with suppress(subprocess.TimeoutExpired):
                self._end = End("status", self._process.wait(seconds))
        elif self._end is None and self._process.stdout is not None:
            with selectors.DefaultSelector() as waiting:  # which files of any number can be given
                waiting.register(self._process.stdout, selectors.EVENT_READ)
                if not waiting.select(seconds):
                    return None
            with self._process.stdout as told:  # nothing, where the supervisor was ended
                how, number = told.read().decode().split() or ("signal", signal.SIGKILL)
            self._process.wait()
            self._end = End(how, int(number))  # type: ignore[arg-type]
        return self._end

    def interrupt(self) -> None:
        """Send it what Ctrl-C sends."""
        if self._process.stdin is None:
            self._process.send_signal(signal.SIGINT)
        else:
            with suppress(OSError):  # it has ended
                os.write(self._process.stdin.fileno(), bytes([signal.SIGINT]))

    def end(self) -> None:
        """End it, if it has not ended; it is asked to by SIGTERM, and then made to."""
        if self._process.stdin is None:
            self._process.kill()
        else:
            self._process.stdin.close()
            self._process.terminate()  # a process that was forked meanwhile may have that pipe open too
        if self.wait(LONGEST) is None:  # somebody has stopped the supervisor
            self._process.kill()
            self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
