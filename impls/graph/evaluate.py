"""Evaluation: the one loop that runs a network, on any kind of number, as it is or changed.

The same links run on floats (the hand pass), on bounded numbers (what every admissible program may give), on balls
and rationals (the truth), and on a framework's arrays, where its operations stand in place of the links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from impls.graph.link import Link, Rule

AS_IT_IS: Mapping[str, Rule] = MappingProxyType({})


def evaluate(
    links: Iterable[Link],
    tensors: dict[str, Any],
    *,
    planted: Mapping[str, Rule] = AS_IT_IS,
    passed_on: Callable[[Link, Any], Any] | None = None,
) -> dict[str, Any]:
    """Run links in order, each on what the links before gave.

    Args:
        links: all of a network's or some.
        tensors: what is given, by name; what the links give is put there.
        planted: rules in place of the links that give these tensors.
        passed_on: what later links read, from a link and what it gave: somebody's own tensor, say, instead.

    Returns:
        `tensors`.
    """
    for link in links:
        value = planted.get(link.output, link)(tensors)
        tensors[link.output] = value if passed_on is None else passed_on(link, value)
    return tensors
