"""Progress of a command: a bar on stderr if it is a terminal, nothing otherwise."""

from __future__ import annotations

import sys
from typing import Any


class Progress:
    """A bar, named for what it counts, that is gone when the command is done."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=None)
            self._bar.start()
        return self

    def at(self, done: float, of: float) -> None:
        """So much is done, of so much."""
        if self._bar:
            self._bar.update(self._task, total=of, completed=done)

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
