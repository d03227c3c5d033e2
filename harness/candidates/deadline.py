"""A deadline for somebody else's code: loading a file, one call of a function.

An alarm interrupts Python code. Code that swallows the interrupt, or does not come back from compiled code, is
ended with the process a little later, by a watchdog that needs nothing of the interpreter; a trace of where it
was goes to stderr.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
