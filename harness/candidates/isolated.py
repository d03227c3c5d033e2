"""Somebody else's code, run in a process of its own, so that there is always an answer here.

It may end its process, crash it, never come back, print from anywhere, or leave processes and threads. The child's
stdout is this process's stderr. Its answer comes back through a file that both have open, a `_Board`, which has no
end to wait for: a process that the child leaves may hold it as long as it likes.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.processes import End, Program, python, unnamed_file
from harness.usage import short_of_memory

GRACE, POLL = 2.0, 0.1
"""Seconds that code gets to end after it has been asked to; and between two looks at whether it has to be."""
LAST_WORDS = 10.0
"""Seconds that what is interrupted gets to answer with what it has so far."""

Code = Literal["of its own", "being loaded", "being called"]
"""Whose code a process runs: the harness's, or somebody's, which it loads or calls."""
CODES: tuple[Code, ...] = ("of its own", "being loaded", "being called")


class Answer(NamedTuple):
    """What a command prints, and the status that it ends with."""

    status: int
    text: str


class Ended(NamedTuple):
    """A process that gave no answer.

    Attributes:
        end: how it ended.
        code: whose code it ran then.
        overdue: whether that was because its deadline had passed.
    """

    end: End
    code: Code
    overdue: bool


class _Board:
    """A file in which a child notes whose code it runs and until when, and then its answer.

    Args:
        number: of the file, in the parent, the supervisor and the child.
    """

    def __init__(self, number: int) -> None:
        self._number = self._file = number
        self._is = os.fstat(number)[1:3]

    def note(self, code: Code, until: float) -> None:
        with suppress(OSError):  # there is no way back to it
            os.pwrite(self._opened(), _HEAD.pack(CODES.index(code), until), 0)

    def answer(self, *words: Any) -> None:
        os.pwrite(self._opened(), json.dumps(words).encode(), _HEAD.size)

    def _opened(self) -> int:
        """Its number now: somebody's code may have closed all files, and opened one of its own by that number."""
        with suppress(OSError):
            if os.fstat(self._file)[1:3] == self._is:
                return self._file
        self._file = os.open(f"/proc/{os.getppid()}/fd/{self._number}", os.O_RDWR)
        return self._file

    def noted(self) -> tuple[Code, float]:
        """Whose code, and until when."""
        code, until = _HEAD.unpack(os.pread(self._file, _HEAD.size, 0))
        return CODES[code], until

    def answered(self) -> list[Any]:
        """The words of the answer, none where there is none."""
        try:
            return json.loads(os.pread(self._file, os.fstat(self._file).st_size, _HEAD.size))
        except ValueError:
            return []


_HEAD = struct.Struct("<Bd")

_board: _Board | None = None
"""Of a child."""


def apart(function: str, options: dict[str, Any], *, partly: bool = False) -> Answer | Ended:
    """The answer of ``module:function``, called with these options in a child process.

    Args:
        function: takes the options as one dictionary and returns an `Answer`.
        options: numbers, texts, flags and None.
        partly: whether the function, interrupted, answers with what it has so far, and the status 130.

    Raises:
        MemoryError: there was not enough for the child.
        KeyboardInterrupt: Ctrl-C was pressed and there is no such answer, or not soon, or it was pressed again.
    """
    if not Program.supervised:
        return _named(function)(options)
    killed = _killed_for_memory()
    with unnamed_file() as file:
        board = _Board(file.fileno())
        board.note("of its own", math.inf)
        words = python("harness.candidates.isolated:child", str(file.fileno()), function, json.dumps(options))
        with Program(words, stdout=2, files=[file.fileno()]) as program:
            try:
                end, overdue = _waited(program, board)
            except KeyboardInterrupt:
                if not partly or board.noted()[0] != "of its own":
                    raise
                program.interrupt()
                board.note("of its own", time.monotonic() + LAST_WORDS)
                end, overdue = _waited(program, board)
                if not board.answered():
                    raise
        code, told = board.noted()[0], board.answered()
    if told:
        kind, *answer = told
        if kind == "memory":
            raise MemoryError(*answer)
        return Answer(*answer)
    if not overdue and (why := _short_of_memory(end, killed)):
        raise MemoryError(f"the process that checks {end.verb} {end}, {why}")
    return Ended(end, code, overdue)


def _waited(program: Program, board: _Board) -> tuple[End, bool]:
    """How it ended, and whether it was made to because its time was up."""
    overdue = False
    while (end := program.wait(POLL)) is None:
        overdue = time.monotonic() > board.noted()[1] + GRACE + POLL
        if overdue:
            program.end()
    return end, overdue


def child(file: str, function: str, options: str) -> None:
    """The other side: the file of the board, by number, the function and its options."""
    global _board
    sys.argv[:] = ["harness"]
    _board = _Board(int(file))
    signal.signal(signal.SIGTERM, _terminated)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    try:
        words: list[Any] = ["answer", *_named(function)(json.loads(options))]
    except KeyboardInterrupt:
        os._exit(130)
    except Exception as error:
        if not short_of_memory(error):
            raise
        words = ["memory", str(error)]
    _board.answer(*words)
    try:
        _clear_up()
    finally:
        os._exit(0)  # threads of somebody else's do not keep it


def _terminated(number: int, _: Any) -> None:
    """The parent has had enough, or somebody's code ends its own process."""
    try:
        _clear_up()
    finally:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


@contextmanager
def noted(code: Code, until: float) -> Iterator[None]:
    """Somebody's code runs in the block, until that time; a child's parent is told if it ends there."""
    if _board is None:
        yield
        return
    _board.note(code, until)
    asked = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != asked:  # a copy of this process, which somebody's code made, is asked nothing
            os._exit(0)
        _board.note("of its own", math.inf)


def interruptible() -> bool:
    """Whether Ctrl-C may reach this process; a child it does not reach, and ends with its parent."""
    return _board is None


def _clear_up() -> None:
    """What loaded modules want done at the end, such as removing their temporary files; not for long."""
    with suppress(Exception):  # it may be nobody's any more
        sys.stdout.flush()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, GRACE)
    waiting = threading.Timer(GRACE / 4, _end_children)
    waiting.daemon = True
    waiting.start()
    atexit._run_exitfuncs()


def _end_children() -> None:
    """End what multiprocessing would wait for."""
    for process in import_module("multiprocessing").active_children():
        process.kill()


def _short_of_memory(end: End, killed: int) -> str | None:
    """Why memory may be what a process lacked that ended so: the system says so, or there is a limit."""
    if end == End("signal", signal.SIGKILL) and _killed_for_memory() > killed:
        return "by which the system makes room"
    import resource  # which not every system has

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and (end.how == "signal" or end == End("status", 1)):
        return f"under a limit of {limit // 2**20:,} MB"
    return None


def _killed_for_memory() -> int:
    """How many processes the system has ended because memory was short, as far as it tells."""
    with suppress(OSError, ValueError):
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
        return int(counts.get("oom_kill", 0))
    return 0


def _named(function: str) -> Callable[[dict[str, Any]], Answer]:
    module, _, name = function.partition(":")
    return getattr(import_module(module), name)
