"""``harness template``: a dump to fill, written and described."""

from __future__ import annotations

from typing import Any

import click

from harness.checking.templates import write_template
from harness.cli.explaining import quoted
from harness.cli.running import printable
from harness.inputs.networks import load_network
from harness.usage import UsageError
from impls.graph import Graph
from impls.hand.notation import describe, output_label


def template_and_print(*, model: str, output: str, **options: Any) -> int:
    """Write the file, say what it holds and how to go on, and return the exit status."""
    choices = {name: options.pop(name) for name in ("activation", "output_activation", "loss")}
    try:
        network = load_network(model, **choices)
        source = write_template(output, network, **options)
    except UsageError as error:
        click.echo(printable(f"harness template: {error}"), err=True)
        return 2
    what = [
        describe(network), network.loss.formula(output_label(network), network.outputs), source.describe(),
        options["dtype"], f"{options['rows']} rows", f"seed {options['seed']}",
    ]  # fmt: skip
    said = [f"--{name.replace('_', '-')} {quoted(value)}" for name, value in choices.items() if value is not None]
    more = ", ".join([*network.activations, "loss", *("d" + name for name in reversed(network.activations))])
    lines = [
        " · ".join(what),
        f"wrote {output}",
        f"holds {_shapes(network, '')}, x {options['rows']}×{network.inputs}, y",
        f"fill  {_shapes(network, 'd')}: NaN so far; leave out what your program does not compute",
        f"add   {more}: any of them locate a mistake more finely",
        f"next  {' '.join(['harness check', quoted(output), '--model', quoted(model), *said])}",
    ]
    click.echo(printable("\n".join(lines)))
    return 0


def _shapes(network: Graph, prefix: str) -> str:
    return ", ".join(f"{prefix}{name} {'×'.join(map(str, shape))}" for name, shape in network.weights.items())
