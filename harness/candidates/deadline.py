"""Deadlines: loading a file and one call of a function may take so many seconds.

An alarm interrupts Python code. Of code that swallows the interrupt, or does not come back from compiled code, a trace
goes to stderr a little later, and its process is ended: by its parent, where it has one that waits for an answer, else
by a watchdog that needs nothing of the interpreter.
"""

from __future__ import annotations

import faulthandler
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.candidates.isolated import GRACE, Code, interruptible, noted


class OverdueError(BaseException):
    """The deadline has passed; no Exception, so that a bare ``except Exception`` does not swallow it."""


@contextmanager
def deadline(seconds: float | None, code: Code = "being called") -> Iterator[None]:
    """End the block after so many seconds; not at all if None.

    Outside the main thread, and where the system has no alarm, only the watchdog can do that.

    Raises:
        OverdueError: the block took longer.
    """
    if seconds is None:
        with noted(code, math.inf):
            yield
        return
    until = time.monotonic() + seconds
    alarmed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    previous: Any = None
    if alarmed:
        previous = signal.signal(signal.SIGALRM, _raise)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    watched = _watch(seconds + GRACE)
    try:
        with noted(code, until):
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
        faulthandler.dump_traceback_later(seconds, exit=interruptible(), file=sys.__stderr__ or sys.stderr)
    except (AttributeError, OSError, RuntimeError, ValueError):  # stderr is closed, or no file of the system's
        return False
    return True
