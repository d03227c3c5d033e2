"""``harness why``: an allowance as text or JSON."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from tabulate import tabulate

from harness.cli.running import printable, specified
from harness.explaining.allowance import Allowance
from harness.explaining.allowance.command import why
from harness.results.numbers import small
from harness.usage import UsageError


def why_and_print(reference: str, *, as_json: bool, **options: Any) -> int:
    """Print where the allowance of an entry comes from, and return the exit status."""
    try:
        network, optimizer = specified(options)
        same = ("raw", "target", "step", "batch", "dtype", "seed")
        answer = why(reference, network, options["data"], optimizer=optimizer, **{name: options[name] for name in same})
    except UsageError as error:
        click.echo(printable(f"harness why: {error}"), err=True)
        return 2
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer.to_dict()), indent=1))
    else:
        click.echo(printable(_text(answer)))
    return 0


def _text(answer: Allowance) -> str:
    place = f"[{','.join(str(i + 1) for i in answer.index)}]" if answer.index else ""
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
            f"{answer.tensor}{place} = {answer.value!r}",
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
