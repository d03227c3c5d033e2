"""A place: one link of a network as a fault sees it, with the names and widths of the tensors around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.faults.fault import Fault, with_number
from harness.faults.fitted import Clipped, Linear
from impls.graph import Graph, Link, Rule
from impls.hand import Dense
from impls.hand.notation import name_of


@dataclass(frozen=True)
class Place:
    """Where a link stands.

    Attributes:
        kind: the local derivative that it is, by its name in the layer: ``dz`` of an activation, ``da`` of a loss,
            ``dx``, ``dW`` and ``db`` of a Dense layer, ``forward`` of any of them.
        names: tensors of the link's layer by the layer's own names: x, W, b, z, a, y, dx, dW, ...
        around: the names, by layer, of every layer of the network in order; the loss is the last.
    """

    network: Graph
    link: Link
    kind: str
    names: Mapping[str, str]
    around: tuple[Mapping[str, str], ...]

    @property
    def layer(self) -> Any:
        """The layer or loss that the link is a rule of."""
        return self.link.layer

    @property
    def at(self) -> str:
        """Name of the tensor that the link gives."""
        return self.link.output

    @cached_property
    def label(self) -> str:
        """The layer's kind: ``sigmoid``, ``sum-squared-error``."""
        return name_of(self.layer)

    @cached_property
    def widths(self) -> Mapping[str, int]:
        """Width of every tensor with a row per sample: x, z1, a1, ..., and of their gradients."""
        widths, width = {"x": self.network.inputs}, self.network.inputs
        for layer, names in zip(self.network.layers, self.around, strict=False):
            width = layer.outputs if isinstance(layer, Dense) else width
            widths[names[layer.gives]] = width
        return widths | {"d" + name: width for name, width in widths.items() if name != "x"}

    @cached_property
    def own_width(self) -> int:
        """Width of what the link gives, or of the layer's outputs for the gradient of a weight."""
        return self.widths.get(self.at) or int(self.layer.outputs)

    def alike(self, name: str, kinds: str) -> list[str]:
        """Other tensors of the width of `name`, whose names begin with one of the letters `kinds` (x, z, a)."""
        width = self.widths[name]
        return [n for n, w in self.widths.items() if w == width and n != name and n[0] in kinds]

    def before(self, name: str) -> str | None:
        """The pre-activation of which `name` is the activation; None for x and where there is none."""
        return next((names["z"] for names in self.around if names.get("a") == name and "z" in names), None)

    def fault(self, cause: str, says: str, formula: str, rule: Rule) -> Fault:
        """A fault of this link."""
        return Fault(cause, self.at, says, formula, rule)

    def fitted(self, cause: str, says: str, formula: str, base: Rule, direction: Rule, usual: float) -> Linear:
        """A fault of this link with a number in it; ``{c}`` in the texts stands for it."""
        planted = lambda t: base(t) + usual * direction(t)  # noqa: E731
        texts = with_number(says, usual), with_number(formula, usual)
        return Linear(cause, self.at, *texts, planted, says, formula, base, direction)

    def clipped(self, cause: str, says: str, formula: str, whole: Rule, usual: float) -> Clipped:
        """A fault of this link that clips its values at a number, ``{c}`` in the texts."""
        planted = lambda t: np.minimum(np.maximum(whole(t), -usual), usual)  # noqa: E731
        texts = with_number(says, usual), with_number(formula, usual)
        return Clipped(cause, self.at, *texts, planted, says, formula, whole)


def place_of(network: Graph, link: Link) -> Place:
    """The place of a network's link."""
    around, source, depth = [], "x", 0
    own: dict[str, str] = {}
    for layer in network.layers:
        depth += isinstance(layer, Dense)
        names = {layer.reads: source, layer.gives: f"{layer.gives}{depth}"}
        names |= {weight: f"{weight}{depth}" for weight in layer.weights}
        names |= {"d" + local: "d" + name for local, name in names.items()}
        around.append(names)
        source = names[layer.gives]
        own = names if layer is link.layer and _gives(names, link) else own
    names = {network.loss.reads: source, "d" + network.loss.reads: "d" + source, "y": "y", "loss": "loss"}
    around.append(names)
    if link.layer is network.loss:
        own = names
    return Place(network, link, getattr(link.rule, "__name__", ""), own, tuple(around))


def _gives(names: Mapping[str, str], link: Link) -> bool:
    # One layer object may stand in a network twice.
    return link.output in names.values()
