"""``harness power``: what a comparison would miss, or what somebody's own test does."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from harness.cli.progress import Progress
from harness.cli.running import named, printable
from harness.fault_injection.command import power
from harness.fault_injection.power import Power
from harness.inputs.networks import load_network
from harness.mutation.score import Score, score
from harness.usage import UsageError

OF_A_COMPARISON = (
    "model", "against", "data", "raw", "activation", "output_activation", "loss", "batch", "dtype", "seed",
)  # fmt: skip
"""Options that say which comparison is meant; with --of, a test is."""


def power_and_print(*, as_json: bool, require_power: bool, **options: Any) -> int:
    """Print what would be missed, and return the exit status."""
    try:
        answer = _score(options) if options["of"] is not None else _power(options)
    except UsageError as error:
        click.echo(printable(f"harness power: {error}"), err=True)
        return 2
    status = answer.exit or (4 if require_power and answer.verdict == "NO POWER" else 0)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer.to_dict() | {"exit": status}), indent=1))
    else:
        click.echo(printable(str(answer)))
    return status


def _power(options: dict[str, Any]) -> Power:
    if options["timeout"] is not None:
        raise UsageError("Cannot use --timeout without --of, because it limits each mutant of a test; name a test.")
    network = load_network(
        options["model"] or "4-3-2-1",
        activation=options["activation"],
        output_activation=options["output_activation"],
        loss=options["loss"],
    )
    given = {name: options[name] for name in ("dtype", "seed") if options[name] is not None}
    with Progress("faults") as progress:
        return power(
            network, options["data"] or "iris", named(options["against"]), raw=options["raw"],
            target=options["target"], batch=options["batch"], progress=progress.at, **given,
        )  # fmt: skip


def _score(options: dict[str, Any]) -> Score:
    for name in OF_A_COMPARISON:
        if options[name]:
            shown = "MODEL" if name == "model" else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"Cannot use {shown} with --of, because the test brings its own data; leave it out, or leave out --of."
            )
    with Progress("mutants") as progress:
        return score(options["of"], options["target"], timeout=options["timeout"], progress=progress.at)
