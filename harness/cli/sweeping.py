"""``harness sweep``: from a matrix to its runs, and from them to text."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.terminal import Progress, complain, indented, paged, printable, style_of
from harness.rendering.pages import page_writer
from harness.sweeping.sweep import sweep
from harness.sweeping.table import render


def sweep_and_print(*, matrix: str, **options: Any) -> int:
    """Sweep, print, and return the exit status."""
    style = style_of(options["style"], as_json=options["as_json"])
    write_page = page_writer(options["report"], matrix)
    with Progress("runs") as progress:
        result = sweep(
            matrix, options["output"], jobs=options["jobs"], scheduler=options["scheduler"],
            judge_apart=options["judge_apart"], up_to=options["up_to"], progress=progress.at,
            announce=None if options["quiet"] else _announce,
        )  # fmt: skip
    if result.unkept:
        complain("harness sweep", result.unkept)
    powerless = options["require_power"] and result.of("NO POWER") and result.exit == 0
    status = 4 if powerless else result.exit
    if style == "json":
        click.echo(indented(result.to_dict() | {"exit": status}))
    elif options["quiet"]:
        click.echo(printable(f"{result.verdict}  {result.reason}"))
    else:
        click.echo(printable(render(result, style)))
    return paged(write_page, result, "harness sweep", status)


def _announce(said: str) -> None:
    click.echo(printable(f"harness sweep: {said}"), err=True)
