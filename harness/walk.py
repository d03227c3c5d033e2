"""The walk: what each link of a network should give, given whatever tensors somebody shows.

A backward pass may show every intermediate, or only the gradients of the weights. Link by link, in the order
of a training step, the walk gives what the link should give: it reads what is shown where something is shown,
and what the walk itself got where nothing is. So an error is found at the first tensor shown behind it, and
every later one is judged given that tensor.

What is shown, and right, may have been computed anew by whoever reads it: a function that shows a2 may have
used sigmoid(z2) inside dz2. It is passed on with the bound of its own link, which covers both. What is shown,
and wrong, is passed on exactly as it is.

A link can be replaced by another rule (`planted`): the walk then gives what a program with that fault gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, Profile
from harness.centre import Array
from harness.point import Point

Rule = Callable[[Mapping[str, Any]], Any]
"""From tensors by name (weights, x, y, and every tensor before) to one tensor; plain NumPy, no dtype in it."""


@dataclass(frozen=True)
class Walk:
    """What every link should give.

    Attributes:
        expected: by the name of the tensor, forward tensors, the loss and gradients, in the order of the links.
        read: what the links read: weights, x, y, and of every tensor what is shown, or else what is expected.
        undecided: comparisons at a kink that the bounds leave open.
    """

    expected: Mapping[str, Bounded]
    read: Mapping[str, Any]
    undecided: int


def walk(point: Point, shown: Mapping[str, Array], profile: Profile, planted: Mapping[str, Rule] | None = None) -> Walk:
    """Walk the links of a point's network.

    Args:
        point: network, weights and batch.
        shown: tensors by name (z1, a1, loss, da3, dW1, ...), of the shapes that the network gives them.
        profile: of the programs that may have made them.
        planted: rules in place of the links that give these tensors.
    """
    context, rules = Context(profile), planted or {}
    tensors = given(point, context)
    expected: dict[str, Bounded] = {}
    for link in point.network.links:
        undecided = context.undecided
        expected[link.output] = value = rules.get(link.output, link)(tensors)
        if link.output in shown:
            # A bound that opens both branches of a kink is none of rounding, and is not passed on.
            decided = context.undecided == undecided
            value = passed_on(shown[link.output], value, context) if decided else context.shown(shown[link.output])
        tensors[link.output] = value
    return Walk(expected, tensors, context.undecided)


def given(point: Point, context: Context) -> dict[str, Any]:
    """Weights and batch, exact as given; labels stay whole numbers."""
    tensors: dict[str, Any] = {name: context.exact(w) for name, w in point.weights.items()}
    tensors["x"] = context.exact(point.x)
    tensors["y"] = np.asarray(point.y) if point.network.loss.labels else context.exact(point.y)
    return tensors


def passed_on(shown: Array, expected: Bounded, context: Context) -> Bounded:
    """What later links read of a tensor that is shown."""
    result = context.shown(shown)
    if right(shown, expected):
        return Bounded(result.value, result.bound + expected.bound, context)
    return result


def right(shown: Array, expected: Bounded) -> bool:
    """Whether every entry is within its allowance, or where nothing is bounded."""
    with np.errstate(invalid="ignore"):
        inside = np.abs(np.asarray(shown, np.float64) - expected.value) <= expected.bound
    return bool(np.all(inside | ~np.isfinite(expected.bound) | ~np.isfinite(expected.value)))
