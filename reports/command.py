"""``harness report``: from a run record to a page. The command line finds it by its entry point."""

from __future__ import annotations

import sys

import click


@click.command("report", short_help="one self-contained HTML page about a recorded run")
@click.argument("record", metavar="RUN.jsonl")
@click.option("-o", "--output", metavar="FILE.html", required=True, help="the page; one that exists is replaced")
def report(record: str, output: str) -> None:
    """Write one page about the run that `harness run --output` recorded in RUN.jsonl.

    The page is a single file that asks for nothing else; it can be read without JavaScript, and printed. A record that
    ends early gives a page about its finished steps, which says so.
    """
    sys.exit(_report(record, output))


def _report(record: str, output: str) -> int:
    # Imported now, since the help of all commands imports this file.
    from harness.cli.terminal import complain, printable
    from harness.rendering.pages import page_writer
    from harness.results.run import read_run
    from harness.usage import UsageError

    try:
        write_page = page_writer(output, record)
        run = read_run(record)
        write_page(run)
    except UsageError as error:
        return complain("harness report", error)
    note = [f"note  the record {run.unchecked}"] if run.unchecked else []
    click.echo(printable("\n".join([f"{run.verdict}  {run.outcome.reason}", *note, output])))
    return 0
