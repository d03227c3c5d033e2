"""The paths of a case written down: drawn, as a formula, and as the columns of a table.

In a chain all paths pass the same levels: one drawing, a formula that is factored, a column for each factor. Where they
part, every branch has a drawing and a term of its own, and paths are listed each with its own factors.

A drawing has one column for each level, every node of it joined to every node of the next:

       x2 ──w──▶ O11 ─┬─▶ O21 ─┬─▶ O31 ───▶ L
                      └─▶ O22 ─┘

Where each node leads to one only, as through a sum of two layers, the lines are parallel. Of many nodes the first two
and the last are drawn, of many levels the first and last few.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from harness.explaining.case import MOST_BRANCHES, Case
from harness.explaining.layout import WIDTH, wrapped
from harness.explaining.symbols import MOST_WRITTEN, by_branch, by_path, factored, headings
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
        parallel = [place for place, step in enumerate(branch.steps) if _one_to_one(step.edges, branch, place)]
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


def _one_to_one(edges: np.ndarray, branch: Branch, place: int) -> bool:
    """Whether every node leads to the one beside it only."""
    taken: Sequence[list[int]] = branch.nodes[place : place + 2]
    between = edges[np.ix_(*taken)]
    return between.shape != (1, 1) and np.array_equal(between, np.eye(*between.shape, dtype=bool))


MOST_NODES, MOST_COLUMNS = 4, 72
BETWEEN = "⋮"
LEFT_OUT = "more levels"

_JUNCTIONS = {  # (up, down, left, right)
    (0, 0, 1, 1): "─", (0, 1, 1, 1): "┬", (1, 0, 1, 1): "┴", (1, 1, 1, 1): "┼",
    (1, 0, 0, 1): "└", (0, 1, 0, 1): "┌", (1, 1, 0, 1): "├",
    (1, 0, 1, 0): "┘", (0, 1, 1, 0): "┐", (1, 1, 1, 0): "┤",
    (1, 1, 0, 0): "│", (0, 0, 0, 0): " ",
}  # fmt: skip


def drawn(levels: Sequence[Sequence[str]], source: str | None = None, parallel: Collection[int] = ()) -> list[str]:
    """The lines of a drawing of levels of node names; `source` stands before the weight that the first level is.

    From the levels at positions in `parallel` every node leads to the one beside it only.
    """
    columns = [_shown(level) for level in levels]
    offset = int(source is not None)
    if source is not None:
        label = columns[0][0]
        start = _column([source])
        start[0] += f" ──{label}──▶ "
        blocks = [_even(start)]
        columns = columns[1:]
    else:
        blocks = []
    middle = _too_wide(columns, len(blocks[0][0]) if blocks else 0)
    for position, column in enumerate(columns):
        if position in middle:
            if position == middle[0]:
                blocks.append(_even([f"··· {len(middle)} {LEFT_OUT} ···"]))
                blocks.append(_bus([""], columns[middle[-1] + 1]))
            continue
        blocks.append(_even(_column(column)))
        following = columns[position + 1 : position + 2]
        if following:
            join = _beside if position + offset in parallel and position + 1 not in middle else _bus
            blocks.append(join(column, [""] if position + 1 in middle else following[0]))
    height = max(len(block) for block in blocks)
    padded = [block + [" " * len(block[0])] * (height - len(block)) for block in blocks]
    return ["".join(parts).rstrip() for parts in zip(*padded, strict=True)]


def _shown(level: Sequence[str]) -> list[str]:
    return list(level) if len(level) <= MOST_NODES else [*level[:2], BETWEEN, level[-1]]


def _column(nodes: Sequence[str]) -> list[str]:
    width = max(map(len, nodes))
    return [node.center(width) if node == BETWEEN else node.ljust(width) for node in nodes]


def _even(lines: list[str]) -> list[str]:
    width = max(map(len, lines))
    return [line.ljust(width) for line in lines]


def _bus(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What joins each node of a column to each of the next."""
    height = max(len(before), len(after))
    left = [r < len(before) and before[r] != BETWEEN for r in range(height)]
    right = [r < len(after) and after[r] != BETWEEN for r in range(height)]
    lines = []
    for r in range(height):
        junction = _JUNCTIONS[(int(r > 0), int(r < height - 1), int(left[r]), int(right[r]))]
        lines.append(f" {'─' if left[r] else ' '}{junction}{'─▶ ' if right[r] else '   '}")
    return lines


def _beside(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What joins each node of a column to the one beside it."""
    return [" ──▶ " if node != BETWEEN and to != BETWEEN else "     " for node, to in zip(before, after, strict=True)]


def _too_wide(columns: Sequence[Sequence[str]], used: int) -> range:
    """Positions of the levels in the middle that do not fit."""
    widths = [max(map(len, column)) + 6 for column in columns]
    if used + sum(widths) <= MOST_COLUMNS:
        return range(0)
    return range(2, len(columns) - 2)
