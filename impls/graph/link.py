"""Links: a network's pass, step by step, each step knowing what it reads and what it gives; and the loop that runs it.

A `Link` is one rule of a node's layer, with the names of the tensors that stand for the rule's own. Running a
network's links in order is its forward and backward pass; running a single link on somebody else's tensors is how
that somebody is checked.

The same links run on floats (the hand pass), on bounded numbers (what every admissible program may give), on balls
and rationals (the truth), and on a framework's arrays, where its operations stand in place of the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from types import MappingProxyType
from typing import Any

from impls.graph.node import Node

Rule = Callable[[Mapping[str, Any]], Any]
"""From tensors by name to one tensor."""


@dataclass(frozen=True)
class Link:
    """One step of a pass: ``output = rule(*inputs)``.

    ``slices`` maps inputs to an axis: restricting all of them to the same entries of that axis
    restricts the output to those entries of its axis ``axis``, computed by the same rule. A link
    whose entries cannot be computed apart (a loss averages over all of them) has no slices.

    Attributes:
        local: what the layer calls the output: ``z``, ``dW``, ``loss``.
        of: of a link that gives a gradient, or a part of one, the tensor that it belongs to; None going forward.
        names: by the layer's own names, the tensors around the link's node.
        reading: from the output, and tensors by name, to what somebody reads off a number shown in its place; None
            where the output is shown itself. The rule, and whatever is planted for it, is what is computed.
    """

    output: str
    inputs: tuple[str, ...]
    rule: Callable[..., Any]
    layer: Any
    slices: Mapping[str, int] = field(default_factory=dict)
    axis: int = 0
    local: str = ""
    of: str | None = None
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    reading: Callable[[Any, Mapping[str, Any]], Any] | None = None

    def __call__(self, tensors: Mapping[str, Any]) -> Any:
        """The output, from a mapping that holds every input."""
        return self.rule(*map(tensors.__getitem__, self.inputs))

    def read(self, value: Any, tensors: Mapping[str, Any]) -> Any:
        """What is read where the link, or what is planted in its place, gives this.

        A kind of number that knows how it is kept (``stored``) is rounded to that first.
        """
        kept = value.stored() if hasattr(value, "stored") else value
        return kept if self.reading is None else self.reading(kept, tensors)


def link_of(node: Node, names: Mapping[str, str], local: str, output: str, of: str | None = None) -> Link:
    """The link of one rule: ``local`` is what the layer calls what the rule gives, `of` what that is the gradient of.

    A layer says along which axes entries can be computed apart, by rule: ``apart = {"dW": ({"dz": -1}, -1)}``. What it
    does not say of a gradient of a weight cannot be; everything else is computed row by row.
    """
    rule = node.rule(local)
    takes = signature(rule).parameters
    reads = [p for p in takes if p in names]
    unknown = [p for p, taken in takes.items() if p not in names and taken.default is taken.empty]
    if unknown:
        raise ValueError(
            f"Cannot connect {node.name}, {node.layer!r}, because its rule for {local} reads {', '.join(unknown)}, "
            f"which the layer neither reads nor gives nor owns; name only what it does."
        )
    told = getattr(node.layer, "apart", {})
    if local in told:
        apart, axis = told[local]
    elif of in {names[weight] for weight in node.weights} or output in node.next_buffers:
        apart, axis = {}, 0
    else:
        apart, axis = {p: 0 for p in reads if p not in node.weights and p not in node.buffers}, 0
    slices = {names[p]: along for p, along in apart.items()}
    return Link(
        output=output, inputs=tuple(names[p] for p in reads), rule=rule, layer=node.layer, slices=slices, axis=axis,
        local=local, of=of, names=names,
    )  # fmt: skip


PassedOn = Callable[[Link, Any], Any]
"""What later links read, from a link and what it gave."""
AS_IT_IS: Mapping[str, Rule] = MappingProxyType({})


def evaluate(
    links: Iterable[Link],
    tensors: dict[str, Any],
    *,
    planted: Mapping[str, Rule] = AS_IT_IS,
    passed_on: PassedOn | None = None,
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
    read = tensors.__getitem__
    for link in links:
        # What `link(tensors)` and `link.read` do, without a call for each: of a small network, a tenth of a step.
        rule = planted.get(link.output)
        value = link.rule(*map(read, link.inputs)) if rule is None else rule(tensors)
        if link.reading is not None or hasattr(value, "stored"):
            value = link.read(value, tensors)
        tensors[link.output] = value if passed_on is None else passed_on(link, value)
    return tensors
