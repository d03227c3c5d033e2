"""Accumulation: where a tensor has several readers, its gradient is the sum of what each of them sends back.

    dt = sum over readers of the vjp of that reader         every path from t leads through one of them

A weight that several nodes share is the same case. In which order the parts are added is nobody's promise.

Source: Rumelhart, Hinton and Williams (1986), equation (6), "taking into account all the connections".
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

from impls.graph.link import Link
from impls.graph.primitive import primitive


@primitive
def accumulate(*parts: Any) -> Any:
    """The sum of arrays of one shape, in any order."""
    return reduce(add, parts)


class Accumulation:
    """The layer of the links that add parts of a gradient."""

    weights: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  (shared because empty)

    def total(self, *parts: Any) -> Any:
        """dt, of all parts."""
        return accumulate(*parts)

    def __repr__(self) -> str:
        return "Accumulation()"


def accumulation(output: str, parts: list[Link], local: str, of: str) -> Link:
    """The link that adds what these give, the gradient of `of`; it can be taken apart where all can along one axis."""
    axes = {part.axis for part in parts} if all(part.slices for part in parts) else set()
    slices, axis = ({part.output: next(iter(axes)) for part in parts}, next(iter(axes))) if len(axes) == 1 else ({}, 0)
    names = {local: of, f"d{local}": output}
    layer = Accumulation()
    return Link(output, tuple(part.output for part in parts), layer.total, layer, slices, axis, f"d{local}", of, names)
