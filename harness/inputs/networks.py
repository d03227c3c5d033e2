"""Networks from text: layer sizes such as ``4-3-2-1``, or a TOML file that lists the layers and names the loss.

    loss = { kind = "huber", delta = 0.5 }

    [[layers]]
    kind = "dense"
    inputs = 4
    outputs = 3
    bias = false

    [[layers]]
    kind = "leaky-relu"

A layer or a loss is a table: its ``kind`` is a name of `impls.hand.notation`, or ``dense``, or ``scaled`` (a loss
times a constant), and its other keys are the parameters of that class's constructor, which may be left out where
they have a usual value. Or it is a string, the same in the text form: ``"leaky-relu(slope=0.1)"``.

A graph says what it is fed, its nodes in an order in which each reads what those before give, and what the loss reads:

    loss = "mean-squared-error"
    output = "sum.s"

    [inputs]
    x = 4
    k = { shape = [], choices = 5 }         # one whole number from 0 to 4 in each row

    [[nodes]]
    name = "fc1"
    reads = "x"
    kind = "dense"
    inputs = 4
    outputs = 6

    [[nodes]]
    name = "sum"
    reads = ["fc1.z", "emb.e"]
    kind = "add"

A node may share weights of another: ``shares = { W = "fc1.W" }``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from harness.inputs.toml_reader import Reader
from harness.usage import UsageError, reason
from impls.graph import Graph
from impls.hand import from_text

LARGEST_FILE = 1_000_000
"""Bytes: several times what a network of a thousand layers takes."""


def load_network(
    source: str | os.PathLike[str],
    *,
    activation: str | None = None,
    output_activation: str | None = None,
    loss: str | None = None,
) -> Graph:
    """The network that layer sizes describe, or the one in the .toml file of that path.

    Args:
        source: layer sizes, such as 4-3-2-1, or a path that ends in .toml.
        activation, output_activation, loss: what layer sizes leave open, see `impls.hand.from_text`; a file says
            it itself.

    Raises:
        UsageError: it is neither, or cannot be read or used; file and place in it are named.
    """
    name = os.fspath(source)
    choices = {"activation": activation, "output_activation": output_activation, "loss": loss}
    given = {key: value for key, value in choices.items() if value is not None}
    if Path(name).suffix.lower() != ".toml":
        try:
            return from_text(name, **given)
        except ValueError as error:
            hint = " A file must end in .toml." if name.strip("0123456789-") else ""
            raise UsageError(f"{error}{hint}") from None
    if given:
        told = " and ".join(f"{key}={value!r}" for key, value in given.items())
        raise UsageError(
            f"Cannot use {told} with {name}, because the file itself says what its layers and its loss are; "
            f"leave it out, or change the file."
        )
    return from_toml(_text_of(name), source=name)


def from_toml(text: str, *, source: str = "the TOML text") -> Graph:
    r"""The network that TOML text describes; `source` is what messages call the text.

    >>> from_toml('loss = "cross-entropy" \nlayers = ["dense(inputs=4, outputs=3)", {kind = "elu", alpha = 2}]')
    Network([Dense(4, 3), Elu(alpha=2.0)], SoftmaxCrossEntropy())

    Raises:
        UsageError: it is no TOML, or describes no network; the place is named.
    """
    try:
        return Reader(source).network(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        problem, instead = f"it is not TOML: {error}", "correct it there"
    except RecursionError:
        problem, instead = "its values are nested too deeply", "list the layers one after another"
    except UsageError:
        raise
    except ValueError:  # tomllib passes on what Python says of a number with thousands of digits
        problem, instead = "a number in it is too long", "write it with fewer digits"
    raise UsageError(f"Cannot read {source}, because {problem}; {instead}.")


def _text_of(path: str) -> str:
    """The text of a file, UTF-8 with or without a byte-order mark."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) <= LARGEST_FILE:
            return content.decode("utf-8-sig")
        problem, instead = f"it holds more than {LARGEST_FILE:,} bytes", "give the description of a network"
    except UnicodeDecodeError as error:
        problem, instead = f"byte {error.start} is not text in UTF-8", "save it as text in UTF-8"
    except (OSError, ValueError) as error:
        problem, instead = reason(error), "give a TOML file that can be read"
    raise UsageError(f"Cannot read {path}, because {problem}; {instead}.")
