"""``harness program``: from options to the check of a program that a function builds, in a process apart."""

from __future__ import annotations

from typing import Any

from harness.cli.checking import print_answer
from harness.cli.terminal import spelled
from harness.programs.built import Built, as_built
from harness.usage import UsageError, told


def check_and_print(**options: Any) -> int:
    """Check, print, and return the exit status."""
    return print_answer(options | {"command": spelled(), "what": "program"})


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
