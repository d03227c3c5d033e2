"""Commands about a derivative path by path, and an allowance term by term."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli.group import data_options, dtype_option, network_options, optimizer_options


@click.command("explain", short_help="one derivative, path by path")
@click.argument("reference")
@click.argument("model", default="4-3-2-1")
@click.option("--sample", type=int, help="the loss of this sample alone, counted from 0 [default: the whole batch]")
@click.option("--step", type=int, default=0, show_default=True, help="after so many training steps")
@click.option("--nudge", type=float, metavar="AMOUNT", help="move it by this amount and watch what moves")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@data_options("iris")
@network_options
@click.option("--batch", type=int, help="rows per step [default: all]")
@optimizer_options
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, batches and random data")
@click.option("--json", "as_json", is_flag=True)
def explain_command(**options: Any) -> None:
    """Explain the derivative of the loss by REFERENCE, path by path.

    REFERENCE is a weight (w_21^(1) or W1[2,1]), a bias (b2[1]), an input (x3) or the output of a neuron (O21), counted
    from 1. MODEL is layer sizes, 4-3-2-1 by default, a network by name, or a .toml file.
    """
    from harness.cli.explaining import explain_and_print

    sys.exit(explain_and_print(**options))


@click.command("why", short_help="where the allowance of an entry comes from, term by term")
@click.argument("entry")
@click.argument("model", default="4-3-2-1")
@data_options("iris")
@network_options
@optimizer_options
@click.option("--step", type=int, default=1, show_default=True, help="step of a run; 1 is before any update")
@click.option("--batch", type=int, help="rows per step [default: all]")
@dtype_option("float64")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def why_command(entry: str, **options: Any) -> None:
    """Split the allowance of ENTRY (dW1[3,2], dz2[5,1], loss; counted from 1) into what each link contributes."""
    from harness.cli.explaining import why_and_print

    sys.exit(why_and_print(entry, **options))
