"""Somebody else's code, run under a deadline or in a process of its own, so that there is always an answer here.

It may end its process, crash it, never come back, or print from anywhere. The child's stdout is this process's
stderr; its answer comes back through a pipe.

Loading a file and one call of a function may have a deadline. An alarm interrupts Python code. Code that swallows the
interrupt, or does not come back from compiled code, is ended with the process a little later, by a watchdog that
needs nothing of the interpreter; a trace of where it was goes to stderr.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from harness.candidates.isolated import child; child()"
)


class Answer(NamedTuple):
    """What a command prints, and the status that it ends with."""

    status: int
    text: str


class Ended(NamedTuple):
    """How a process ended that gave no answer, in words that follow its name."""

    how: str


def apart(function: str, options: dict[str, Any], limit: float | None) -> Answer | Ended:
    """The answer of ``module:function``, called with these options in a child process.

    Args:
        function: takes the options as one dictionary and returns an `Answer`.
        options: numbers, texts, flags and None.
        limit: seconds after which the child counts as one that did not answer, where it ended without one.
    """
    if os.name == "nt":  # no pipe to inherit
        return _named(function)(options)
    begin = time.monotonic()
    read, write = os.pipe()
    words = [sys.executable, "-P", "-c", PROGRAM, json.dumps(sys.path), str(write), function, json.dumps(options)]
    with os.fdopen(read, "rb") as answer:
        process = subprocess.Popen(words, pass_fds=[write], stdin=subprocess.DEVNULL, stdout=2)
        os.close(write)
        try:
            told = answer.read()
        finally:
            if sys.exc_info()[0]:  # interrupted while waiting
                process.kill()
            status = process.wait()
    if told:
        return Answer(*json.loads(told))
    if status < 0:
        return Ended(f"ended the process by {signal.Signals(-status).name} before there was an answer")
    if limit is not None and time.monotonic() - begin > limit:
        return Ended(f"did not answer within {limit:g} s, and could not be interrupted")
    return Ended(f"ended the process with status {status} before there was an answer")


def child() -> None:
    """The other side: ``sys.argv`` holds the pipe, the function and its options."""
    _, _, write, function, options = sys.argv
    sys.argv[:] = ["harness"]
    try:
        answer = _named(function)(json.loads(options))
    except KeyboardInterrupt:
        os._exit(130)  # this process's parent has been told too
    with os.fdopen(int(write), "wb") as pipe:
        pipe.write(json.dumps(answer).encode())
    sys.stdout.flush()
    os._exit(0)  # threads of somebody else's do not keep it


def _named(function: str) -> Callable[[dict[str, Any]], Answer]:
    module, _, name = function.partition(":")
    return getattr(import_module(module), name)


GRACE = 2.0
"""Seconds between the alarm and the end of the process."""


class OverdueError(BaseException):
    """The deadline has passed; no Exception, so that a bare ``except Exception`` does not swallow it."""


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """End the block after so many seconds; not at all if None.

    Outside the main thread, and where the system has no alarm, only the watchdog can do that.

    Raises:
        OverdueError: the block took longer.
    """
    if seconds is None:
        yield
        return
    alarmed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    previous: Any = None
    if alarmed:
        previous = signal.signal(signal.SIGALRM, _raise)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    watched = _watch(seconds + GRACE)
    try:
        yield
    finally:
        if watched:
            faulthandler.cancel_dump_traceback_later()
        if alarmed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)


def _raise(number: int, frame: Any) -> None:  # noqa: ARG001  (a signal handler's signature)
    raise OverdueError


def _watch(seconds: float) -> bool:
    try:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)
    except (AttributeError, OSError, RuntimeError, ValueError):  # stderr is closed, or no file of the system's
        return False
    return True
