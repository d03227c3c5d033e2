"""The command ``harness``; whatever a command needs is imported when that command runs."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import entry_points, version
from typing import Any

import click

from harness.cli.options import DATA_HELP, data_options, network_options, optimizer_options
from harness.usage import reason, visible

COMMANDS_GROUP = "harness.commands"


class Commands(click.Group):
    """Own commands, and those that packages register in the entry-point group ``harness.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Own commands in order, then others by name."""
        own = list(self.commands)
        return own + sorted({point.name for point in entry_points(group=COMMANDS_GROUP)} - set(own))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now if another package has it."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for point in entry_points(group=COMMANDS_GROUP):
            if point.name == cmd_name:
                return point.load()
        return None


EXAMPLES = """
\b
Examples:
  harness run                                  4-3-2-1 on iris against all installed frameworks
  harness run 64-128-64-10 --data digits --activation relu --loss cross-entropy --batch 128
  harness run --exact                          against the true gradient, in ball arithmetic
  harness run --free-run                       each follows its own updates
  harness run net.toml                         the layers and the loss that a file lists
  harness run --optimizer adam --dtype float64 --output run.jsonl
  harness explain "w_21^(1)" --sample 0        one derivative, path by path
  harness check my_nn.py:backward              somebody's backward pass: the first wrong link, and its cause
  harness why "dW1[3,2]"                       where an allowance comes from
  harness template 4-3-2-1 -o dump.npz         a file to fill with gradients from elsewhere
  harness implementations                      what is installed
  harness conventions                          what is chosen at kinks, at ties and by default
  harness calibrate                            elementary functions against the constants table
  harness doctor                               versions, threads, precision settings
"""


@click.group(cls=Commands, help=f"{EXAMPLES}\nDo hand-written and automatic gradients agree up to rounding?")
@click.version_option(version("backprop-harness"), prog_name="backprop-harness")
def harness() -> None:
    """Group of all commands; its help is given above."""


@harness.command("run", short_help="train in lockstep, compare, tabulate")
@click.argument("model", default="4-3-2-1")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@data_options("iris")
@network_options
@click.option("--steps", type=int, help="weight updates [default: 200]")
@click.option("--epochs", type=int, help="passes over the data, instead of --steps")
@click.option("--batch", type=int, help="rows per step [default: all]")
@click.option("--dtype", default="float32", show_default=True, help="float32 or float64")
@optimizer_options
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, batches and random data")
@click.option("--check-every", type=int, help="compare every N-th step, the first and the last only")
@click.option("--check", type=click.Choice(["schedule", "full"]), default="schedule", show_default=True)
@click.option("--exact", is_flag=True, help="judge by the true gradient at steps 1, 2, 4, 8, ...; tell true errors")
@click.option("--free-run", is_flag=True, help="each follows its own updates; report the drift")
@click.option("--output", help="write the run record (JSON lines) to a new file")
@click.option("--report", metavar="FILE.html", help="write the result as one page")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json", "jsonl", "github"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option("--require-power", is_flag=True, help="exit with 4 where a gradient is not judged with power")
@click.option("--quiet", is_flag=True, help="the verdict line only")
@click.option("--verbose", is_flag=True, help="every tensor, and the assumptions")
def run_command(**options: Any) -> None:
    """Train MODEL (layer sizes, 4-3-2-1 by default, or a .toml file) in lockstep and tabulate the differences."""
    from harness.cli.running import run_and_print

    sys.exit(run_and_print(**options))


@harness.command("check", short_help="somebody's backward pass: find and name the first wrong link")
@click.argument("target")
@click.option("--model", default="4-3-2-1", show_default=True, help="layer sizes or a .toml file")
@click.option("--data", help=f"{DATA_HELP} [default: iris, or random where it does not fit]")
@click.option("--column", "target_column", help="target column of a CSV file with a header [default: the last]")
@click.option("--raw", is_flag=True, help="do not standardise the features")
@network_options
@click.option("--batch", type=int, help="rows [default: all]")
@click.option("--dtype", default="float64", show_default=True, help="float64 or float32")
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, rows and random data")
@click.option("--arrays", help="numpy, torch or jax: what the function is given [default: what its code uses]")
@click.option("--timeout", type=float, default=60, show_default=True, help="seconds for loading, and for each call")
@click.option("--report", metavar="FILE.html", help="write the result as one page")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json", "github"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option("--require-power", is_flag=True, help="exit with 4 where a gradient is not judged with power")
@click.option("--quiet", is_flag=True, help="the verdict line only")
@click.option("--verbose", is_flag=True, help="also every link by itself, and the environment")
def check_command(**options: Any) -> None:
    """Check a backward pass: find the first wrong link, name the mistake.

    TARGET is FILE.py:function, package.module:function, or an .npz or .safetensors file with weights, x, y and
    gradients. The file or module is run, as importing it would: check only code that you would run. The function is
    called as backward(weights, x, y) and returns a dictionary of any of dW1, db1, dz1, da1, ..., z1, a1, ..., loss.
    """
    from harness.cli.checking import check_and_print

    sys.exit(check_and_print(**options))


@harness.command("explain", short_help="one derivative, path by path")
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
    from 1. MODEL is layer sizes, 4-3-2-1 by default, or a .toml file.
    """
    from harness.cli.explaining import explain_and_print

    sys.exit(explain_and_print(**options))


