"""Links: a network's pass, step by step, each step knowing what it reads and what it gives.

A layer's rules say by the names of their parameters what they read: ``def dW(self, dz, x)`` needs the
gradient of what the layer gives (z) and what the layer read (x). In a network those local names stand
for tensors with names of their own: in the second Dense layer x is ``a1``, dz is ``dz2``, dW is ``dW2``.
A `Link` is one rule together with this translation. Running a network's links in order is its forward
and backward pass; running a single link on somebody else's tensors is how that somebody is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from impls.hand.primitive import Array


@dataclass(frozen=True)
class Link:
    """One step of the forward or backward pass: ``output = rule(*inputs)``.

    ``slices`` maps inputs to an axis: restricting all of them to the same entries of that axis
    restricts the output to those entries of its axis ``axis``, computed by the same rule. A link
    whose entries cannot be computed apart (a loss averages over all of them) has no slices.
    """

    output: str
    inputs: tuple[str, ...]
    rule: Callable[..., Array]
    layer: Any
    slices: Mapping[str, int] = field(default_factory=dict)
    axis: int = 0

    def __call__(self, tensors: Mapping[str, Any]) -> Array:
        """The output, from a mapping that holds every input."""
        return self.rule(*[tensors[name] for name in self.inputs])


def links_of(layer: Any, names: Mapping[str, str], rules: Iterable[str]) -> list[Link]:
    """The links of one layer for the named rules, ``names`` translating local names to tensors.

    The rule ``forward`` gives what the layer gives; a rule ``dq`` gives the gradient of q.
    """
    links = []
    for rule in rules:
        method = getattr(layer, rule)
        inputs = tuple(names[p] for p in signature(method).parameters if p in names)
        output = names[layer.gives] if rule == "forward" else names[rule]
        of_weight = rule[1:] in layer.weights and rule != "forward"
        if of_weight:  # one destination neuron at a time: the last axis of dz and of the gradient
            slices, axis = {names["d" + layer.gives]: -1}, -1
        else:  # one row of the batch at a time
            weights = {names[w] for w in layer.weights}
            slices, axis = {name: 0 for name in inputs if name not in weights}, 0
        links.append(Link(output, inputs, method, layer, slices, axis))
    return links
