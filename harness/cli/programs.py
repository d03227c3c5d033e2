"""``harness program``: from options to the check of a program that a function builds, in a process apart."""

from __future__ import annotations

import tomllib
from typing import Any

from harness.cli.checking import print_answer
from harness.cli.terminal import spelled
from harness.programs.built import Built, as_built
from harness.usage import UsageError, ordinary, reason, told

LINE = '"Dense_0.kernel" = "fc.weight.T"'
"""Of a map."""


def check_and_print(**options: Any) -> int:
    """Check, print, and return the exit status."""
    return print_answer(options | {"command": spelled(), "what": "program"})


def compare_and_print(**options: Any) -> int:
    """Compare two programs, print, and return the exit status."""
    both = f"{options['first']} and {options['second']}"
    return print_answer(options | {"command": spelled(), "what": "pair", "function": both})


def given_as(target: str, timeout: float | None) -> Any:
    """What `harness.compare_programs` takes for what was typed: the path of a record, or what a function builds."""
    from harness.programs.pairs.trace_file import is_record

    return target if is_record(target) else built_by(target, timeout)


def map_from(path: str | None) -> dict[str, str] | None:
    """Whose array is whose, from a TOML file of names; None where there is no file.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    if path is None:
        return None
    try:
        held = tomllib.loads(ordinary(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else f"it is no TOML: {told(error)}"
        raise UsageError(f"Cannot read the map {path!r}, because {why}; give lines such as {LINE}.") from None
    if strange := [name for name, value in held.items() if not isinstance(value, str)]:
        raise UsageError(
            f"Cannot use the map {path!r}, because {strange[0]} holds no name in quotation marks; give lines such as "
            f"{LINE}, names with dots in quotation marks too."
        )
    return held


def built_by(target: str, timeout: float | None) -> Built:
    """What a function that a text names builds.

    Raises:
        UsageError: there is no such function, it raises, or it returns something else.
    """
    from harness.candidates.deadline import OverdueError, deadline
    from harness.candidates.sources import named
    from harness.inputs.arguments import as_seconds

    source = named(target, as_seconds(timeout), "build")
    if not callable(source.function):
        raise UsageError(f"Cannot check {target}, because {source.name} cannot be called; name a function that builds.")
    try:
        with deadline(as_seconds(timeout)):
            returned = source.function()
    except OverdueError:
        raise UsageError(
            f"Cannot check {target}, because {source.name} takes longer than {timeout:g} s; give more by --timeout."
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"Cannot check {target}, because {source.name} raises {told(error)}; let it return a program and its "
            f"arguments."
        ) from error
    return as_built(returned, source.name)
