"""What a build function returns: a program, its arguments and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.usage import UsageError

BUILT = 'return model, x, y; or {"program": model, "arguments": (x, y), "loss": function}'


class Built(NamedTuple):
    """What somebody's build function returned."""

    program: Callable[..., Any]
    arguments: Sequence[Any]
    loss: Callable[[Any], Any] | None


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
