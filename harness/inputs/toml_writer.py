"""Writing a network as TOML, from which reading makes the same network."""

from __future__ import annotations

import json
from inspect import signature
from typing import Any

from harness.inputs.toml_reader import KINDS
from harness.usage import UsageError
from impls.graph import Graph, Input, Node
from impls.hand import Network


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
    more = {"choices": source.choices} if source.choices else {}
    more |= {"gradient": True} if source.gradient else {}
    return {"shape": shape, **more} if more else shape


def _node(each: Node) -> dict[str, Any]:
    reads = each.reads[0] if len(each.reads) == 1 else list(each.reads)
    shares = {"shares": dict(each.shares)} if each.shares else {}
    return {"name": each.name, "reads": reads, **shares, **_table("node layer", each.layer)}


def _table(what: str, part: Any) -> dict[str, Any]:
    """Kind and parameters of a layer or a loss; TOML has no None, which is always the usual value."""
    name = next((name for name, kind in KINDS[what].items() if type(part) is kind), None)
    if name is None:
        raise UsageError(
            f"Cannot write the {what.removeprefix('node ')} {part!r} as TOML, because it has no name there; use one of "
            f"{', '.join(KINDS[what])}."
        )
    given = {key: getattr(part, key) for key in signature(type(part)).parameters}
    if "loss" in given:
        given["loss"] = _table("loss", given["loss"])
    return {"kind": name} | {key: value for key, value in given.items() if value is not None}


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)
