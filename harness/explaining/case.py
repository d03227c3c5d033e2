"""A case: one derivative at one moment of a training, on one sample or on a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, profile_of
from harness.evaluation.centre import Centre
from harness.evaluation.moment import Moment
from harness.explaining.methods import centre_of, finite, ways_of
from harness.explaining.parts import PathRow, Way
from harness.explaining.references import Reference
from harness.explaining.symbols import Nodes, outputs_of, weight_symbol
from harness.explaining.variable import Variable, variable_of
from harness.usage import UsageError
from impls.contract import Array
from impls.graph import Graph
from impls.hand.paths import Path, Paths

ALL_LISTED, LARGEST_LISTED = 12, 6
"""So many paths are listed all; of more, the largest few."""
ONE_BY_ONE = 1_000_000
"""So many paths are multiplied and added one by one; more, layer by layer."""


@dataclass(frozen=True)
class Case:
    """One derivative.

    Attributes:
        rows: of the data, counted from 0, whose loss is differentiated.
        x, y: these rows.
    """

    network: Graph
    moment: Moment
    meant: Reference
    rows: Sequence[int]
    x: Array
    y: Array

    @cached_property
    def tensors(self) -> Mapping[str, Array]:
        """Everything that a link of the forward pass reads or gives."""
        with np.errstate(all="ignore"):
            activations = self.network.forward(self.moment.weights, self.x)
        return {"x": self.x, "y": self.y, **self.moment.weights, **activations}

    @cached_property
    def loss(self) -> float:
        """The loss of these rows."""
        with np.errstate(all="ignore"):
            return float(self.network.loss_of(self.tensors, self.y))

    @cached_property
    def paths(self) -> Paths:
        """All paths.

        Raises:
            UsageError: the loss, a local derivative or a product along a path is not finite.
        """
        with np.errstate(all="ignore"):
            paths = Paths(self.network, self.tensors, (self.meant.tensor, self.meant.index))
            if math.isfinite(self.loss) and np.isfinite(np.sum(paths.magnitudes())):
                return paths
        raise UsageError(
            f"Cannot explain {self.meant.symbol}, because the loss or a derivative on the way is not finite here; "
            f"choose another sample or another step, or scale the data."
        )

    @cached_property
    def nodes(self) -> Nodes:
        """What the nodes are called."""
        return Nodes.of(self.network, self.meant.short)

    @cached_property
    def names(self) -> list[list[str]]:
        """The nodes of every level, from the start to the loss."""
        return [self.nodes.names(level) for level in self.paths.levels]

    @cached_property
    def variable(self) -> Variable:
        """What is differentiated by, for every other way."""
        return variable_of(self.meant, self.network, self.moment.weights, self.x, self.y)

    @cached_property
    def centre(self) -> Centre:
        """Every tensor with its float64 bound."""
        return centre_of(self.variable)

    @cached_property
    def total(self) -> float:
        """The sum over all paths: from left to right, sample by sample, where they are multiplied one by one."""
        if self.paths.count <= ONE_BY_ONE:
            return float(np.cumsum(self.paths.products())[-1])
        return float(np.sum(self.paths.sums()))

    @cached_property
    def magnitude(self) -> float:
        """The sum of the magnitudes of all paths."""
        return float(np.sum(self.paths.magnitudes()))

    @cached_property
    def listed(self) -> list[Path]:
        """All paths of one sample in their order where they are few, else the largest."""
        if len(self.rows) > 1 or self.paths.count > ALL_LISTED:
            return self.paths.largest(LARGEST_LISTED)
        sizes = [len(level.entries) for level in self.paths.levels]
        return [self.paths.path(0, route) for route in np.ndindex(*sizes)]

    def row(self, path: Path) -> PathRow:
        """A path with the names of its nodes."""
        route = [names[node] for names, node in zip(self.names, path.route, strict=True)]
        return PathRow(self.rows[path.sample], route, list(path.factors), path.product)

    def by_paths(self) -> Way:
        """The sum over the paths, and how far rounding can bring it from the truth."""
        context = Context(profile_of("float64"))
        tensors: dict[str, Any] = {name: context.exact(w) for name, w in self.moment.weights.items()}
        tensors |= {"x": context.exact(self.x), "y": self.y if self.network.loss.labels else context.exact(self.y)}
        for link in self.network.forward_links:
            tensors[link.output] = link(tensors)
        bounded = Paths(self.network, tensors, (self.meant.tensor, self.meant.index), context.exact)
        one_by_one = self.paths.count <= ONE_BY_ONE
        added: Bounded = (bounded.products() if one_by_one else bounded.sums()).sum()
        way = "paths, added left to right" if one_by_one else "paths, added layer by layer"
        return Way(way, self.total, allowed=finite(added.bound))

    def ways(self, against: Sequence[str] | None) -> list[Way]:
        """The same derivative by every way."""
        return ways_of(self.variable, self.centre, self.by_paths(), against)

    @cached_property
    def source(self) -> str | None:
        """Of a weight, the node whose value it weighs; of a bias, 1."""
        if self.meant.kind == "weight":
            before = "x" if self.meant.layer == 1 else outputs_of(self.network)[self.meant.layer - 2]
            return self.nodes.name(before, self.meant.index[0] + 1)
        return "1" if self.meant.kind == "bias" else None

    @cached_property
    def value(self) -> float:
        """Of the weight or bias; of an input or output, in the sample."""
        if self.meant.kind in ("weight", "bias"):
            return self.variable.value
        return float(self.tensors[self.meant.tensor][0, self.meant.index[0]])

    @property
    def leads(self) -> str:
        """Between what it stands."""
        if self.meant.kind == "input":
            return "an input"
        if self.meant.kind == "output":
            return "the output of a neuron"
        into = self.nodes.name(outputs_of(self.network)[self.meant.layer - 1], self.meant.index[-1] + 1)
        if self.meant.kind == "bias":
            return f"the bias of neuron {into}"
        return f"from {'input' if self.meant.layer == 1 else 'neuron'} {self.source} to neuron {into}"

    @property
    def feeds(self) -> str | None:
        """Which neuron a weight feeds, and to which weights a term through another one would belong."""
        if self.meant.kind not in ("weight", "bias") or self.network.weights[f"W{self.meant.layer}"][1] == 1:
            return None
        layer, tensor = self.meant.layer, self.paths.levels[1].tensor
        *source, j = self.meant.index
        others = [k for k in range(self.network.weights[f"W{layer}"][1]) if k != j]
        through = [self.nodes.name(tensor, k + 1) for k in others[:2]]
        belongs = [weight_symbol(layer, source[0], k) if source else f"b_{k + 1}^({layer})" for k in others[:2]]
        more = ", ..." if len(others) > 2 else ""
        return (
            f"{self.meant.symbol} feeds {self.nodes.name(tensor, j + 1)} only: a term through "
            f"{', '.join(through)}{more} belongs to {', '.join(belongs)}{more}, not to it."
        )
