"""Levels, where a path stands, and the steps between them, with the local derivatives of all nodes at once.

Shapes: a level has S nodes, a step from level to level the local derivatives (N, S, S').
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from impls.graph import Array, Node


@dataclass(frozen=True)
class Level:
    """Where a path stands after a step: one of some entries (counted from 0) of a tensor, ``a2`` or ``loss``."""

    tensor: str
    entries: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Local:
    """Local derivatives from entries of one tensor to entries of another: ``matrix * slope``.

    Attributes:
        edges: (S, S') whether the one depends on the other, whatever the numbers.
        matrix: (S, S') where it is the same in every sample, else (N, S, S'); None where each entry leads to one at
            most and comes from one at most: then `slope` says it all.
        slope: f'(z) at the target (N, S'), or None where no activation is passed.
    """

    edges: np.ndarray
    matrix: Array | None = None
    slope: Array | None = None

    def through(self, slope: Array) -> Local:
        """The same with an activation behind it."""
        return replace(self, slope=slope if self.slope is None else self.slope * slope)

    def plus(self, other: Local, exact: Callable[[np.ndarray], Array]) -> Local:
        """The sum, for a layer that reads one tensor twice."""
        one, two = self.slope, other.slope
        alone = self.matrix is None and other.matrix is None and np.array_equal(self.edges, other.edges)
        if alone and one is not None and two is not None:
            return replace(self, slope=one + two)
        return Local(edges=self.edges | other.edges, matrix=self._whole(exact) + other._whole(exact))

    def _whole(self, exact: Callable[[np.ndarray], Array]) -> Array:
        """(N, S, S'), or (1, S, S') where no sample differs."""
        matrix = exact(self.edges.astype(float)) if self.matrix is None else self.matrix
        matrix = matrix if matrix.ndim == 3 else matrix[None]
        return matrix if self.slope is None else matrix * self.slope[:, None, :]

    def between(self, sources: Sequence[int], targets: Sequence[int]) -> Local:
        """Restricted to some entries of both tensors."""
        rows, columns = list(sources), list(targets)
        every = len(columns) == self.edges.shape[1]
        matrix = None if self.matrix is None else self.matrix[..., rows, :]
        slope = None if self.slope is None else self.slope[:, columns]
        return Local(
            edges=self.edges[np.ix_(rows, columns)], slope=slope,
            matrix=matrix if every or matrix is None else matrix[..., columns],
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Step(Local):
    """Local derivatives from every node of a level to every node of a later one.

    Attributes:
        source, target: positions of the levels.
        node: whose layer is passed, None at the loss; reads: what it calls what it reads there, or the weight.
        activation: the node of the activation that is passed with it.
    """

    source: int
    target: int
    node: Node | None = None
    reads: tuple[str, ...] = ()
    activation: Node | None = None

    @property
    def full(self) -> bool:
        """Whether every node leads to every node."""
        return bool(self.edges.all())

    def factors(self, sources: np.ndarray, targets: np.ndarray) -> Array:
        """From some nodes each to one other, (N, R); (1, R) where no sample differs."""
        if self.matrix is None:
            assert self.slope is not None
            return self.slope[:, targets]
        matrix = self.matrix if self.matrix.ndim == 3 else self.matrix[None]
        found = matrix[:, sources, targets]
        return found if self.slope is None else found * self.slope[:, targets]

    def at(self, sample: int, source: int | slice = slice(None)) -> Array:
        """(S, S') in one sample, or (S',) from one node; 0 where nothing leads."""
        if self.matrix is None:
            assert self.slope is not None
            return self.edges[source] * self.slope[sample]
        matrix = (self.matrix[sample] if self.matrix.ndim == 3 else self.matrix)[source]
        return matrix if self.slope is None else matrix * self.slope[sample]

    def carry(self, arrived: Array) -> Array:
        """What arrives at the next level (N, S'), from what arrived at this one (N, S), over all routes."""
        if self.matrix is None:
            reached, before = self.edges.any(axis=0), self.edges.argmax(axis=0)
            if not reached.all():  # other steps lead to these nodes
                arrived = np.concatenate([arrived, 0 * arrived[:, :1]], axis=1)
                before = np.where(reached, before, arrived.shape[1] - 1)
            return arrived[:, before] * self.slope
        alike = self.matrix.ndim == 2
        carried = arrived @ self.matrix if alike else (arrived[:, :, None] * self.matrix).sum(axis=1)
        return carried if self.slope is None else carried * self.slope

    def counted(self, routes: np.ndarray) -> np.ndarray:
        """Numbers of routes to each node of the next level, from those to each node of this one; whole numbers."""
        return np.full(self.edges.shape[1], routes.sum(), object) if self.full else routes @ self.edges.astype(object)

    def magnitudes(self) -> Step:
        """The same with absolute values."""
        matrix = None if self.matrix is None else np.absolute(self.matrix)
        return replace(self, matrix=matrix, slope=None if self.slope is None else np.absolute(self.slope))
