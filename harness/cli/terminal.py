"""The terminal: a command as it would be typed again, and a bar of its progress."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Container
from typing import Any

import click

from harness.usage import visible


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


NOT_ASKED = frozenset({"output", "report", "style", "as_json", "quiet", "verbose", "require_power"})


def spelled(name: str | None = None, only: Container[str] | None = None) -> str | None:
    """The command that is running, options at their defaults left out; None where none is.

    Args:
        name: of another command, in place of its own.
        only: arguments and options that the other command has as well; all if None.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return None
    words = ["harness", name or str(context.info_name)]
    for parameter in context.command.params:
        own = str(parameter.name)
        value = context.params.get(own)
        if own in NOT_ASKED or (only is not None and own not in only) or value is None or value == parameter.default:
            continue
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words += [parameter.opts[-1]] if value else []
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [parameter.opts[-1], str(each)]
    return visible(shlex.join(words))
