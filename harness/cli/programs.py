"""``harness program``: from options to the check of a program that a function builds, in a process apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.cli.checking import print_answer
from harness.cli.terminal import spelled
from harness.usage import UsageError, told

BUILT = 'return model, x, y; or {"program": model, "arguments": (x, y), "loss": function}'


class Built(NamedTuple):
    """What somebody's build function returned."""

    program: Callable[..., Any]
    arguments: Sequence[Any]
    loss: Callable[[Any], Any] | None


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


def as_built(returned: Any, name: str) -> Built:
    """A program, its arguments and its loss, from what a build function returned."""
    if isinstance(returned, Mapping):
        known = {"program", "arguments", "loss"}
        if "program" not in returned or set(returned) - known:
            raise UsageError(
                f"Cannot check what {name} returns, because a dictionary holds program, arguments and loss, and not "
                f"{', '.join(map(str, returned)) or 'nothing'}; {BUILT}."
            )
        arguments = returned.get("arguments", ())
        arguments = tuple(arguments) if isinstance(arguments, list | tuple) else (arguments,)
        return Built(returned["program"], arguments, returned.get("loss"))
    parts = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    if not parts or not callable(parts[0]):
        what = f"a {type(returned).__name__}" if returned is not None else "nothing"
        raise UsageError(
            f"Cannot check what {name} returns, because it is {what}, and no program with its arguments; {BUILT}."
        )
    return Built(parts[0], parts[1:], None)
