"""The paths of a case written down: drawn, as a formula, and as the columns of a table.

In a chain all paths pass the same levels: one drawing, a formula that is factored, a column for each factor. Where they
part, every branch has a drawing and a term of its own, and paths are listed each with its own factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from harness.explaining.case import MOST_BRANCHES, Case
from harness.explaining.drawing import LEFT_OUT, drawn
from harness.explaining.formulas import MOST_WRITTEN, by_branch, by_path, factored, headings
from harness.explaining.layout import WIDTH, wrapped
from impls.hand.paths import Branch

MOST_DRAWN = 4
"""So many branches are drawn and written."""


class Written:
    """The paths of a case, written down."""

    def __init__(self, case: Case) -> None:
        self.case, self.paths = case, case.paths
        self.shown = list(islice(self.paths.branches(), MOST_DRAWN))

    @cached_property
    def plain(self) -> bool:
        """Whether every node of a level leads to every one of the next, and all paths pass all levels."""
        return len(self.case.branches) == 1 and all(step.full for step in self.paths.steps)

    @property
    def drawing(self) -> list[str]:
        """Its lines: every branch drawn, or where one is too long the names of its levels in a row."""
        drawings = [self._drawn(branch) for branch in self.shown]
        if len(drawings) > 1 and any(LEFT_OUT in line for lines in drawings for line in lines):
            drawings = [wrapped(" ▸ ".join(self._names(branch)[1]), "", "  ", WIDTH - 3) for branch in self.shown]
        lines = [line for lines in drawings for line in lines]
        return [*lines, f"··· {self._more} more branches ···"] if self._more != "0" else lines

    def _drawn(self, branch: Branch) -> list[str]:
        levels, _ = self._names(branch)
        parallel = [place for place, step in enumerate(branch.steps) if _beside(step.edges, branch, place)]
        return drawn(levels, self.case.source, parallel)

    @property
    def formula(self) -> dict[str, list[str]]:
        """Factored, of a chain; and path by path, or branch by branch."""
        if self.plain:
            generic = self.case.nodes.generic(self.paths.levels)
            return {"factored": factored(self.case.names, generic), "paths": by_path(self.case.names, generic)}
        routes: list[list[str]] = []
        if self.paths.routes <= MOST_WRITTEN:
            routes = [
                [self.case.names[level][node] for level, node in zip(branch.levels, route, strict=True)]
                for branch in self.case.branches
                for route in branch.routes
            ]
        return {"factored": [], "paths": by_branch(routes, [self._names(branch) for branch in self.shown], self._more)}

    @property
    def columns(self) -> list[str]:
        """What the factors of a path are called, from the start on; none where paths pass different levels."""
        return headings(self.case.nodes.generic(self.paths.levels)) if len(self.case.branches) == 1 else []

    @property
    def _more(self) -> str:
        """How many branches are not shown."""
        more = len(self.case.branches) - len(self.shown)
        return f"{more:,}" if len(self.case.branches) <= MOST_BRANCHES else f"over {more - 1:,}"

    def _names(self, branch: Branch) -> tuple[list[list[str]], list[str]]:
        """Of each level of a branch the nodes that its paths take, and one name for all of them."""
        generic = self.case.nodes.generic(self.paths.levels)
        taken = branch.nodes
        levels = [[self.case.names[level][n] for n in nodes] for level, nodes in zip(branch.levels, taken, strict=True)]
        one = [
            names[0] if len(names) == 1 else generic[level] for level, names in zip(branch.levels, levels, strict=True)
        ]
        return levels, one


def _beside(edges: np.ndarray, branch: Branch, place: int) -> bool:
    """Whether every node leads to the one beside it only."""
    taken: Sequence[list[int]] = branch.nodes[place : place + 2]
    between = edges[np.ix_(*taken)]
    return between.shape != (1, 1) and np.array_equal(between, np.eye(*between.shape, dtype=bool))
