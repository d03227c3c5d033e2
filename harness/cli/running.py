"""``harness run``: from options to a run, from a run to text."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from harness.datasets import load_data
from harness.lockstep import run
from harness.networks import load_network
from harness.runs import Run
from harness.tables import findings_for_github, render
from harness.usage import UsageError
from impls.hand.notation import OPTIMIZERS, made

ASCII = str.maketrans({"·": "|", "×": "x", "Δ": "D", "→": "->"})


def run_and_print(**options: Any) -> int:
    """Run, print, and return the exit status."""
    style = "json" if options["as_json"] else options["style"] or "table"
    try:
        result = _run(options)
    except (UsageError, ValueError) as error:
        click.echo(f"harness run: {_printable(str(error))}", err=True)
        return 2
    _print(result, style, quiet=options["quiet"], verbose=options["verbose"])
    if options["require_power"] and result.verdict == "NO POWER" and result.exit == 0:
        return 4
    return result.exit


def _run(options: dict[str, Any]) -> Run:
    network = load_network(
        options["model"],
        activation=options["activation"],
        output_activation=options["output_activation"],
        loss=options["loss"],
    )
    rate = {} if options["lr"] is None else {"lr": options["lr"]}
    optimizer = made("optimizer", OPTIMIZERS, options["optimizer"], **rate)
    against = None
    if options["against"] is not None:
        against = [name.strip() for name in options["against"].split(",") if name.strip()]
        if not against:
            raise UsageError("Cannot compare against nothing; name implementations, such as torch,jax.")
    keywords = {name: options[name] for name in ("steps", "epochs", "batch", "dtype", "seed", "check_every", "output")}
    with _Progress() as progress:
        return run(
            network, load_data(options["data"], raw=options["raw"]), against,
            optimizer=optimizer, full=options["check"] == "full", progress=progress.at, **keywords,
        )  # fmt: skip


class _Progress:
    """A bar on stderr if it is a terminal, nothing otherwise."""

    def __enter__(self) -> _Progress:
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("steps", total=None)
            self._bar.start()
        return self

    def at(self, step: int, steps: int) -> None:
        if self._bar:
            self._bar.update(self._task, total=steps, completed=step)

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()


def _print(result: Run, style: str, *, quiet: bool, verbose: bool) -> None:
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(result.to_dict()), indent=1))
    elif style == "jsonl":
        for line in (result.head, *result.steps, result.end()):
            click.echo(msgspec.json.encode(line))
    elif style == "github":
        click.echo("\n".join(findings_for_github(result)))
    elif quiet:
        click.echo(_printable(f"{result.verdict}  {result.outcome.reason}"))
    else:
        click.echo(_printable(render(result, style, verbose=verbose)))


def _printable(text: str) -> str:
    """Control characters of somebody's file name or message stay visible; ASCII where nothing else goes."""
    text = "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(ASCII)
    return text
