"""Plain arguments of public functions: a path, text, a number, a flag; another type is refused by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from inspect import signature
from operator import index
from typing import Any

import numpy as np

from harness.usage import UsageError, did_you_mean, ordinary, reason

LARGEST_COUNT = 2**63 - 1
"""The largest whole number that every reader of a record takes."""


def as_path(name: str, value: Any) -> str:
    """A path, as text.

    Raises:
        UsageError: it is neither text nor a path of text.
    """
    try:
        path = os.fspath(value)
    except Exception:  # somebody else's code
        path = None
    if isinstance(path, str):
        return path
    raise refused(name, value, "it is no path", "give text or a pathlib.Path")


def text_at(path: str, most: int, kind: str) -> str:
    """The text of a file of that kind, UTF-8 with or without a byte-order mark, of so many bytes at most.

    Raises:
        UsageError: there is no such file, or it holds more, or no text.
    """
    try:
        with ordinary(path).open("rb") as file:
            content = file.read(most + 1)
        if len(content) <= most:
            return content.decode("utf-8-sig")
        problem, instead = f"it holds more than {most:,} bytes", "give a shorter one"
    except UnicodeDecodeError as error:
        problem, instead = f"byte {error.start} is not text in UTF-8", "save it as text in UTF-8"
    except (OSError, ValueError) as error:
        problem, instead = reason(error), f"give a {kind} file that can be read"
    raise UsageError(f"Cannot read {path}, because {problem}; {instead}.")


def as_text(name: str, value: Any, example: str) -> str:
    """Text, such as the example.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(value, str):
        return value
    raise refused(name, value, "it is no text", f"give text, such as {example}")


def as_called(name: str, value: Any, *given: str) -> Callable[..., Any] | None:
    """A function that can be called with what is `given`, or None.

    Raises:
        UsageError: it is something else.
    """
    if value is None:
        return None
    what = "it is no function"
    if callable(value) and not isinstance(value, type):
        try:
            signature(value).bind(*given)
        except TypeError:
            what = f"it does not take {len(given)} argument{'s' * (len(given) > 1)}"
        except Exception:  # what it takes cannot be told
            return value
        else:
            return value
    raise refused(name, value, what, f"give a function that takes {' and '.join(given)}, or None")


def as_flag(name: str, value: Any) -> bool:
    """True or False.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise refused(name, value, "it is a choice of two", "give True or False")


def as_count(name: str, value: Any, least: int) -> int | None:
    """A whole number, or None where none is given.

    Raises:
        UsageError: it is something else, or too small or too large.
    """
    if value is None:
        return None
    try:
        count = index(value)
    except Exception:  # somebody else's code
        count = least - 1
    if isinstance(value, bool) or not least <= count <= LARGEST_COUNT:
        raise refused(name, value, "it is a count", f"give a whole number from {least} on, below 2^63")
    return count


def refused(name: str, value: Any, why: str, instead: str) -> UsageError:
    """The complaint about an argument of another type."""
    return UsageError(f"Cannot use {name}={shown(value)}, because {why}; {instead}.")


def as_demands(demand: Any, known: Collection[str], of: str = "") -> list[str]:
    """What is demanded, by name, each once; `of` says of what, where there are other demands of other things.

    Raises:
        UsageError: there is none of that name.
    """
    if isinstance(demand, str) or not isinstance(demand, Sequence):
        raise refused("demand", demand, "names come in a list", 'give one, such as ["equal bits"]')
    for name in demand:
        if name not in known:
            raise UsageError(
                f"Cannot demand {str(name)[:60]!r}{of}, because there is nothing of that name"
                f"{did_you_mean(str(name), known)}; choose from {', '.join(known)}."
            )
    return list(dict.fromkeys(demand))


def shown(value: Any) -> str:
    """A value in a message, whatever it is: its repr where that is short, else its type."""
    try:
        text = repr(value)
    except Exception:  # somebody else's code
        text = ""
    return text if text and len(text) <= 60 else f"<{type(value).__name__}>"


def unmasked(name: str, value: Any) -> Any:
    """A value in which no entry is masked: behind a mask may lie any number.

    Raises:
        UsageError: some are.
    """
    if isinstance(value, list | tuple):
        for row in value:
            unmasked(name, row)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        count = int(np.ma.count_masked(value))
        raise UsageError(
            f"Cannot use {name}, because {count} of its {value.size} entries are masked, and a gradient has no mask; "
            f"fill them, {name}.filled(...), or leave their rows out."
        )
    return value
