"""``harness conventions``: from options to a survey, from a survey to text."""

from __future__ import annotations

import click
import msgspec

from harness.cli.progress import Progress
from harness.cli.running import named, printable
from harness.surveys.conventions.screen import render
from harness.surveys.conventions.survey import conventions
from harness.usage import UsageError


def conventions_and_print(*, against: str | None, dtype: str, style: str | None, as_json: bool) -> int:
    """Measure, print, and return the exit status."""
    try:
        with Progress("topics") as progress:
            result = conventions(named(against), dtype, progress=progress.at)
    except UsageError as error:
        click.echo(f"harness conventions: {printable(str(error))}", err=True)
        return 2
    if as_json or style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(result.to_dict()), indent=1))
    else:
        click.echo(printable(render(result, style or "table")))
    return result.exit
