"""The chain rule written out: factored, and path by path.

    ∂L/∂w = ∂L/∂O31 · ( ∂O31/∂O21·∂O21/∂O11 + ∂O31/∂O22·∂O22/∂O11 ) · ∂O11/∂w
          = ∂L/∂O31·∂O31/∂O21·∂O21/∂O11·∂O11/∂w
          + ∂L/∂O31·∂O31/∂O22·∂O22/∂O11·∂O11/∂w

Where a level has one node, every path passes it, and what lies before and behind it are factors. Many paths are
written with sums over the nodes of each level, Σ_k over O2k. Where paths part into branches, or a layer joins each
neuron to one only, there is a term for each path, or for each branch one with sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, product

from harness.explaining.symbols import letter_of, ratio

MOST_WRITTEN = 4
"""Up to so many paths are written out one by one."""
SUM = "Σ"


def factored(levels: Sequence[Sequence[str]], generic: Sequence[str]) -> list[str]:
    """The factors of the whole derivative, from the loss back; `levels` are node names from the start to the loss."""
    single = [position for position, level in enumerate(levels) if len(level) == 1]
    written = _routes(levels) <= MOST_WRITTEN
    factors = []
    for first, last in pairwise(single):
        between = range(first + 1, last)
        if not between:
            factors.append(ratio(levels[last][0], levels[first][0]))
        elif written:
            factors.append(f"( {' + '.join(_terms(levels, first, last, levels[last][0]))} )")
        else:
            factors.append(f"( {_summed(generic, first, last)} )")
    if len(factors) == 1 and factors[0].startswith("( "):
        return [factors[0][2:-2]]
    return factors[::-1]


def by_path(levels: Sequence[Sequence[str]], generic: Sequence[str]) -> list[str]:
    """One term for each path, or a single one with sums in front."""
    if _routes(levels) <= MOST_WRITTEN:
        return ["·".join(_ratios(route)) for route in product(*levels)]
    return [_sums(levels, generic)]


def by_branch(
    routes: Sequence[Sequence[str]], branches: Sequence[tuple[Sequence[Sequence[str]], Sequence[str]]], more: str
) -> list[str]:
    """One term for each path of few, else one for each branch, of which there may be `more`.

    Args:
        routes: the node names of every path, from the start to the loss, or none if there are many.
        branches: for each its levels' node names, and the name of each level.
    """
    if routes:
        return ["·".join(_ratios(route)) for route in routes]
    terms = [_sums(levels, generic) for levels, generic in branches]
    return [*terms, f"({more} more branches)"] if more != "0" else terms


def headings(generic: Sequence[str]) -> list[str]:
    """What the factors of a path are called, from the start on: ``∂O11/∂w``, ``∂O2k/∂O11``, ..."""
    return _ratios(generic)[::-1]


def _sums(levels: Sequence[Sequence[str]], generic: Sequence[str]) -> str:
    sums = [f"{SUM}_{letter_of(name)}" for name, level in zip(generic, levels, strict=True) if len(level) > 1]
    return " ".join([*sums[::-1], "·".join(_ratios(generic))])


def _routes(levels: Sequence[Sequence[str]]) -> int:
    return math.prod(map(len, levels))


def _ratios(route: Sequence[str]) -> list[str]:
    return [ratio(of, by) for by, of in pairwise(route)][::-1]


def _terms(levels: Sequence[Sequence[str]], first: int, last: int, node: str) -> list[str]:
    """d node / d (the single node of the first level): a term for each node of the level before."""
    if last - first == 1:
        return [ratio(node, levels[first][0])]
    terms = []
    for before in levels[last - 1]:
        inner = _terms(levels, first, last - 1, before)
        rest = inner[0] if len(inner) == 1 else f"({' + '.join(inner)})"
        terms.append(f"{ratio(node, before)}·{rest}")
    return terms


def _summed(generic: Sequence[str], first: int, last: int) -> str:
    parts = []
    for position in range(last - 1, first, -1):
        parts.append(f"{SUM}_{letter_of(generic[position])} {ratio(generic[position + 1], generic[position])}")
    return " · ".join([*parts, ratio(generic[first + 1], generic[first])])
