"""Spelling: a command as it would be typed again, without what only says how to show or keep its result."""

from __future__ import annotations

import shlex

import click

from harness.usage import visible

NOT_ASKED = frozenset({"output", "report", "style", "as_json", "quiet", "verbose", "require_power"})


def spelled() -> str | None:
    """The command that is running, options at their defaults left out; None where none is."""
    context = click.get_current_context(silent=True)
    if context is None:
        return None
    words = ["harness", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        value = context.params.get(name)
        if name in NOT_ASKED or value is None or value == parameter.default:
            continue
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words += [parameter.opts[-1]] if value else []
        else:
            words += [parameter.opts[-1], str(value)]
    return visible(shlex.join(words))
