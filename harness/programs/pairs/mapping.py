"""Mapping: which array of one program is which of another, and how it lies in it.

    map         as the user says
    numbers     both hold the same numbers already, in one arrangement or another: somebody has ported them
    name        both are called the same
    shape       there is no other of as many numbers and that kind
    order       among several, the likeliest by their names, and by the order of names and of use

Data must be there already: what one program is called with, the other must be called with too. An arrangement that a
shape alone does not tell, of a square matrix, is that of others of its kind; where there is none, it is `undecided`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from harness.programs.pairs.arrangement import arrangements
from harness.programs.pairs.names import in_order, kind, last, likeness, owner, plain
from harness.programs.pairs.pair import Mapped, Pair, same
from harness.programs.pairs.said import as_said, listed
from harness.results.program_pair import How
from harness.usage import UsageError
from impls.captured import Leaf
from impls.contract import Array

Uses = Callable[[], Mapping[str, int]]
"""By leaf, the first step that reads it."""
NEVER = 1e6
"""The cost of two arrays that cannot be the same."""


def mapped(
    sources: Sequence[Leaf],
    targets: Sequence[Leaf],
    uses: tuple[Uses, Uses],
    said: Mapping[str, str] | None,
    called: tuple[str, str],
) -> Mapped:
    """Pair the arrays of one program with those of another.

    Args:
        uses: of either program.
        said: by the name of a target, the name of a source and what is done to it: ``"fc.weight.T"``.
        called: what the programs are called.

    Raises:
        UsageError: the map names nothing, or one array twice; they have other arguments, or no weight in common.
    """
    found = Mapped(sources=list(sources), targets=list(targets))
    for pair in as_said(sources, targets, said or {}, called):
        found.take(pair)
    _by_numbers(found)
    _refuse_other_data(found, called)
    _by_name(found)
    _alone(found)
    if any(_weights(found.sources)) and any(_weights(found.targets)):
        _by_order(found, (uses[0](), uses[1]()))
    found.pairs = _arranged(found.pairs)
    weights = [pair for pair in found.pairs if pair.source.role != "argument" or pair.target.role != "argument"]
    if not weights and any(leaf.role == "weight" for leaf in (*sources, *targets)):
        uses[1]()  # it may not run at all, which is told in its stead
        raise UsageError(
            f"Cannot compare {called[0]} and {called[1]}, because no weight of one has the shape of one of the other "
            f"({listed(sources)}; {listed(targets)}); say by --map which is which."
        )
    return found


def _by_numbers(found: Mapped) -> None:
    """What holds the same numbers already; numbers that are all the same tell nothing of weights."""
    for target in [*found.targets]:
        constant = target.array.size < 2 or bool((target.array == target.array.flat[0]).all())
        if constant and target.role != "argument":
            continue
        fits = [
            (likeness(source.name, target.name), -place, source, arrangement)
            for place, source in enumerate(found.sources)
            if _alike(source.array, target.array) and (not constant or source.role == "argument")
            for arrangement in arrangements(source.array.shape, target.array.shape)
            if same(arrangement.of(source.array), target.array)
        ]
        if fits:
            *_, source, arrangement = max(fits, key=lambda fit: fit[:2])
            found.take(Pair(source, target, arrangement, "numbers"))


def _alike(one: Array, other: Array) -> bool:
    """Whether two arrays may hold the same numbers, at a first look."""
    if one.size != other.size or one.dtype.kind not in "fiub" or other.dtype.kind not in "fiub" or not one.size:
        return False
    return same(np.array([one.min(), one.max()]), np.array([other.min(), other.max()]))


def _refuse_other_data(found: Mapped, called: tuple[str, str]) -> None:
    """What one program is called with must be what the other is called with."""
    mine, theirs = ([leaf for leaf in side if leaf.role == "argument"] for side in (found.sources, found.targets))
    if not mine or not theirs:
        return
    apart = _apart(mine[0].array, [leaf.array for leaf in theirs])
    what = "another shape" if apart is None else f"other numbers, {apart:.1e} apart"
    raise UsageError(
        f"Cannot compare {called[0]} and {called[1]}, because what they are called with has {what}: {listed(mine)}; "
        f"{listed(theirs)}; let both be called with the same, in any layout."
    )


def _apart(one: Array, others: Sequence[Array]) -> float | None:
    """How far an array's numbers are from those of the nearest of others, in any layout; None if none has its shape."""
    one = np.asarray(one, np.float64)
    gaps = [
        float(np.max(np.abs(way.of(one) - other), initial=0.0))
        for other in others
        if other.dtype.kind in "fiub"
        for way in arrangements(one.shape, other.shape)
    ]
    return min(gaps, default=None)


def _by_name(found: Mapped) -> None:
    for target in [*found.targets]:
        same = [leaf for leaf in found.sources if plain(leaf.name) == plain(target.name)]
        if len(same) == 1 and (ways := tuple(arrangements(same[0].array.shape, target.array.shape))):
            found.take(Pair(same[0], target, ways[0], "name", ways[1:]))


def _weights(leaves: Sequence[Leaf]) -> list[Leaf]:
    """Those that are given: all but buffers, unless their name says what they are."""
    return [leaf for leaf in leaves if leaf.array.dtype.kind == "f" and (leaf.role != "buffer" or kind(leaf.name))]


