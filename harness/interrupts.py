"""Interrupts, of which none is lost, and which wait where they would do harm.

Ctrl-C raises `KeyboardInterrupt` wherever the program is. A library that calls back from compiled code may swallow it
there, or turn it into an error of its own; so it is noted too, and whoever does one thing after another heeds that.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_heard: list[int] = []
"""Signals that have come since the outermost block of `heard` began."""
_waits: list[bool] = []
"""Whether what comes waits: an entry for each block of `held_back`."""


@contextmanager
def heard(*numbers: signal.Signals) -> Iterator[None]:
    """These signals interrupt the block, Ctrl-C if none is named, unless somebody has another use for them.

    Raises:
        KeyboardInterrupt: one came; also in place of the error that some library made of it.
    """
    usual = (signal.default_int_handler, signal.SIG_DFL)
    ours: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number in numbers or (signal.SIGINT,) if signal.getsignal(number) in usual]
    if not ours:
        yield
        return
    found = {number: signal.signal(number, _interrupt) for number in ours}
    tells = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else tells(lost)
    try:
        yield
    except Exception:
        heed()
        raise
    finally:
        sys.unraisablehook = tells
        for number, handler in found.items():
            signal.signal(number, handler)
        _heard.clear()


def _interrupt(number: int, _: Any) -> None:
    _heard.append(number)
    heed()


def heed() -> None:
    """Raise KeyboardInterrupt, if an interrupt has come."""
    if _heard and not _waits:
        raise KeyboardInterrupt


@contextmanager
def held_back() -> Iterator[None]:
    """Ctrl-C inside the block takes effect when the block is left.

    An import that is interrupted leaves a framework half initialised; torch aborts the process then, and
    whatever ran in it is lost.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed inside.
    """
    with heard():
        _waits.append(True)
        try:
            yield
        finally:
            _waits.pop()
        heed()
