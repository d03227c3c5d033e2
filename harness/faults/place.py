"""A place: one link of a network as a fault sees it: its role, what stands beside it, and how its faults are made.

What a mistake can be depends on what the link gives, going back the gradient of

    a weight            a sum over the samples
    what a layer reads  sample by sample, from an upstream gradient
    the output          by the loss, the first of all
    several readers     the sum of their parts (`harness.faults.branches`)

and on the class of its layer, by which families keep tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from harness.faults.fault import Fault, with_number
from harness.faults.fitted import Clipped, Linear, Shortened
from impls.graph import TARGET, Graph, Link, Rule, Tensor
from impls.graph.node import as_names
from impls.hand import Add, Identity
from impls.hand.activations import Activation
from impls.hand.notation import name_of

UPHILL = "w += lr·dw, where w −= lr·dw goes down"
Entry = TypeVar("Entry")
RuleTable = Mapping[type, Mapping[str, Callable[["Place"], Iterator[Fault]]]]
"""What can go wrong in a layer's rule: by the class of the layer, then by what it calls what the rule gives."""
HAND_ON = frozenset([Identity, Add])
"""Layers whose gradient is what they read, entry by entry, unless it is that of several copies."""


@dataclass(frozen=True)
class Place:
    """Where a link stands."""

    network: Graph
    link: Link

    @property
    def layer(self) -> Any:
        """The layer or loss that the link is a rule of."""
        return self.link.layer

    @property
    def at(self) -> str:
        """Name of the tensor that the link gives."""
        return self.link.output

    @property
    def names(self) -> Mapping[str, str]:
        """Tensors around the link's node by its layer's own names: x, W, b, z, a, y, dx, dW, ..."""
        return self.link.names

    @property
    def tensor(self) -> Tensor:
        """What the link gives."""
        return self.network.tensors[self.at]

    @property
    def forward(self) -> bool:
        """Whether it is no gradient."""
        return self.link.of is None

    @property
    def of_loss(self) -> bool:
        """Whether it is the gradient of the loss by the output, or the part of it that the loss sends."""
        return not self.forward and self.layer is self.network.loss

    @property
    def of_penalty(self) -> bool:
        """Whether it is what a penalty adds to the gradient of a weight."""
        return self.layer is self.network.loss.penalty

    @property
    def hands_on(self) -> bool:
        """Whether the link gives just what it reads, so that there is nothing in it to be wrong."""
        same = type(self.layer) in HAND_ON and not self.repeated
        return same and (not self.forward or len(self.link.inputs) == 1)

    @property
    def of_weight(self) -> bool:
        """Whether it is the gradient of a weight, or a part of one."""
        return self.link.of in self.network.weights

    @property
    def divisor(self) -> str:
        """What the gradient of a weight is divided by, where its author has that there and not in the loss's."""
        text = getattr(self.network.loss, "divides", "") if self.of_weight else ""
        return f"({text})" if "/" in text or "·" in text else text

    @property
    def updated(self) -> bool:
        """Whether gradients are read off an update of the weights."""
        return any(link.reading for link in self.network.backward_links)

    @property
    def adds(self) -> bool:
        """Whether it adds the parts of a gradient."""
        return any(self.network.tensors[name].through for name in self.link.inputs)

    @property
    def of_read(self) -> bool:
        """Whether it is one layer's gradient of what the layer reads."""
        return not (self.forward or self.of_loss or self.of_weight or self.adds)

    @property
    def repeated(self) -> tuple[int, ...]:
        """Axes along which what the link differentiates by was repeated, so that the copies' gradients are added."""
        multiplied = getattr(self.layer, "multiplied", None)
        if self.forward or self.adds or multiplied is None:
            return ()
        of, s = (self.network.tensors[str(name)].sized(1) for name in (self.link.of, self.names["s"]))
        return tuple(axis for axis in range(len(s) - multiplied) if of[axis] != s[axis])

    def of_rule(self, table: Mapping[type, Mapping[str, Entry]]) -> Entry | None:
        """What a table has for the link's rule: by the class of its layer, then by what the layer calls its output."""
        return (of_class(table, self.layer) or {}).get(self.link.local)

    def faults_of(self, table: RuleTable) -> Iterator[Fault]:
        """The faults that a table has for the link's rule."""
        made = self.of_rule(table)
        yield from made(self) if made else ()

    @cached_property
    def upstream(self) -> tuple[str, ...]:
        """Gradients that the link reads with a row for each sample, none where it only adds them."""
        tensors = self.network.tensors
        read = (name for name in self.link.inputs if tensors[name].role == "gradient" and tensors[name].per_row)
        return () if self.adds else tuple(read)

    @cached_property
    def label(self) -> str:
        """The layer's kind: ``sigmoid``, ``sum-squared-error``."""
        return name_of(self.layer)

    @cached_property
    def _position(self) -> Mapping[str, int]:
        return {link.output: place for place, link in enumerate(self.network.links)}

    def earlier(self, name: str) -> bool:
        """Whether a tensor that a link gives is there when this link is computed."""
        return self._position[name] < self._position[self.at]

    def alike(self, name: str) -> list[str]:
        """Other forward tensors of the shape of one, which their layers call the same."""
        this = self.network.tensors[name]
        return [
            other.name
            for other in self.network.tensors.values()
            if (other.role, other.shape, other.local) == (this.role, this.shape, this.local) and other.name != name
        ]

    def gradients_alike(self, name: str, local: str | None = None) -> list[str]:
        """Other gradients of the shape of one that are there already; those of tensors that layers call `local`."""
        tensors, gradient = self.network.tensors, self.network.gradient
        return [
            gradient[of.name]
            for of in tensors.values()
            if of.name in gradient
            and of.shape == tensors[name].shape
            and local in (None, of.local)
            and gradient[of.name] not in (name, self.at)
            and self.earlier(gradient[of.name])
        ]

    def activations_of(self, name: str) -> list[Link]:
        """The links of the activations that read a tensor."""
        return [link for link in self.network.readers.get(name, ()) if link.of is None and is_activation(link.layer)]

    def pre_activation(self, name: str) -> str | None:
        """The pre-activation of which a tensor is the activation; None where there is none."""
        link = self.network.link.get(name)
        return link.names["z"] if link and is_activation(link.layer) else None

    def readable_for(self, name: str) -> list[str]:
        """Other inputs and forward tensors of the shape of one that a layer could read in its place by mistake.

        Not what the layers of this kind give: that is a pre-activation.
        """
        tensors, shape = self.network.tensors.values(), self.network.tensors[name].shape
        gives = as_names(self.layer.gives)
        return [
            t.name
            for t in tensors
            if t.role in ("input", "activation") and t.shape == shape and t.name != name
            and not t.whole and t.local not in gives
        ]  # fmt: skip

    def with_samples(self, t: Mapping[str, Any], rows: Any, *, times: int, others: int) -> dict[str, Any]:
        """Tensors in which some rows of what comes from upstream are multiplied by a number, all others by another.

        A vjp is linear in it, so a row times 0 is a sample left out, of which there may be no other.
        """
        factors = np.full(len(t[self.upstream[0]]), float(others))
        factors[rows] = times
        return {**t, **{name: _by_row(t[name], factors) for name in self.upstream}}

    def fault(self, cause: str, says: str, formula: str, rule: Rule) -> Fault:
        """A fault of this link."""
        return Fault(cause, self.at, says, formula, rule)

    def fitted(self, cause: str, says: str, formula: str, base: Rule, direction: Rule, usual: float) -> Linear:
        """A fault of this link with a number in it; ``{c}`` in the texts stands for it."""
        planted = lambda t: base(t) + usual * direction(t)  # noqa: E731
        texts = with_number(says, usual), with_number(formula, usual)
        meets = any(tensor.through for tensor in self.network.tensors.values())
        return Linear(cause, self.at, *texts, planted, says, formula, base, direction, meets)

    def clipped(
        self, kind: type[Clipped | Shortened], cause: str, says: str, formula: str, whole: Rule, usual: float
    ) -> Fault:
        """A fault of this link that clips its values, or its length, at a number, ``{c}`` in the texts."""
        texts = with_number(says, usual), with_number(formula, usual)
        made = kind(cause, self.at, *texts, whole, says, formula, whole)
        return replace(made, rule=made.rule_with(usual))


def of_class(table: Mapping[type, Entry], layer: Any) -> Entry | None:
    """What a table has for the class of a layer, or for the nearest class that it derives from."""
    return next((table[kind] for kind in type(layer).__mro__ if kind in table), None)


def with_options(layer: Any, **options: Any) -> Any:
    """The layer with other options."""
    return type(layer)(**{name: getattr(layer, name) for name in signature(type(layer)).parameters} | options)


def is_activation(layer: Any) -> bool:
    """Whether a layer is a function of one tensor that the catalogue knows as an activation."""
    return isinstance(layer, Activation)


def samples(t: Mapping[str, Any]) -> int:
    """N, the number of samples."""
    return len(t[TARGET])


def _by_row(array: Any, factors: Any) -> Any:
    return np.reshape(factors, (-1, *(1,) * (len(array.shape) - 1))) * array
