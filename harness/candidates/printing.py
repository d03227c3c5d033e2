"""Printing: what somebody else's code prints at its first call goes to stderr, and after some lines no further."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

LINES, LONGEST = 20, 4_000
"""So many lines, and characters without a line's end, are passed on."""


class Printed:
    """A stream in place of stdout and stderr, the same for all calls of a function; `tell` says what it kept back.

    What is printed again when the function is called again is nothing new. Whatever else a stream can do, the stderr
    of the process does.
    """

    def __init__(self) -> None:
        self.calls, self.lines, self.characters = 0, 0, 0
        self.stream: TextIO = sys.stderr

    def write(self, text: str) -> int:
        """Pass on what is within the limits."""
        if self.calls > 1:
            return len(text)
        if self.lines < LINES and self.characters < LONGEST * LINES:
            room = text.split("\n")[: LINES - self.lines + 1]
            shown = "\n".join(room) if len(room) <= LINES - self.lines else "\n".join([*room[:-1], ""])
            self.stream.write(shown[:LONGEST])
        self.lines += text.count("\n")
        self.characters += len(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Each of the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "stream":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self.stream, name)

    @contextmanager
    def redirected(self) -> Iterator[None]:
        """Stdout and stderr are this stream until the block ends."""
        if sys.stderr is not self:
            self.stream = sys.stderr
        self.calls += 1
        with redirect_stdout(self), redirect_stderr(self):
            yield

    def tell(self, name: str) -> None:
        """Say on stderr how many lines of somebody's were not passed on, if any."""
        if self.lines > LINES:
            print(f"{name} printed {self.lines:,} lines, of which the first {LINES} are shown", file=self.stream)


@contextmanager
def told_at_the_end(name: str) -> Iterator[None]:
    """What the block prints is passed on within the limits, and then told."""
    printed = Printed()
    try:
        with printed.redirected():
            yield
    finally:
        printed.tell(name)
