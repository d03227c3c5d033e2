"""A case: one derivative at one moment of a training, on a batch of one sample or of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.arithmetic import Bounded
from harness.evaluation.centre import Centre
from harness.explaining.batch import Batch
from harness.explaining.explanation import PathRow, Way
from harness.explaining.methods import Variable, centre_of, finite, variable_of, ways_of
from harness.explaining.references import Reference
from harness.explaining.symbols import Nodes
from harness.usage import UsageError
from impls.graph import Graph, Node
from impls.hand.paths import Branch, Derivatives, Path, Paths, weighed

ALL_LISTED, LARGEST_LISTED = 12, 6
"""So many paths are listed all; of more, the largest few."""
ONE_BY_ONE = 1_000_000
"""So many paths are multiplied and added one by one; more, layer by layer."""
MOST_BRANCHES = 1000
"""Through so many branches at most."""


@dataclass(frozen=True)
class Case:
    """One derivative of the loss of a batch."""

    batch: Batch
    meant: Reference

    @property
    def network(self) -> Graph:
        """Of the batch."""
        return self.batch.network

    @property
    def rows(self) -> Sequence[int]:
        """Of the data, counted from 0, whose loss is differentiated."""
        return self.batch.rows

    @cached_property
    def paths(self) -> Paths:
        """All paths.

        Raises:
            UsageError: the loss, a local derivative or a product along a path is not finite; or a layer has no paths.
        """
        with np.errstate(all="ignore"):
            paths = self._followed(self.batch.local)
            if math.isfinite(self.batch.loss) and np.isfinite(np.sum(paths.magnitudes())):
                return paths
        raise UsageError(
            f"Cannot explain {self.meant.symbol}, because the loss or a derivative on the way is not finite here; "
            f"choose another sample or another step, or scale the data."
        )

    def _followed(self, local: Derivatives) -> Paths:
        """The paths by some local derivatives, or UsageError where a layer has none."""
        try:
            return Paths(self.network, local.tensors, (self.meant.tensor, self.meant.index), local.exact, local)
        except ValueError as error:
            raise UsageError(str(error)) from None

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
        return variable_of(self.meant, self.network, self.batch.moment.weights, self.batch.x, self.batch.y)

    @cached_property
    def centre(self) -> Centre:
        """Every tensor with its float64 bound."""
        return centre_of(self.variable)

    @cached_property
    def branches(self) -> list[Branch]:
        """The sequences of levels, of many the first few."""
        return list(self.paths.branches(MOST_BRANCHES + 1))

    @cached_property
    def one_by_one(self) -> bool:
        """Whether every path is multiplied by itself."""
        return self.paths.count <= ONE_BY_ONE and len(self.branches) <= MOST_BRANCHES

    @cached_property
    def total(self) -> float:
        """The sum over all paths: from left to right, sample by sample, where they are multiplied one by one."""
        if self.one_by_one:
            return float(np.cumsum(self.paths.products)[-1])
        return float(np.sum(self.paths.sums()))

    @cached_property
    def magnitude(self) -> float:
        """The sum of the magnitudes of all paths."""
        return float(np.sum(self.paths.magnitudes()))

    @cached_property
    def listed(self) -> list[Path]:
        """All paths of one sample in their order where they are few, else the largest."""
        if len(self.rows) > 1 or self.paths.count > ALL_LISTED:
            most = LARGEST_LISTED
            return self.paths.largest_of_all(most) if self.one_by_one else self.paths.largest(most)
        return [
            self.paths.path(0, route, branch.levels) for branch in self.branches for route in branch.routes.tolist()
        ]

    def row(self, path: Path) -> PathRow:
        """A path with the names of its nodes."""
        route = [self.names[level][node] for level, node in zip(path.levels, path.route, strict=True)]
        return PathRow(self.rows[path.sample], route, list(path.factors), path.product)

    def by_paths(self) -> Way:
        """The sum over the paths, and how far rounding can bring it from the truth."""
        bounded = self._followed(self.batch.bounded)
        added: Bounded = (bounded.products if self.one_by_one else bounded.sums()).sum()
        way = "paths, added left to right" if self.one_by_one else "paths, added layer by layer"
        return Way(way, self.total, allowed=finite(added.bound))

    def ways(self, against: Sequence[str] | None) -> list[Way]:
        """The same derivative by every way."""
        return ways_of(self.variable, self.centre, self.by_paths(), against)

    @cached_property
    def uses(self) -> list[Node]:
        """The nodes that use the weight."""
        names = self.network.names_of
        return [node for node in self.network.nodes if self.meant.tensor in map(names(node.name).get, node.weights)]

    def _use(self, node: Node) -> tuple[str | None, str] | None:
        """What the weight weighs in a node (1 for a bias) and what it feeds there; None of a layer that has no such."""
        names = self.network.names_of(node.name)
        local = next(local for local in node.weights if names[local] == self.meant.tensor)
        told = weighed(node.layer, local, self.meant.index)
        if told is None:
            return None
        source, neuron = told
        fed = self.nodes.name(self.nodes.output(node.gives[0]), neuron + 1)
        return "1" if source is None else self.nodes.name(node.reads[0], source + 1), fed

    @cached_property
    def source(self) -> str | None:
        """Of a weight that one node uses, the node whose value it weighs; of a bias, 1."""
        told = self._use(self.uses[0]) if len(self.uses) == 1 else None
        return None if told is None else told[0]

    @cached_property
    def value(self) -> float:
        """Of the weight or bias; of an input or output, in the sample."""
        if self.meant.learned:
            return self.variable.value
        return float(self.batch.tensors[self.meant.tensor][(0, *self.meant.index)])

    @property
    def leads(self) -> str:
        """Between what it stands."""
        if self.meant.kind == "input":
            return "an input"
        if self.meant.kind == "output":
            return "the output of a neuron"
        return ", and ".join(map(self._leads, self.uses))

    def _leads(self, node: Node) -> str:
        told = self._use(node)
        if told is None:
            return f"a weight of {node.name}"
        source, into = told
        if self.meant.kind == "bias":
            return f"the bias of neuron {into}"
        kind = "input" if self.network.tensors[node.reads[0]].role == "input" else "neuron"
        return f"from {kind} {source} to neuron {into}"

    @property
    def feeds(self) -> str | None:
        """Which neuron a weight feeds, and to which weights a term through another one would belong."""
        if len(self.uses) > 1:
            nodes = " and ".join(node.name for node in self.uses)
            return f"{self.meant.symbol} is used by {nodes}: its paths start at each of them, and their sums add up."
        told = self._use(self.uses[0]) if self.uses else None
        *_, size = self.network.weights.get(self.meant.tensor, (1,))
        if told is None or size == 1:
            return None
        tensor, (*source, j) = self.paths.levels[1].tensor, self.meant.index
        others = [k for k in range(size) if k != j]
        through = [self.nodes.name(tensor, k + 1) for k in others[:2]]
        belongs = [self.nodes.weight(self.meant.tensor, (*source, k)) for k in others[:2]]
        more = ", ..." if len(others) > 2 else ""
        return (
            f"{self.meant.symbol} feeds {self.nodes.name(tensor, j + 1)} only: a term through "
            f"{', '.join(through)}{more} belongs to {', '.join(belongs)}{more}, not to it."
        )