def _alone(found: Mapped) -> None:
    """What can only be one thing; and then what can, now that this is taken."""
    left = -1
    while left != len(found.targets):
        left = len(found.targets)
        sources, targets = _weights(found.sources), _weights(found.targets)
        fits = _fits(sources, targets)
        for i, j in zip(*np.nonzero(fits), strict=True):
            if fits[i].sum() == fits[:, j].sum() == 1:
                _take(found, sources[i], targets[j], "shape")


def _by_order(found: Mapped, uses: tuple[Mapping[str, int], Mapping[str, int]]) -> None:
    """The likeliest of all ways to pair what is left: names first, then their order, then that of use."""
    sources, targets = _weights(found.sources), _weights(found.targets)
    fits, owners = _fits(sources, targets), {owner(p.source.name): owner(p.target.name) for p in found.pairs}
    ranks = [_ranks(side, used) for side, used in zip((sources, targets), uses, strict=True)]
    costs = np.full(fits.shape, NEVER)
    for i, j in zip(*np.nonzero(fits), strict=True):
        by_name, by_use = (abs(ranks[0][i][k] - ranks[1][j][k]) for k in (0, 1))
        mine, its = owner(sources[i].name), owner(targets[j].name)
        elsewhere = owners.get(mine, its) != its or (mine not in owners and its in owners.values())
        costs[i, j] = 1 - likeness(sources[i].name, targets[j].name) + by_name + by_use / 4 + 2 * elsewhere
    for i, j in zip(*linear_sum_assignment(costs), strict=True):
        if costs[i, j] < NEVER:
            _take(found, sources[i], targets[j], "order")


def _fits(sources: Sequence[Leaf], targets: Sequence[Leaf]) -> Array:
    """Which may be which, by what they are in their layers, and by their shapes."""
    found = np.zeros((len(sources), len(targets)), bool)
    for i, source in enumerate(sources):
        for j, target in enumerate(targets):
            kinds = kind(source.name), kind(target.name)
            may = None in kinds or kinds[0] == kinds[1]
            found[i, j] = may and next(arrangements(*_shapes(source, target)), None) is not None
    return found


def _take(found: Mapped, source: Leaf, target: Leaf, how: How) -> None:
    first, *others = arrangements(*_shapes(source, target))
    found.take(Pair(source, target, first, how, tuple(others)))


def _shapes(one: Leaf, other: Leaf) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return one.array.shape, other.array.shape


def _ranks(leaves: Sequence[Leaf], used: Mapping[str, int]) -> list[tuple[float, float]]:
    """Of each leaf among those of as many numbers and its kind: its share of the way by names, and by use."""
    groups: dict[tuple[int, str | None], list[Leaf]] = {}
    for leaf in leaves:
        groups.setdefault((leaf.array.size, kind(leaf.name)), []).append(leaf)
    found = {}
    for group in groups.values():
        by_name = sorted(group, key=lambda leaf: in_order(leaf.name))
        by_use = sorted(group, key=lambda leaf: used.get(leaf.name, len(used)))
        for leaf in group:
            found[leaf.name] = by_name.index(leaf) / len(group), by_use.index(leaf) / len(group)
    return [found[leaf.name] for leaf in leaves]


def _arranged(pairs: Sequence[Pair]) -> list[Pair]:
    """With the arrangement that others of its kind have, where a shape alone does not tell."""
    turned: dict[tuple[str, str], bool] = {}
    for pair in pairs:
        if not pair.others and pair.source.array.ndim > 1 and pair.source.role != "argument":
            turned.setdefault(_kinds(pair), pair.arrangement.turns)
    return [_as_others(pair, turned.get(_kinds(pair))) if pair.others else pair for pair in pairs]


def _kinds(pair: Pair) -> tuple[str, str]:
    return last(pair.source.name), last(pair.target.name)


def _as_others(pair: Pair, turned: bool | None) -> Pair:
    """As others of its kind; else turned where it is called otherwise there, which trying may overrule."""
    ways = (pair.arrangement, *pair.others)
    turn = turned if turned is not None else _kinds(pair)[0] != _kinds(pair)[1]
    chosen = next((way for way in ways if way.turns == turn), ways[0])
    others = tuple(way for way in ways if way is not chosen)
    return replace(pair, arrangement=chosen, others=others, undecided=turned is None and len(ways) > 1)


def tried(pairs: Sequence[Pair], distance: Callable[[Sequence[Pair]], float]) -> list[Pair]:
    """Undecided pairs, kind by kind, in the arrangement with which the programs answer nearest to each other."""
    best = list(pairs)
    for names in dict.fromkeys(_kinds(pair) for pair in pairs if pair.undecided):
        mine = [pair.undecided and _kinds(pair) == names for pair in best]
        other = [_turned_around(pair) if own else pair for pair, own in zip(best, mine, strict=True)]
        best = other if distance(other) < distance(best) else best
    return best


def _turned_around(pair: Pair) -> Pair:
    way = next((way for way in pair.others if way.turns != pair.arrangement.turns), None)
    if way is None:
        return pair
    return replace(pair, arrangement=way, others=(pair.arrangement, *(o for o in pair.others if o is not way)))
