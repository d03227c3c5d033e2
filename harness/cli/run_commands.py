"""Commands about a run in lockstep, many of them, and what a comparison would miss."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli.group import (
    DATA_HELP,
    answer_options,
    data_options,
    device_option,
    dtype_option,
    network_options,
    optimizer_options,
)
from harness.formats import DTYPES


@click.command("run", short_help="train in lockstep, compare, tabulate")
@click.argument("model", default="4-3-2-1")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@data_options("iris")
@network_options
@click.option("--steps", type=int, help="weight updates [default: 200]")
@click.option("--epochs", type=int, help="passes over the data, instead of --steps")
@click.option("--batch", type=int, help="rows per step [default: all]")
@dtype_option("float32")
@device_option
@optimizer_options
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, batches and random data")
@click.option("--check-every", type=int, help="compare every N-th step, the first and the last only")
@click.option("--check", type=click.Choice(["schedule", "full"]), default="schedule", show_default=True)
@click.option("--exact", is_flag=True, help="judge by the true gradient at steps 1, 2, 4, 8, ...; tell true errors")
@click.option("--free-run", is_flag=True, help="each follows its own updates; report the drift")
@click.option("--output", help="write the run record (JSON lines) to a new file")
@answer_options("table", "markdown", "json", "jsonl", "github", verbose="every tensor, and the assumptions")
def run_command(**options: Any) -> None:
    """Train MODEL in lockstep and tabulate the differences.

    MODEL is layer sizes, 4-3-2-1 by default, a network by name, with options or without them
    (gpt:layers=2,heads=2,width=32,context=32, on --data text:FILE), or a .toml file.
    """
    from harness.cli.running import run_and_print

    sys.exit(run_and_print(**options))


@click.command("sweep", short_help="many runs, on this machine or a Dask cluster")
@click.argument("matrix", metavar="FILE.toml")
@click.option("--output", metavar="FOLDER", help="of the records [default: the file's name without .toml, here]")
@click.option("--jobs", type=int, help="runs at a time on this machine, which share its cores [default: one a core]")
@click.option("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, whose workers run: tcp://127.0.0.1:8786")
@click.option("--judge-apart", is_flag=True, help="with --scheduler: what one worker ran is judged by another")
@click.option("--up-to", type=int, default=10_000, show_default=True, help="runs that start without a word")
@click.option("--report", metavar="FILE.html", help="write the summary as one page")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option("--require-power", is_flag=True, help="exit with 4 where a gradient of a run is not judged with power")
@click.option("--quiet", is_flag=True, help="the verdict line only")
def sweep_command(**options: Any) -> None:
    """Run every run that FILE.toml describes, keep a record of each, and tabulate the verdicts.

    Keys are options of `harness run` by their names, network for MODEL; where one is a list, there is a run for each
    value of each. Tables [[matrix]] are products of their own, with what stands above them in all of them. The same
    command goes on where it was interrupted or killed.
    """
    from harness.cli.sweeping import sweep_and_print

    sys.exit(sweep_and_print(**options))


@click.command("power", short_help="which planted faults a comparison, or a test of yours, would miss")
@click.argument("model", required=False)
@click.option("--of", metavar="TEST", help="score this test instead, FILE::NAME as pytest names it")
@click.option("--target", help="with --of: module:function to plant mutants in; else the target column of a CSV file")
@click.option("--timeout", type=float, help="with --of: seconds for each mutant [default: ten times the test's own]")
@click.option("--against", help="implementations whose own checks are asked, comma-separated [default: all installed]")
@click.option("--data", help=f"{DATA_HELP} [default: iris]")
@click.option("--raw", is_flag=True, help="do not standardise the features")
@network_options
@click.option("--batch", type=int, help="rows [default: all]")
@click.option("--dtype", help=f"{', '.join(DTYPES)} [default: float32]")
@click.option("--seed", type=int, help="of weights, batches and random data [default: 0]")
@click.option("--json", "as_json", is_flag=True)
@click.option("--require-power", is_flag=True, help="exit with 4 where a fault or a mutant is missed")
def power_command(**options: Any) -> None:
    """Plant faults, and say which of them are missed.

    Of a comparison: every fault of the catalogue at every link of MODEL's hand backward (4-3-2-1 by default), beside
    what torch.testing.assert_close, np.allclose, gradcheck and check_grads would miss. Of a test, with --of: small
    mistakes in the function that --target names, the backward rules of impls.hand if none.
    """
    from harness.cli.running import power_and_print

    sys.exit(power_and_print(**options))
