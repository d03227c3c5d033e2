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

Nothing here lists those keys: names, usual values and types are read off the constructors, so that a file and a
call in Python take the same and make the same. Whatever a constructor does not take is refused.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import msgspec

from harness.usage import UsageError, reason
from impls.graph import Graph
from impls.hand import Dense, Network, Scaled, from_text
from impls.hand.notation import ACTIVATIONS, LARGEST_LAYER, LOSSES, lookup, parsed

KINDS: Mapping[str, Mapping[str, Any]] = {
    "layer": {"dense": Dense, **ACTIVATIONS},
    "loss": {**LOSSES, "scaled": Scaled},
}
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
        return _Reader(source).made("", "network", Network, tomllib.loads(text))
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

    >>> from impls.hand import Sigmoid, SumSquaredError
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
    loss = _table("loss", network.loss)
    lines = [f"loss = {_toml(loss if len(loss) > 1 else loss['kind'])}"]
    for layer in network.layers:
        lines += ["", "[[layers]]"] + [f"{key} = {_toml(value)}" for key, value in _table("layer", layer).items()]
    return "\n".join([*lines, ""])


class _Reader:
    """From what TOML holds to parts of a network; every complaint names the source and the place in it."""

    def __init__(self, source: str) -> None:
        self.source = source

    def part(self, at: str, what: str, value: Any) -> Any:
        """A layer or a loss, from its table or its text form."""
        value = self.typed(at, str | dict, value)
        if isinstance(value, str):
            named = at
            try:
                kind, given = parsed(what, value)
            except ValueError as error:
                raise self.passed_on(at, error) from None
        else:
            named, given = f"{at}.kind", dict(value)
            if "kind" not in given:
                raise self.refused(at, "its kind is missing", f"write kind = one of {', '.join(KINDS[what])}")
            kind = self.typed(named, str, given.pop("kind"))
        return self.made(at, kind, self.known(named, what, KINDS[what], kind), given)

    def made(self, at: str, name: str, constructor: Any, given: Mapping[str, Any]) -> Any:
        """What the constructor makes of its own parameters, all that it needs and no others."""
        takes = signature(constructor, eval_str=True).parameters
        values = {}
        for key, value in given.items():
            place = ".".join(filter(None, [at, _shown(key)]))
            if not takes:
                raise self.refused(place, f"{name} has no parameters", "leave it out")
            values[key] = self.value(place, key, self.known(place, f"{name} key", takes, key), value)
        for key, parameter in takes.items():
            if key not in given and parameter.default is parameter.empty:
                raise self.refused(at, f"{key} is missing", f"write {key} = ... there")
        try:
            return constructor(**values)
        except ValueError as error:
            raise self.passed_on(at, error) from None

    def value(self, at: str, key: str, parameter: Parameter, value: Any) -> Any:
        """The value of one parameter: parts under ``layers`` and ``loss``, else what its annotation says."""
        if key == "layers":
            return [self.part(f"{at}[{i}]", "layer", each) for i, each in enumerate(self.typed(at, list, value))]
        if key == "loss":
            return self.part(at, "loss", value)
        value = self.typed(at, parameter.annotation, value)
        if parameter.annotation is int and value > LARGEST_LAYER:
            raise self.refused(at, "it is above what is possible", f"give a whole number up to {LARGEST_LAYER}")
        return value

    def typed(self, at: str, annotation: Any, value: Any) -> Any:
        """The value, of exactly the type that is wanted; a whole number will do for a float."""
        try:
            return msgspec.convert(value, annotation)
        except msgspec.ValidationError as error:
            said = str(error).replace("`", "").replace("object", "table").replace(" | null", "")
            why = f"its value is none that can stand there: {said[0].lower()}{said[1:]}"
            raise self.refused(at, why, "correct it") from None

    def known(self, at: str, what: str, names: Mapping[str, Any], name: str) -> Any:
        """The entry of that name."""
        try:
            return lookup(what, names, name)
        except ValueError as error:
            raise self.passed_on(at, error) from None

    def refused(self, at: str, why: str, instead: str) -> UsageError:
        """The complaint about a place; the whole text is no place."""
        return UsageError(f"Cannot read {self.source}{f' at {at}' if at else ''}, because {why}; {instead}.")

    def passed_on(self, at: str, error: ValueError) -> UsageError:
        """The complaint "Cannot ..., because ...; ..." of somebody who does not know the place."""
        said = str(error)
        return UsageError(f"Cannot read {self.source}{f' at {at}' if at else ''}: {said[0].lower()}{said[1:]}")


def _shown(key: str) -> str:
    """A key as TOML writes it: bare, or in quotes."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", key) else repr(key[:80])


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


def _table(what: str, part: Any) -> dict[str, Any]:
    """Kind and parameters of a layer or a loss; TOML has no None, which is always the usual value."""
    name = next((name for name, kind in KINDS[what].items() if type(part) is kind), None)
    if name is None:
        raise UsageError(
            f"Cannot write the {what} {part!r} as TOML, because it has no name there; use one of "
            f"{', '.join(KINDS[what])}."
        )
    given = {key: getattr(part, key) for key in signature(type(part)).parameters}
    if "loss" in given:
        given["loss"] = _table("loss", given["loss"])
    return {"kind": name} | {key: value for key, value in given.items() if value is not None}


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(each)}' for key, each in value.items())} }}"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)
