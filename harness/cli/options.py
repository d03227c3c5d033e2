"""Options that several commands share: of the network, of the data, of the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

DATA_HELP = "iris, digits, diabetes, wine, breast_cancer, random, a .csv or an .npz file"

# The names of impls.hand.notation, which is not imported for the help alone; a test compares them.
ACTIVATIONS = (
    "sigmoid, tanh, relu, leaky-relu, elu, softplus, silu, gelu, gelu-tanh, hard-sigmoid, softmax, identity; "
    "parameters in brackets, elu(alpha=0.5)"
)
LOSSES = (
    "sum-squared-error, mean-squared-error, huber, mean-absolute-error, binary-cross-entropy, "
    "binary-cross-entropy-on-logits, cross-entropy, one-hot-cross-entropy"
)
OPTIMIZERS = "gradient-descent, momentum, nesterov, adagrad, rmsprop, adam, adamw"


def network_options(command: _Command) -> _Command:
    """--activation, --output-activation and --loss of a model that is given as layer sizes."""
    return _with(
        command,
        click.option("--activation", help=f"of the hidden layers: {ACTIVATIONS} [default: sigmoid]"),
        click.option("--output-activation", help="of the last layer [default: what the loss needs, else --activation]"),
        click.option("--loss", help=f"{LOSSES} [default: sum-squared-error]"),
    )


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
        click.option("--optimizer", default="gradient-descent", show_default=True, help=OPTIMIZERS),
        click.option("--lr", type=float, help="learning rate [default: the optimizer's]"),
    )


def _with(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    """The command with options, which its help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command
