"""The terminal: what commands share that talk to somebody there.

A bar of progress, a command as it would be typed again, names in a list, text that can be printed, and complaints.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Container, Mapping
from typing import Any

import click
import msgspec

from harness.usage import UsageError, told, visible

ASCII = str.maketrans(
    {"·": "|", "×": "x", "Δ": "D", "→": "->", "±": "+-", "—": "-"}
    | {"∂": "d", "Σ": "sum", "−": "-", "²": "^2", "√": "sqrt", "½": "1/2", "Φ": "Phi", "φ": "phi", "▸": ">", "⋮": ":"}
    | {"─": "-", "▶": ">", "│": "|"} | dict.fromkeys("┬┴┼├┤└┘┌┐", "+")
)  # fmt: skip


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


def named(text: str | None, option: str = "against") -> list[str] | None:
    """The names that an option lists, comma-separated; None where it was not given.

    Raises:
        UsageError: it names none.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(
            f"Cannot go by --{option} {text!r}, because --{option} names none; name some, comma-separated, or leave it "
            f"out for all."
        )
    return names


def printable(text: str, stand_ins: Mapping[int, str] = ASCII) -> str:
    """Nothing but text and line ends; ASCII where nothing else goes, by stand-ins for what is not."""
    text = "\n".join(map(visible, text.split("\n")))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return text.translate(stand_ins)
    return text


def verb_of(what: str) -> str:
    """The command that checks this: a network, an operation, ..., a program, two of them, or a tolerance."""
    if what == "pair":
        return "harness compare-programs"
    return f"harness {what}" if what in ("program", "tolerance") else "harness check"


def complain(command: str, error: Exception | str) -> int:
    """Say on stderr why a command cannot be done; the exit status of wrong usage."""
    click.echo(printable(f"{command}: {error}"), err=True)
    return 2


def indented(answer: Any) -> bytes:
    """An answer as JSON on several lines, in UTF-8 whatever the terminal can show."""
    return msgspec.json.format(msgspec.json.encode(answer), indent=1)


def style_of(style: str | None, *, as_json: bool) -> str:
    """How a result is printed: as --format says, or --json, which is short for --format json.

    Raises:
        UsageError: they say different things.
    """
    if as_json and style not in (None, "json"):
        raise UsageError(
            f"Cannot print with --json and --format {style} together, because they are two forms of one result; leave "
            f"one of them out."
        )
    return "json" if as_json else style or "table"


def paged(write_page: Callable[[Any], None], result: Any, command: str, status: int) -> int:
    """Write the page that was asked for, if one was; the exit status, 2 where it cannot be kept."""
    try:
        write_page(result)
    except Exception as error:  # whatever it is costs the page, and not the verdict
        usage = isinstance(error, UsageError)
        why = error if usage else f"Cannot make the page, because that raises {told(error)}; the verdict stands."
        complaint = complain(command, why)
        return status if status == 130 else complaint
    return status


def quoted(word: str) -> str:
    """A word as every shell takes it: in double quotes where it needs some and holds nothing that means more there."""
    return f'"{word}"' if re.fullmatch(r"[\w^()\[\]{}, -]*[^\w-][\w^()\[\]{}, -]*", word) else shlex.quote(word)
