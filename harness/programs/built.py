"""What a build function returns: a program, its arguments and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from inspect import signature
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
        known = {"program", "arguments", "keywords", "loss"}
        if "program" not in returned or set(returned) - known:
            raise UsageError(
                f"Cannot check what {name} returns, because a dictionary holds program, arguments, keywords and loss, "
                f"and not {', '.join(map(str, returned)) or 'nothing'}; {BUILT}."
            )
        arguments = returned.get("arguments", ())
        arguments = tuple(arguments) if isinstance(arguments, list | tuple) else (arguments,)
        given = _in_order(returned["program"], arguments, returned.get("keywords", {}), name)
        return Built(returned["program"], given, returned.get("loss"))
    parts = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    if not parts or not callable(parts[0]):
        what = f"a {type(returned).__name__}" if returned is not None else "nothing"
        raise UsageError(
            f"Cannot check what {name} returns, because it is {what}, and no program with its arguments; {BUILT}."
        )
    return Built(parts[0], parts[1:], None)


def _in_order(program: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], name: str) -> Sequence[Any]:
    """The arguments, those that were given by name in their places; defaults stand in between."""
    if not keywords:
        return arguments
    bound = None
    with suppress(TypeError, ValueError):
        bound = signature(getattr(program, "forward", program)).bind(*arguments, **keywords)
        bound.apply_defaults()
    if bound is None or bound.kwargs.keys() & keywords.keys():
        raise UsageError(
            f"Cannot call what {name} returns with the keywords {', '.join(map(str, keywords))}, because it does not "
            f"take them in places of their own; give a function that calls it with them."
        )
    return bound.args
