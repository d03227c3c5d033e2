"""The setting of a check: what was compared, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.candidates.conformance import shapes_of
from harness.candidates.lines import lines_of
from harness.environment import environment
from harness.evaluation.point import Point
from harness.usage import visible
from impls.graph import Graph
from impls.hand import Network, from_text
from impls.hand.notation import describe


@dataclass(frozen=True)
class Setting:
    """What was compared, and where.

    Attributes:
        name: of the backward pass, as messages call it.
        data: one phrase about the batch.
        shapes: of every tensor that the network has, by name.
        upstream: the gradients that each link's gradient is made from, by name.
        explain: how `harness explain` is told of this very network and data, where it can be.
        lines: file and line that make a tensor, where a plain assignment does.
        line: file and first line of the function itself.
        layout: in which the function was given its arrays and returned others, one of `harness.candidates.layout`.
    """

    name: str
    network: str
    description: str
    loss_formula: str
    data: str
    rows: int
    dtype: str
    seed: int | None
    gradients: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    upstream: Mapping[str, str]
    environment: Mapping[str, str]
    explain: str | None = None
    layout: str = "rows"
    lines: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    line: tuple[str, int] | None = None


def setting_of(
    name: str,
    point: Point,
    data: str,
    seed: int | None,
    function: Callable[..., Any] | None,
    layout: str = "rows",
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Setting:
    """What is compared, and where; `settings` are those of a framework on a device."""
    network = point.network
    line, lines = places_of(function, [link.output for link in network.links])
    return Setting(
        name=name,
        network=repr(network),
        description=describe(network),
        loss_formula=network.loss_formula,
        data=data,
        rows=point.rows,
        dtype=point.dtype,
        seed=seed,
        gradients=network.gradients,
        shapes=shapes_of(network, point.rows),
        upstream={name: ", ".join(above) for name in network.gradient.values() if (above := upstream(network, name))},
        environment={**environment(), **settings},
        explain=_for_explain(network, data),
        layout=layout,
        lines=lines,
        line=line,
    )


def upstream(network: Graph, gradient: str) -> list[str]:
    """The gradients that a gradient is made from; of one that is a sum, those that its parts are made from."""
    found = dict[str, None]()
    for name in network.link[gradient].inputs:
        tensor = network.tensors[name]
        if tensor.role == "gradient":
            found |= dict.fromkeys(upstream(network, name) if tensor.through else [name])
    return list(found)


def places_of(
    function: Callable[..., Any] | None, tensors: Iterable[str]
) -> tuple[tuple[str, int] | None, dict[str, tuple[str, int]]]:
    """File and line where a function begins, and of each tensor that a plain assignment in it makes."""
    lines = lines_of(function) if function else None
    if lines is None:
        return None, {}
    made = {tensor: place for tensor in tensors if (place := lines.of(tensor))}
    return _shown(lines.first), {tensor: _shown(place) for tensor, place in made.items()}


def _shown(place: tuple[str, int]) -> tuple[str, int]:
    return shown_path(place[0]), place[1]


def shown_path(file: str) -> str:
    """A path relative to the working directory, where it lies in it."""
    path = Path(file)
    return visible(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def _for_explain(network: Graph, data: str) -> str | None:
    """The model, where text and the usual data name it all."""
    if not isinstance(network, Network):
        return None
    sizes = describe(network).split()[0]
    return sizes if repr(from_text(sizes)) == repr(network) and data.startswith("iris ") else None
