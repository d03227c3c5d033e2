"""Wrong usage: what cannot be done, why, and what to do instead, in one line that any terminal can show."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_REASONS = {
    "FileNotFoundError": "there is no such file",
    "IsADirectoryError": "it is a directory",
    "NotADirectoryError": "a part of its path is a file, not a directory",
    "PermissionError": "permission is denied",
}


class UsageError(ValueError):
    """The caller asked for something impossible; nothing was run and nothing was lost."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


def visible(text: str) -> str:
    r"""`text` in one printable line: what somebody named a file or raised cannot steer a terminal or a log.

    Control characters, line ends, marks that turn the direction of writing and bytes that are no text
    are shown by their escapes.

    >>> visible("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def told(error: BaseException) -> str:
    """What somebody else's code raised, in one line: its type and what it says, if it can say it."""
    try:
        text = " ".join(str(error).split())[:300]
    except Exception:  # its own __str__ raises, or returns no text
        text = "(it cannot say what)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_NO_ROOM = re.compile(
    r"can't allocate memory|cannot allocate memory(?! in static)|out of memory|RESOURCE_EXHAUSTED|bad_alloc|"
    r"failed to map segment",
    re.IGNORECASE,
)
"""What torch, XLA, C++ and the loader of shared objects say."""


def short_of_memory(error: BaseException) -> bool:
    """Whether something was raised because memory is short, whichever library says so."""
    if isinstance(error, RuntimeError | ImportError):
        return bool(_NO_ROOM.search(told(error)))
    return isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM


def reason(error: Exception) -> str:
    """Why a file cannot be used, in words that follow "because"."""
    told = _REASONS.get(type(error).__name__)
    strerror = getattr(error, "strerror", None)
    if told or not strerror:
        return told or " ".join(str(error).split())[:200]
    return f"{strerror[0].lower()}{strerror[1:]}"


def ordinary(path: str | os.PathLike[str]) -> Path:
    """The path of a file that comes to an end, or that is not there.

    Raises:
        OSError: it is a pipe, a socket or a device, at which a reader may wait for ever.
    """
    found = Path(path)
    if found.exists() and not found.is_file() and not found.is_dir():
        raise OSError(errno.EINVAL, "it is no ordinary file")
    return found


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The nearest of `names` in brackets, or nothing where none is near."""
    near = nearest(name, names)
    return f" (did you mean {near}?)" if near else ""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The nearest of `names`, upper and lower case aside, or None where none is near."""
    lower = {known.lower(): known for known in names}
    near = get_close_matches(name.lower(), lower, n=1)
    return lower[near[0]] if near else None
