"""``harness check``: from options to a check, from a check to text."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from harness.checking.annotating import annotated
from harness.checking.backward_pass import check
from harness.checking.check import Check
from harness.checking.screen import rendered
from harness.cli.running import paged, printable
from harness.cli.spelling import spelled
from harness.github import workflow_commands
from harness.networks import load_network
from harness.reporting import page_writer
from harness.usage import UsageError


def check_and_print(**options: Any) -> int:
    """Check, print, and return the exit status."""
    style = "json" if options["as_json"] else options["style"] or "table"
    try:
        write_page = page_writer(options["report"]) if options["report"] else None
        result = _check(options)
    except UsageError as error:
        click.echo(printable(f"harness check: {error}"), err=True)
        return 2
    powerless = options["require_power"] and result.verdict == "NO POWER"
    status = 4 if powerless else result.exit
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(result.to_dict() | {"exit": status}), indent=1))
    elif style == "github":
        click.echo("\n".join(workflow_commands(annotated(result))))
    elif options["quiet"]:
        click.echo(printable(f"{result.verdict}  {result.reason}"))
    else:
        click.echo(printable(rendered(result, style, verbose=options["verbose"], command=spelled())))
    return paged(write_page, result, "harness check", status)


def _check(options: dict[str, Any]) -> Check:
    network = load_network(
        options["model"],
        activation=options["activation"],
        output_activation=options["output_activation"],
        loss=options["loss"],
    )
    same = ("raw", "target", "batch", "dtype", "seed", "arrays", "timeout")
    keywords = {name: options[name] for name in same}
    return check(options["function"], network, options["data"], **keywords)
