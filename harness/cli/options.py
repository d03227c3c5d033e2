"""Options that several commands share: of the network, of the data, of the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from harness.formats import DTYPES

_Command = TypeVar("_Command", bound=Callable[..., Any])

DATA_HELP = "iris, digits, diabetes, wine, breast_cancer, random, a .csv or an .npz file"


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
    """--activation, --output-activation and --loss of a model that is given as layer sizes."""
    return _with(
        command,
        click.option(
            "--activation",
            cls=Listing,
            help="of the hidden layers: {activations}; parameters in brackets, elu(alpha=0.5) [default: sigmoid]",
        ),
        click.option("--output-activation", help="of the last layer [default: what the loss needs, else --activation]"),
        click.option("--loss", cls=Listing, help="{losses} [default: sum-squared-error]"),
    )


def dtype_option(default: str) -> Callable[[_Command], _Command]:
    """--dtype, one of those that there are bounds for."""
    others = " or ".join([default, *(name for name in DTYPES if name != default)])
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


def _with(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    """The command with options, which its help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command
