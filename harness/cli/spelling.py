"""Spelling: a command as it would be typed again, without what only says how to show or keep its result."""

from __future__ import annotations

import shlex
from collections.abc import Container

import click

from harness.usage import visible

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
