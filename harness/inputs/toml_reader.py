"""Reading a network from what TOML holds: strict, with every complaint naming the source and the place in it.

Nothing here lists the keys of a layer or a loss: names, usual values and types are read off the constructors, so that
a file and a call in Python take the same and make the same. Whatever a constructor does not take is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Any

import msgspec

from harness.usage import UsageError
from impls.graph import Graph, Input, Node, node
from impls.hand import Network, Scaled
from impls.hand.notation import ACTIVATIONS, LARGEST_LAYER, LAYERS, LOSSES_IN_TEXT
from impls.hand.parsing import lookup, parsed

KINDS: Mapping[str, Mapping[str, Any]] = {
    "layer": {"dense": LAYERS["dense"], **ACTIVATIONS},
    "node layer": {**LAYERS, **ACTIVATIONS},
    "loss": {**LOSSES_IN_TEXT, "scaled": Scaled},
}
"""What a layer of a chain, the layer of a node, and a loss may be called."""


class Reader:
    """From what TOML holds to parts of a network; every complaint names the source and the place in it."""

    def __init__(self, source: str) -> None:
        self.source = source

    def network(self, held: Mapping[str, Any]) -> Graph:
        """The network of a whole text: a graph where it has nodes, else a chain of layers."""
        if "nodes" not in held:
            return self.made("", "network", Network, held)
        return self.made("", "graph", self._graph, held)

    def _graph(self, inputs: dict[str, Any], nodes: list[Any], loss: Any, output: str) -> Graph:
        sources = [self.source_of(f"inputs.{_shown(name)}", name, value) for name, value in inputs.items()]
        return Graph(sources, [self.node(f"nodes[{i}]", each) for i, each in enumerate(nodes)], loss, output)

    def source_of(self, at: str, name: str, value: Any) -> Input:
        """An input: the size of a row, its shape, or a table of shape, choices and gradient."""
        value = self.typed(at, int | list[int] | dict[str, Any], value)
        given = value if isinstance(value, dict) else {"shape": value}
        if "name" in given:
            raise self.refused(at, "an input has its name in front", "leave name out")

        def made(shape: int | list[int], choices: int = 0, gradient: bool = False, keep: float = 0.0) -> Input:
            return Input(name, shape if isinstance(shape, int) else tuple(shape), choices, gradient, keep)

        return self.made(at, "input", made, given)

    def node(self, at: str, value: Any) -> Node:
        """A node: its name, what it reads, which weights it shares, and the kind and parameters of its layer."""
        given = dict(self.typed(at, dict[str, Any], value))
        for key in ("name", "reads"):
            if key not in given:
                raise self.refused(at, f"its {key} is missing", f"write {key} = ... there")
        name = self.typed(f"{at}.name", str, given.pop("name"))
        reads = self.typed(f"{at}.reads", str | list[str], given.pop("reads"))
        shares = self.typed(f"{at}.shares", dict[str, str], given.pop("shares", {}))
        layer = self.part(at, "node layer", given)
        return node(name, layer, *([reads] if isinstance(reads, str) else reads), **shares)

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
        except UsageError:  # which knows its place
            raise
        except ValueError as error:
            raise self.passed_on(at, error) from None

    def value(self, at: str, key: str, parameter: Parameter, value: Any) -> Any:
        """The value of one parameter: parts under ``layers`` and ``loss``, else what its annotation says."""
        if key == "layers":
            return [self.part(f"{at}[{i}]", "layer", each) for i, each in enumerate(self.typed(at, list, value))]
        if key == "loss":
            return self.part(at, "loss", value)
        if key in ("inputs", "nodes") and parameter.annotation is not int:
            return self.typed(at, dict[str, Any] if key == "inputs" else list, value)
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
