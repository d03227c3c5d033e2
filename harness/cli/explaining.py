"""``harness explain`` and ``harness why``: a derivative block by block as it is found, an allowance term by term."""

from __future__ import annotations

import json
from typing import Any

import click
from tabulate import tabulate

from harness.cli.terminal import ASCII, indented, named, printable, quoted
from harness.explaining import explain
from harness.explaining.allowance import Allowance, why
from harness.explaining.screen import blocks
from harness.explaining.symbols import entry_name
from harness.inputs.asked import network_asked, optimizer_asked
from harness.results.numbers import small

PRODUCTS = {**ASCII, ord("·"): "*"}
"""Stand-ins where a dot between two things multiplies them."""


def explain_and_print(*, as_json: bool, reference: str, **options: Any) -> int:
    """Explain, print, and return the exit status."""
    command = typed()
    network, optimizer = network_asked(options), optimizer_asked(options)
    same = ("data", "sample", "step", "nudge", "raw", "target", "batch", "seed")
    keywords = {name: options[name] for name in same}
    told = explain(reference, network, optimizer=optimizer, against=named(options["against"]), **keywords)
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


def why_and_print(reference: str, *, as_json: bool, **options: Any) -> int:
    """Print where the allowance of an entry comes from, and return the exit status."""
    network, optimizer = network_asked(options), optimizer_asked(options)
    same = ("raw", "target", "step", "batch", "dtype", "seed")
    answer = why(reference, network, options["data"], optimizer=optimizer, **{name: options[name] for name in same})
    if as_json:
        click.echo(indented(answer.to_dict()))
    else:
        click.echo(printable(_text(answer)))
    return 0


def _text(answer: Allowance) -> str:
    check = "float64, end to end: the formula check" if answer.dtype == "float64" else f"{answer.dtype}, end to end"
    table = [
        [term.link or "centre", term.kind, term.formula, small(term.amount), f"{100 * term.share:.1f} %"]
        for term in answer.terms
    ]
    table.append(["sum", "", "", small(answer.allowed), "100.0 %"])
    headers = ("link", "", "its rounding, leading term", "amount", "share")
    align = ("left", "left", "left", "right", "right")
    return "\n".join(
        [
            f"{entry_name(answer.tensor, answer.index)} = {answer.value!r}",
            f"allowed {small(answer.allowed)}, {check}",
            f"        own rounding {small(answer.terms[0].amount)}, inherited {small(answer.inherited)}, "
            f"of the float64 centre {small(answer.terms[-1].amount)}",
            "",
            tabulate(table, headers, disable_numparse=True, colalign=align),
            "",
            "* where terms cancel, up to half of that",
            f"rounding check, in {answer.dtype}: {small(answer.alone)} for this link alone, fed exact tensors",
        ]
    )
