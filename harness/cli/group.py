"""The command ``harness`` as a group: its own commands, those of other packages, and options that several share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from typing import Any, TypeVar

import click

from harness.formats import DTYPES

COMMANDS_GROUP = "harness.commands"


class ClosedPipeError(Exception):
    """Nobody reads any more what a command prints."""


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ClosedPipeError from None


class Commands(click.Group):
    """Own commands, and those that packages register in the entry-point group ``harness.commands``."""

    # Where the pipe is closed click itself would end with status 1, which means a mismatch.

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """As click's; help is printed here."""
        with _told_apart():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """As click's; wrong usage of any command is told here."""
        from harness.cli.terminal import complain
        from harness.usage import UsageError

        with _told_apart():
            try:
                return super().invoke(ctx)
            except UsageError as error:
                sys.exit(complain(f"harness {ctx.invoked_subcommand}", error))

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
  harness sweep nightly.toml --jobs 8          many runs: every combination that a file lists
  harness explain "w_21^(1)" --sample 0        one derivative, path by path
  harness check my_nn.py:backward              somebody's backward pass: the first wrong link, and its cause
  harness check my_nn.py:step --update --lr 0.1        a step that hands over no gradients
  harness check my_adam.py:step --optimizer adam       an optimizer of one's own
  harness check my_chain.py --chain            a forward pass with names, a gradient by hand for each
  harness program train_step.py:build          an unmodified torch module or JAX function, operation by operation
  harness compare-programs a.py:build b.py:build       a port, a compiled program: the same function?
  harness tolerance assert-close --on "matmul(64, 1024, 32)"  what a tolerance lets pass, and a derived one
  harness why "dW1[3,2]"                       where an allowance comes from
  harness template 4-3-2-1 -o dump.npz         a file to fill with gradients from elsewhere
  harness report run.jsonl -o report.html      a recorded run as one page
  harness power                                which planted faults would this comparison miss?
  harness power --of tests/test_mine.py::test_gradient --target mypackage.module:backward
  harness implementations                      what is installed
  harness conventions                          what is chosen at kinks, at ties and by default
  harness calibrate                            elementary functions against the constants table
  harness doctor                               versions, threads, precision settings
"""


@click.group(cls=Commands, help=f"{EXAMPLES}\nDo hand-written and automatic gradients agree up to rounding?")
@click.version_option(version("backprop-harness"), prog_name="backprop-harness")
def harness() -> None:
    """Group of all commands; its help is given above."""


_Command = TypeVar("_Command", bound=Callable[..., Any])


def device_option(command: _Command) -> _Command:
    """--device: cpu, or a CUDA device."""
    return click.option(
        "--device", default="cpu", show_default=True, help="where torch and JAX compute: cpu, cuda, cuda:1, ..."
    )(command)


OF_A_NETWORK = ("activation", "output_activation", "loss", "l2", "l1")
"""Options of `network_options`, which `load_network` takes."""

DATA_HELP = "iris, digits, diabetes, wine, breast_cancer, random, text:FILE, a .csv or an .npz file"


# The names of impls.hand.notation, which is not imported for the help alone; a test compares them.
class Listing(click.Option):
    """An option whose help lists names of the hand code, which is loaded when the help is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The usual record, with {activations}, {losses} and {optimizers} replaced by their names."""
        from impls.hand import notation

        tables = {"activations": notation.ACTIVATIONS, "losses": notation.LOSSES, "optimizers": notation.OPTIMIZERS}
        self.help = (self.help or "").format(**{name: ", ".join(table) for name, table in tables.items()})
        return super().get_help_record(ctx)


def network_options(command: _Command) -> _Command:
    """--activation, --output-activation, --loss, --l2 and --l1 of a model that is given as layer sizes."""
    return _with(
        command,
        click.option(
            "--activation",
            cls=Listing,
            help="of the hidden layers: {activations}; parameters in brackets, elu(alpha=0.5) [default: sigmoid]",
        ),
        click.option("--output-activation", help="of the last layer [default: what the loss needs, else --activation]"),
        click.option(
            "--loss",
            cls=Listing,
            help='{losses}; any of them scaled, "huber(by=0.5)" [default: sum-squared-error]',
        ),
        click.option("--l2", type=float, help="add this times the sum of w^2 over all weights but biases to the loss"),
        click.option(
            "--l1",
            type=float,
            help='the same of |w|; with 1/2, over N, biases too: --loss "huber(l2=0.1, '
            'half=True, mean=True, biases=True)"',
        ),
    )


def dtype_option(default: str) -> Callable[[_Command], _Command]:
    """--dtype, one of those that there are bounds for."""
    others = ", ".join([default, *(name for name in DTYPES if name != default)])
    return click.option("--dtype", default=default, show_default=True, help=others)


def data_options(default: str) -> Callable[[_Command], _Command]:
    """--data, with what is used where none is given, a name or words, --target and --raw."""
    given: dict[str, Any] = (
        {"default": default, "show_default": True} if default.isalpha() else {"show_default": default}
    )

    def decorate(command: _Command) -> _Command:
        return _with(
            command,
            click.option("--data", help=DATA_HELP, **given),
            click.option("--target", help="target column of a CSV file with a header [default: the last]"),
            click.option("--raw", is_flag=True, help="do not standardise the features"),
        )

    return decorate


def optimizer_options(command: _Command) -> _Command:
    """--optimizer and --lr."""
    return _with(
        command,
        click.option("--optimizer", default="gradient-descent", show_default=True, cls=Listing, help="{optimizers}"),
        click.option("--lr", type=float, help="learning rate [default: the optimizer's]"),
    )


def answer_options(*styles: str, verbose: str) -> Callable[[_Command], _Command]:
    """--report, --format of these styles, --json, --require-power, --quiet and --verbose of a verdict."""

    def decorate(command: _Command) -> _Command:
        return _with(
            command,
            click.option("--report", metavar="FILE.html", help="write the result as one page"),
            click.option("--format", "style", type=click.Choice(styles)),
            click.option("--json", "as_json", is_flag=True, help="the same as --format json"),
            click.option("--require-power", is_flag=True, help="exit with 4 where a gradient is not judged with power"),
            click.option("--quiet", is_flag=True, help="the verdict line only"),
            click.option("--verbose", is_flag=True, help=verbose),
        )

    return decorate


def _with(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    """The command with options, which its help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command
