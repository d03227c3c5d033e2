"""``harness run`` and ``harness power``: from options to a run, or to what would be missed; and from that to text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.group import OF_A_NETWORK
from harness.cli.terminal import Progress, complain, indented, named, paged, printable, spelled, style_of
from harness.fault_injection.command import power
from harness.fault_injection.power import Power
from harness.inputs.asked import network_asked
from harness.lockstep.asked import run_asked
from harness.rendering.github import of_run, workflow_commands
from harness.rendering.pages import page_writer
from harness.rendering.tables import Typed, render
from harness.results.run import Run
from harness.usage import UsageError

if TYPE_CHECKING:
    from harness.mutation.score import Score

OF_ITS_POWER = frozenset({"model", "against", "data", "target", "raw", *OF_A_NETWORK, "batch", "dtype", "seed"})
"""Options that harness power shares."""


def run_and_print(**options: Any) -> int:
    """Run, print, and return the exit status."""
    style = style_of(options["style"], as_json=options["as_json"])
    write_page = page_writer(options["report"], options["output"])
    result = _run(options)
    if result.unrecorded:
        complain("harness run", result.unrecorded)
    powerless = options["require_power"] and result.verdict == "NO POWER" and result.exit == 0
    status = 4 if powerless else result.exit
    _print(result, style, status, quiet=options["quiet"], verbose=options["verbose"])
    return paged(write_page, result, "harness run", status)


def _run(options: dict[str, Any]) -> Run:
    with Progress("steps") as progress:
        return run_asked(
            options, named(options["against"]), output=options["output"], progress=progress.at, command=spelled(),
            announce=None if options["quiet"] else _announce,
        )  # fmt: skip


def _announce(said: str) -> None:
    click.echo(printable(f"harness run: {said}"), err=True)


def _print(result: Run, style: str, status: int, *, quiet: bool, verbose: bool) -> None:
    if style == "json":
        click.echo(indented(result.to_dict() | {"exit": status}))
    elif style == "jsonl":
        for line in result.lines():
            click.echo(line)
    elif style == "github":
        click.echo("\n".join(workflow_commands(of_run(result))))
    elif quiet:
        click.echo(printable(f"{result.verdict}  {result.outcome.reason}"))
    else:
        run_again, power = spelled(), spelled("power", OF_ITS_POWER)
        typed = Typed(run_again, power) if run_again and power else None
        click.echo(printable(render(result, style, verbose=verbose, typed=typed)))


OF_A_COMPARISON = ("model", "against", "data", "raw", *OF_A_NETWORK, "batch", "dtype", "seed")
"""Options that say which comparison is meant; with --of, a test is."""


def power_and_print(*, as_json: bool, require_power: bool, **options: Any) -> int:
    """Print what would be missed, and return the exit status."""
    answer = _score(options) if options["of"] is not None else _power(options)
    status = answer.exit or (4 if require_power and answer.verdict == "NO POWER" else 0)
    if as_json:
        click.echo(indented(answer.to_dict() | {"exit": status}))
    else:
        click.echo(printable(str(answer)))
    return status


def _power(options: dict[str, Any]) -> Power:
    if options["timeout"] is not None:
        raise UsageError("Cannot use --timeout without --of, because it limits each mutant of a test; name a test.")
    network = network_asked({**options, "model": options["model"] or "4-3-2-1"})
    given = {name: options[name] for name in ("dtype", "seed") if options[name] is not None}
    with Progress("faults") as progress:
        return power(
            network, options["data"] or "iris", named(options["against"]), raw=options["raw"],
            target=options["target"], batch=options["batch"], progress=progress.at, **given,
        )  # fmt: skip


def _score(options: dict[str, Any]) -> Score:
    from harness.mutation.score import score  # a run has no mutants

    for name in OF_A_COMPARISON:
        if options[name]:
            shown = "MODEL" if name == "model" else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"Cannot use {shown} with --of, because the test brings its own data; leave it out, or leave out --of."
            )
    with Progress("mutants") as progress:
        return score(options["of"], options["target"], timeout=options["timeout"], progress=progress.at)
