"""Networks from and as text: layer sizes such as ``4-3-2-1``, or a TOML file that lists the layers and names the loss.

    loss = { kind = "huber", delta = 0.5 }

    [[layers]]
    kind = "dense"
    inputs = 4
    outputs = 3
    bias = false

    [[layers]]
    kind = "leaky-relu"

A layer or a loss is a table: its ``kind`` is a name of `impls.hand.notation`, or ``dense``, and its other keys are the
parameters of that class's constructor, which may be left out where they have a usual value; of a loss also ``by``, a
constant that scales it, and ``l2``, ``l1``, ``half``, ``mean`` and ``biases``, a penalty that is added. Or it is a
string, the same in the text form: ``"leaky-relu(slope=0.1)"``. A loss may be of the kind ``scaled``, too, with ``by``
and the ``loss``.

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

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from harness.inputs.datasets import Data
from harness.inputs.datasets.text import offered
from harness.inputs.plain import as_path, as_text, refused, shown, text_at
from harness.inputs.toml_reader import KINDS, Reader
from harness.usage import UsageError
from impls.graph import Graph, Input, Node
from impls.hand import Network, from_text
from impls.hand.losses.scaled import taken_apart
from impls.hand.named import is_named, named
from impls.hand.notation import LOSSES
from impls.hand.parts import Parametrised

LARGEST_FILE = 1_000_000
"""Bytes: several times what a network of a thousand layers takes."""


Given = ParamSpec("Given")
Made = TypeVar("Made")


def of_a_network(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """A function that takes a network: of an argument that says one, and that it does not have, it tells how.

    Raises:
        TypeError: there is such an argument.
    """
    taken, says = signature(function).parameters, signature(load_network).parameters

    @wraps(function)
    def called(*given: Given.args, **named: Given.kwargs) -> Made:
        wrong = [name for name in named if name not in taken and name in says]
        if wrong:
            sizes = named.get("network", given[1] if len(given) > 1 else "4-3-2-1")
            said = ", ".join([shown(sizes), *(f"{name}={shown(named[name])}" for name in wrong)])
            raise TypeError(
                f"{function.__name__}() got an unexpected keyword argument {wrong[0]!r}, which belongs to the network; "
                f"give {function.__name__}(..., harness.load_network({said}))"
            )
        return function(*given, **named)

    return called


def load_network(
    source: str | os.PathLike[str],
    *,
    activation: str | None = None,
    output_activation: str | None = None,
    loss: str | None = None,
    l2: float | None = None,
    l1: float | None = None,
    data: Any = None,
) -> Graph:
    """The network that layer sizes describe, the one of a name, or the one in the .toml file of that path.

    Args:
        source: layer sizes, such as 4-3-2-1; a name, with options or without, such as gpt:layers=2,heads=2; or a path
            that ends in .toml.
        activation, output_activation, loss, l2, l1: what layer sizes leave open, see `impls.hand.from_text`; a name
            and a file say it themselves.
        data: what it is to be trained on, by name: a text says how many tokens there are.

    Raises:
        UsageError: it is neither, or cannot be read or used; file and place in it are named.
    """
    name = as_path("source", source)
    if not isinstance(data, str | os.PathLike | tuple | Data | None):
        raise refused("data", data, "it is neither a name, a path, a Data nor two arrays", "give (x, y)")
    texts = {"activation": activation, "output_activation": output_activation, "loss": loss}
    for key, value in texts.items():
        _ = None if value is None else as_text(key, value, "tanh" if key != "loss" else "huber")
    for key, weight in {"l2": l2, "l1": l1}.items():
        if not isinstance(weight, int | float | None):
            raise refused(key, weight, "it is no number", "give one, such as 0.01")
    choices = {**texts, "l2": l2, "l1": l1}
    given: dict[str, Any] = {key: value for key, value in choices.items() if value is not None}
    if Path(name).suffix.lower() != ".toml":
        if is_named(name):
            _refuse(given, name, "a network of that name says itself")
        try:
            return named(name, **offered(data)) if is_named(name) else from_text(name, **given)
        except UsageError:
            raise
        except ValueError as error:
            hint = " A file must end in .toml." if name.strip("0123456789-") and not is_named(name) else ""
            raise UsageError(f"{error}{hint}") from None
    _refuse(given, name, "the file itself says", ", or change the file")
    return from_toml(text_at(name, LARGEST_FILE, "TOML"), source=name)


def _refuse(given: Mapping[str, Any], name: str, who: str, instead: str = "") -> None:
    if given:
        told = " and ".join(f"{key}={value!r}" for key, value in given.items())
        raise UsageError(
            f"Cannot use {told} with {name}, because {who} what its layers and its loss are; leave it out{instead}."
        )


def from_toml(text: str, *, source: str = "the TOML text") -> Graph:
    r"""The network that TOML text describes; `source` is what messages call the text.

    >>> from_toml('loss = "cross-entropy" \nlayers = ["dense(inputs=4, outputs=3)", {kind = "elu", alpha = 2}]')
    Network([Dense(4, 3), Elu(alpha=2.0)], SoftmaxCrossEntropy())

    Raises:
        UsageError: it is no TOML, or describes no network; the place is named.
    """
    text, source = as_text("text", text, "what to_toml returns"), as_text("source", source, "the name of a file")
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


def to_toml(network: Graph) -> str:
    """The TOML text of a network: `from_toml` makes the same network from it.

    >>> from impls.hand import Dense, Sigmoid, SumSquaredError
    >>> print(to_toml(Network([Dense(4, 3), Sigmoid()], SumSquaredError())))
    loss = "sum-squared-error"
    <BLANKLINE>
    [[layers]]
    kind = "dense"
    inputs = 4
    outputs = 3
    bias = true
    <BLANKLINE>
    [[layers]]
    kind = "sigmoid"
    <BLANKLINE>

    Raises:
        UsageError: a layer or the loss has no name.
    """
    if not isinstance(network, Graph):
        raise refused("network", network, "it is no Network", "give one; load_network makes one of text")
    loss = _table("loss", network.loss)
    lines = [f"loss = {_toml(loss if len(loss) > 1 else loss['kind'])}"]
    if isinstance(network, Network):
        tables = [("[[layers]]", _table("layer", layer)) for layer in network.layers]
    else:
        lines.append(f"output = {_toml(network.output)}")
        tables = [("[inputs]", {source.name: _input(source) for source in network.sources})]
        tables += [("[[nodes]]", _node(each)) for each in network.nodes]
    for heading, table in tables:
        lines += ["", heading, *(f"{_key(key)} = {_toml(value)}" for key, value in table.items())]
    return "\n".join([*lines, ""])


def _input(source: Input) -> Any:
    shape = source.shape[0] if len(source.shape) == 1 else list(source.shape)
    more: dict[str, Any] = {"choices": source.choices} if source.choices else {}
    more |= {"gradient": True} if source.gradient else {}
    more |= {"keep": source.keep} if source.keep else {}
    return {"shape": shape, **more} if more else shape


def _node(each: Node) -> dict[str, Any]:
    reads = each.reads[0] if len(each.reads) == 1 else list(each.reads)
    shares = {"shares": dict(each.shares)} if each.shares else {}
    return {"name": each.name, "reads": reads, **shares, **_table("node layer", each.layer)}


def _table(what: str, part: Any) -> dict[str, Any]:
    """Kind and parameters of a layer or a loss, without those that are off: TOML has no None."""
    part, outer = taken_apart(part)
    name = next((name for name, kind in _CLASSES[what].items() if type(part) is kind), None)
    if name is None:
        raise UsageError(
            f"Cannot write the {what.removeprefix('node ')} {part!r} as TOML, because it has no name there; use one of "
            f"{', '.join(_CLASSES[what])}."
        )
    own = (
        part.parameters()
        if isinstance(part, Parametrised)
        else {k: getattr(part, k) for k in signature(type(part)).parameters}
    )
    return {"kind": name} | {key: value for key, value in {**own, **outer}.items() if value is not None}


_CLASSES = {**KINDS, "loss": LOSSES}


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)
