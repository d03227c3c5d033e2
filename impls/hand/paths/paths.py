"""All paths from one number to the loss: how many, what they add up to, which are the largest.

None of this goes through the paths one by one, but for `products`: the levels are a graph themselves, and what holds of
all paths to a node is the sum, or the largest, over the steps that lead there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

import numpy as np

from impls.graph import LOSS, Array, Graph, Node
from impls.hand.paths.branches import Branch, branches_of, largest
from impls.hand.paths.derivatives import Derivatives
from impls.hand.paths.steps import Level, Local, Step


@dataclass(frozen=True)
class Path:
    """One path: its sample, the levels it passes, the node it takes of each (counted within it), and its numbers."""

    sample: int
    levels: tuple[int, ...]
    route: tuple[int, ...]
    factors: tuple[float, ...]
    product: float


class Paths:
    """All paths from one entry of a weight, an input or a tensor of the forward pass to the loss.

    Args:
        network: whose layers give the local derivatives.
        tensors: inputs, target, weights and activations, by name, of any number type.
        start: the tensor that the paths start from, and the entry of it, without the sample, counted from 0.
        exact: makes the number type's array from a NumPy array of ones and zeros.
        local: the local derivatives at these tensors, where paths from elsewhere have asked for them already.

    Attributes:
        levels: from the start, which has one node, to the loss, which has one; every step leads to a later one.
        steps: between them, by the level that they lead into.
        samples: N.

    Raises:
        ValueError: there is no such entry, no path leads from it to the loss, or a layer on the way has none.
    """

    def __init__(
        self,
        network: Graph,
        tensors: Mapping[str, Array],
        start: tuple[str, tuple[int, ...]],
        exact: Callable[[np.ndarray], Array] = np.asarray,
        local: Derivatives | None = None,
    ) -> None:
        self.network, self.tensors, self.exact = network, tensors, exact
        self._local = local or Derivatives(network, tensors, exact)
        self.samples = self._local.samples
        self.start, self.index = start
        weight = self._checked()
        self.levels = [Level(self.start, (0,) if weight else self.index)]
        self.steps: list[Step] = []
        self._place = {self.start: 0}
        for node in network.nodes:
            for given in node.local_gives:
                self._enter(node, given)
        last = self._place.get(network.output)
        if last is None:
            raise ValueError(
                f"Cannot follow {self.start}{list(self.index)} to the loss, because nothing in this batch depends on "
                f"it; choose an entry that is used, or another batch."
            )
        self._place[LOSS] = len(self.levels)
        ends = self.levels[last].entries
        self.levels.append(Level(LOSS, (0,)))
        self.steps.append(
            Step(
                source=last, target=self._place[LOSS], edges=np.ones((len(ends), 1), bool),
                matrix=self._local.of_loss[:, list(ends)][:, :, None],
            )
        )  # fmt: skip

    def _checked(self) -> bool:
        """Whether the start is an entry of a weight; ValueError where there is no such entry."""
        tensor = self.network.tensors.get(self.start)
        if tensor is None or tensor.role not in ("weight", "input", "activation") or tensor.whole:
            raise ValueError(
                f"Cannot follow paths from {self.start!r}, because it is no weight, no input of real numbers and no "
                f"tensor of the forward pass; name one of {', '.join(self.network.weights)} or of what the nodes give."
            )
        shape = tensor.shape[1:] if tensor.per_row else tensor.shape
        if len(self.index) != len(shape) or not all(0 <= i < int(n) for i, n in zip(self.index, shape, strict=True)):
            raise ValueError(
                f"Cannot follow paths from {self.start}{list(self.index)}, because an entry of it has the shape "
                f"{shape}; count from 0."
            )
        return tensor.role == "weight"

    @cached_property
    def _behind(self) -> Mapping[str, Node]:
        """By what a weighted sum gives, the elementwise activation behind it that alone reads it: one step with it."""
        found, given = {}, {name: node for node in self.network.nodes for name in node.gives}
        readers: dict[str, int] = {}
        for link in self.network.links_to_loss:
            for name in link.inputs:
                readers[name] = readers.get(name, 0) + 1
        for node in self.network.nodes:
            (read, *more), before = node.reads, given.get(node.reads[0])
            alone = not more and not node.weights and getattr(node.layer, "elementwise", False)
            if alone and before is not None and before.weights and len(before.gives) == 1 and readers[read] == 1:
                found[read] = node
        return {name: node for name, node in found.items() if name != self.start}

    def _enter(self, node: Node, given: str) -> None:
        """The level of one tensor that a node gives, and the steps that lead there."""
        names = self.network.names_of(node.name)
        activation = self._behind.get(names[given])
        sources: dict[int, tuple[Local, list[str]]] = {}
        for read in (*node.weights, *node.local_reads):
            place = self._place.get(names[read])
            if place is None:
                continue
            of = self._local.of_weight(node, read, self.index, given) if read in node.weights else self._local.of(
                node, read, given
            )  # fmt: skip
            if place in sources:
                before, reads = sources[place]
                sources[place] = before.plus(of, self.exact), [*reads, read]
            else:
                sources[place] = of, [read]
        reached = [of.edges[list(self._entries(place))].any(axis=0) for place, (of, _) in sources.items()]
        entries = np.flatnonzero(np.any(reached, axis=0)).tolist() if reached else []
        if not entries:
            return
        name = names[given]
        slope = None
        if activation is not None:
            (name,) = activation.gives
            slope = self._local.slope(activation)
        position = self._place[name] = len(self.levels)
        self.levels.append(Level(name, tuple(entries)))
        for place, (of, reads) in sources.items():
            of = of.between(self._entries(place), entries)
            of = of if slope is None else of.through(slope[:, entries])
            self.steps.append(
                Step(
                    source=place, target=position, edges=of.edges, matrix=of.matrix, slope=of.slope, node=node,
                    reads=tuple(reads), activation=activation,
                )
            )  # fmt: skip

    def _entries(self, place: int) -> tuple[int, ...]:
        """Entries of the source of a step; a weight's single one is the first of its local derivatives."""
        return (0,) if self.network.tensors[self.levels[place].tensor].role == "weight" else self.levels[place].entries

    @cached_property
    def outgoing(self) -> Mapping[int, Sequence[Step]]:
        """The steps from each level, by where they lead."""
        return {
            place: sorted((step for step in self.steps if step.source == place), key=lambda step: step.target)
            for place in range(len(self.levels))
        }

    def step(self, source: int, target: int) -> Step:
        """The step between two levels."""
        return next(step for step in self.outgoing[source] if step.target == target)

    @cached_property
    def routes(self) -> int:
        """Number of paths in one sample, exactly."""
        counts: list[np.ndarray] = [np.ones(1, object)]
        for place in range(1, len(self.levels)):
            before = [step.counted(counts[step.source]) for step in self.steps if step.target == place]
            counts.append(np.sum(before, axis=0))
        return int(counts[-1][0])

    @property
    def count(self) -> int:
        """Number of paths in all samples."""
        return self.routes * self.samples

    def branches(self, most: int | None = None) -> Iterator[Branch]:
        """The sequences of levels that paths take, all or the first few."""
        return islice(branches_of(self.outgoing, len(self.levels) - 1), most)

    @cached_property
    def products(self) -> Array:
        """The product along every path, multiplied from the start on: (N, routes), branch after branch."""
        found = [branch.products() for branch in self.every_branch]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    @cached_property
    def every_branch(self) -> list[Branch]:
        """All of them, where they are few."""
        return list(self.branches())

    def at_route(self, place: int) -> tuple[tuple[int, ...], list[int]]:
        """The levels and the nodes of them that a path takes, by the place of its product among those of a sample."""
        for branch in self.every_branch:
            if place < len(branch.routes):
                return branch.levels, branch.routes[place].tolist()
            place -= len(branch.routes)
        raise IndexError("no such path")

    def arrivals(self) -> list[Array]:
        """For every level what arrives over all routes, (N, S): the derivative of each node by the start."""
        return self._carried(self.steps)

    def sums(self) -> Array:
        """The sum over the paths of each sample (N,), layer by layer, however many paths there are."""
        return self.arrivals()[-1][:, 0]

    def magnitudes(self) -> Array:
        """The sum of |product| over the paths of each sample (N,)."""
        return self._carried([step.magnitudes() for step in self.steps])[-1][:, 0]

    def _carried(self, steps: Sequence[Step]) -> list[Array]:
        arrived: list[Array] = [self.exact(np.ones((self.samples, 1))), *[None] * (len(self.levels) - 1)]
        for step in steps:
            carried, so_far = step.carry(arrived[step.source]), arrived[step.target]
            arrived[step.target] = carried if so_far is None else so_far + carried
        return arrived

    def path(self, sample: int, route: Sequence[int], levels: Sequence[int] | None = None) -> Path:
        """The path that takes these nodes, one of each level from the start on; by default of all levels."""
        passed = tuple(range(len(self.levels))) if levels is None else tuple(levels)
        steps = [self.step(*ends) for ends in pairwise(passed)]
        factors = tuple(
            float(step.at(sample, source)[target])
            for step, (source, target) in zip(steps, pairwise(route), strict=True)
        )
        return Path(sample, passed, tuple(route), factors, math.prod(factors))

    def largest_of_all(self, most: int) -> list[Path]:
        """The same as `largest`, from the products of all paths."""
        sizes = np.abs(self.products).ravel()
        least = np.partition(sizes, max(sizes.size - most, 0))[max(sizes.size - most, 0)]
        among = np.flatnonzero(sizes >= least)
        found = among[np.argsort(-sizes[among], kind="stable")][:most].tolist()
        made = []
        for place in found:
            sample, of = divmod(place, self.products.shape[1])
            levels, route = self.at_route(of)
            made.append(self.path(sample, route, levels))
        return made

    def largest(self, most: int) -> list[Path]:
        """The `most` paths of largest |product|, in that order; equal ones in the order of sample and route."""
        found = islice(largest(self.outgoing, len(self.levels) - 1, self.magnitudes()), most)
        return [self.path(sample, [k for _, k in begun], [place for place, _ in begun]) for sample, begun in found]
