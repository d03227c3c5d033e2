"""The drawing of the paths: one column for each level, every node of it joined to every node of the next.

       x2 ──w──▶ O11 ─┬─▶ O21 ─┬─▶ O31 ───▶ L
                      └─▶ O22 ─┘

Where each node leads to one only, as through a sum of two layers, the lines are parallel. Of many nodes the first two
and the last are drawn, of many levels the first and last few.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
