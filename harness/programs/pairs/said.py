"""The map that a user gives: which array is which, by names, with what is done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.programs.pairs.arrangement import Arrangement
from harness.programs.pairs.pair import Pair
from harness.usage import UsageError, did_you_mean
from impls.captured import Leaf
from impls.contract import Array


def as_said(
    sources: Sequence[Leaf], targets: Sequence[Leaf], said: Mapping[str, str], called: tuple[str, str]
) -> list[Pair]:
    """The pairs of a map.

    Raises:
        UsageError: it names nothing, or one array twice; or what it says does not fit.
    """
    used: dict[str, Array] = {}
    pairs = list[Pair]()
    for to, text in said.items():
        target = _named(to, targets, called[1])
        source, arrangement = _named_with_arrangement(text, sources, called[0])
        try:
            places = arrangement.places(source.array.shape)
        except (ValueError, IndexError) as error:
            raise UsageError(f"Cannot map {text!r} to {to!r}, because {error}; give what fits its shape.") from None
        if places.shape != target.array.shape:
            raise UsageError(
                f"Cannot map {text!r} to {to!r}, because that is {places.shape} and this {target.array.shape}; add "
                f".T, .transpose(...), .reshape(...) or [first:last]."
            )
        taken = used.setdefault(source.name, np.zeros(source.array.size, bool))
        if taken[places].any() or any(pair.target is target for pair in pairs):
            raise UsageError(f"Cannot map {text!r} to {to!r}, because a part of either is mapped already; map it once.")
        taken[places.ravel()] = True
        pairs.append(Pair(source, target, arrangement, "map"))
    return pairs


def _named(name: str, leaves: Sequence[Leaf], program: str) -> Leaf:
    """The leaf of a name, or whose name alone ends so."""
    exact = [leaf for leaf in leaves if leaf.name == name]
    found = exact or [leaf for leaf in leaves if leaf.name.endswith(f".{name}")]
    if len(found) != 1:
        near = did_you_mean(name, [leaf.name for leaf in leaves])
        many = f"{len(found)} arrays end so" if found else f"there is no such array{near}"
        raise UsageError(f"Cannot map {name!r} of {program}, because {many}; name one of {listed(leaves)}.")
    return found[0]


def _named_with_arrangement(text: str, leaves: Sequence[Leaf], program: str) -> tuple[Leaf, Arrangement]:
    cuts = [at for at in range(1, len(text)) if text[at] in ".["]
    for at in cuts[::-1]:
        try:
            arrangement = Arrangement(text[at:])
        except ValueError:
            continue
        if any(leaf.name == text for leaf in leaves):
            break
        if any(leaf.name == text[:at] or leaf.name.endswith(f".{text[:at]}") for leaf in leaves):
            return _named(text[:at], leaves, program), arrangement
    return _named(text, leaves, program), Arrangement()


def listed(leaves: Sequence[Leaf]) -> str:
    """The first of them with their shapes."""
    told = [f"{leaf.name} {'×'.join(map(str, leaf.array.shape)) or '1'}" for leaf in leaves[:6]]
    more = f" and {len(leaves) - 6} more" if len(leaves) > 6 else ""
    return ", ".join(told) + more if told else "nothing"
