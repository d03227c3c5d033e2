"""``harness explain``: from options to an explanation, printed block by block as it is found."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import click

from harness.cli.running import ASCII, named, printable, specified
from harness.explaining import explain
from harness.explaining.screen import blocks
from harness.usage import UsageError

PRODUCTS = {**ASCII, ord("·"): "*"}
"""Stand-ins where a dot between two things multiplies them."""


def explain_and_print(*, as_json: bool, reference: str, **options: Any) -> int:
    """Explain, print, and return the exit status."""
    command = typed()
    try:
        network, optimizer = specified(options)
        same = ("data", "sample", "step", "nudge", "raw", "target", "batch", "seed")
        keywords = {name: options[name] for name in same}
        told = explain(reference, network, optimizer=optimizer, against=named(options["against"]), **keywords)
    except UsageError as error:
        click.echo(printable(f"harness explain: {error}"), err=True)
        return 2
    if as_json:
        # json writes the number of paths of any network in full; in UTF-8, whatever the terminal can show.
        click.echo(json.dumps(told.to_dict(), indent=1, ensure_ascii=False, allow_nan=False).encode())
    else:
        rest = blocks(told, command)
        click.echo(printable(next(rest)) + "\n")
        for block in rest:
            click.echo(printable(block, PRODUCTS) + "\n")
    return told.exit


def typed() -> str:
    """The command and what was given to it, as a shell reads it, but for --sample, --step and --nudge."""
    context = click.get_current_context()
    words = ["harness", "explain"]
    for parameter in context.command.params:
        name = str(parameter.name)
        if context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif name not in ("sample", "step", "nudge"):
            words += [parameter.opts[0], *([] if value is True else [str(value)])]
    return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    """A word as every shell takes it: in double quotes where it needs some and holds nothing that means more there."""
    return f'"{word}"' if re.fullmatch(r"[\w^()\[\]{}, -]*[^\w-][\w^()\[\]{}, -]*", word) else shlex.quote(word)
