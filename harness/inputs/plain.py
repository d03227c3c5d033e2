"""Plain arguments of public functions: a path, text, a function to call; another type is refused by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from harness.usage import UsageError


def as_path(name: str, value: Any) -> str:
    """A path, as text.

    Raises:
        UsageError: it is neither text nor a path of text.
    """
    try:
        path = os.fspath(value)
    except TypeError:
        path = value
    if isinstance(path, str):
        return path
    raise refused(name, value, "it is no path", "give text or a pathlib.Path")


def as_text(name: str, value: Any, example: str) -> str:
    """Text, such as the example.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(value, str):
        return value
    raise refused(name, value, "it is no text", f"give text, such as {example}")


def as_called(name: str, value: Any, given: str) -> Callable[..., None] | None:
    """A function that is called with what is `given`, or None.

    Raises:
        UsageError: it is something else.
    """
    if value is None or (callable(value) and not isinstance(value, type)):
        return value
    raise refused(name, value, "it is no function", f"give one that takes {given}, or None")


def refused(name: str, value: Any, why: str, instead: str) -> UsageError:
    """The complaint about an argument of another type."""
    return UsageError(f"Cannot use {name}={shown(value)}, because {why}; {instead}.")


def shown(value: Any) -> str:
    """A value in a message, whatever it is: its repr where that is short, else its type."""
    try:
        text = repr(value)
    except Exception:  # somebody else's code
        text = ""
    return text if text and len(text) <= 60 else f"<{type(value).__name__}>"