@harness.command("why", short_help="where the allowance of an entry comes from, term by term")
@click.argument("entry")
@click.argument("model", default="4-3-2-1")
@data_options("iris")
@network_options
@optimizer_options
@click.option("--step", type=int, default=1, show_default=True, help="step of a run; 1 is before any update")
@click.option("--batch", type=int, help="rows per step [default: all]")
@click.option("--dtype", default="float64", show_default=True, help="float64 or float32")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def why_command(entry: str, **options: Any) -> None:
    """Split the allowance of ENTRY (dW1[3,2], dz2[5,1], loss; counted from 1) into what each link contributes."""
    from harness.cli.asking import why_and_print

    sys.exit(why_and_print(entry, **options))


@harness.command("template", short_help="a file to fill with gradients from elsewhere, for harness check")
@click.argument("model", default="4-3-2-1")
@click.option("-o", "--output", required=True, help="a new .npz or .safetensors file")
@click.option("--rows", type=int, default=16, show_default=True, help="of the batch")
@click.option("--seed", type=int, default=0, show_default=True, help="of weights, rows and random data")
@click.option("--dtype", default="float64", show_default=True, help="float64 or float32")
@data_options("random")
@network_options
def template_command(**options: Any) -> None:
    """Write a dump of MODEL to fill: weights and a batch to compute with, and NaN where the gradients go."""
    from harness.cli.templating import template_and_print

    sys.exit(template_and_print(**options))


@harness.command("implementations", short_help="what is installed, versions, dtypes, conformance")
@click.option("--json", "as_json", is_flag=True)
def implementations_command(as_json: bool) -> None:
    """List every implementation with its version, and try each on a tiny network."""
    from harness.cli.installed import print_implementations

    sys.exit(print_implementations(as_json))


@harness.command("calibrate", short_help="elementary functions of what is installed against the constants table")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@click.option("--function", help="elementary functions, comma-separated [default: all]")
@click.option("--dtype", help="float32, float64 [default: both]")
@click.option("--exhaustive", is_flag=True, help="every float32 number instead of a sample; minutes per function")
@click.option("--seed", type=int, default=0, show_default=True, help="of the sample")
@click.option("--json", "as_json", is_flag=True)
def calibrate_command(**options: Any) -> None:
    """Measure how far exp, tanh, ... of the installed libraries are from the truth on this machine."""
    from harness.cli.calibrating import calibrate_and_print

    sys.exit(calibrate_and_print(**options))


@harness.command("conventions", short_help="what implementations choose at kinks, at ties and by default")
@click.option("--against", help="implementations besides hand, comma-separated [default: all installed]")
@click.option("--dtype", default="float64", show_default=True, help="float64 or float32")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
def conventions_command(**options: Any) -> None:
    """Measure derivatives at kinks, ties and singular points, and defaults, of what is installed."""
    from harness.cli.choosing import conventions_and_print

    sys.exit(conventions_and_print(**options))


@harness.command("doctor", short_help="versions, BLAS, threads, float64 mode, matmul precision")
@click.option("--json", "as_json", is_flag=True)
def doctor_command(as_json: bool) -> None:
    """Print what may change numbers on this machine."""
    from harness.cli.installed import print_doctor

    sys.exit(print_doctor(as_json))


def _let_idle_threads_sleep() -> None:
    """Ask the thread pools of NumPy and torch not to spin while they have nothing to do, unless told otherwise.

    Several pools on few cores take each other's cores that way. Libraries read this when they are loaded; it
    changes no thread count and no number.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # in powers of two of processor cycles


def main() -> None:
    """Run the command line; wrong usage, an interrupt and a closed pipe end without a traceback."""
    _let_idle_threads_sleep()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where it cannot encode a character, ? stands in its place
            stream.reconfigure(errors="replace")
    try:
        sys.exit(harness(standalone_mode=False))
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        click.echo("\n".join(map(visible, told.getvalue().rstrip().split("\n"))), err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except MemoryError as error:
        click.echo(f"Cannot go on, because memory is short ({error}); choose a smaller model or batch.", err=True)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)  # as if ended by SIGPIPE, and no verdict
    except OSError as error:
        click.echo(f"Cannot go on, because {reason(error)}; what was written before stays.", err=True)
        sys.exit(2)
