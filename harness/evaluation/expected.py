"""The walk: what each link of a network should give, given whatever tensors somebody shows.

A backward pass may show every intermediate, or only the gradients of the weights. Link by link, in the order
of a training step, the walk gives what the link should give: it reads what is shown where something is shown,
and what the walk itself got where nothing is. So an error is found at the first tensor shown behind it, and
every later one is judged given that tensor.

What is shown, and right, may have been computed anew by whoever reads it: a function that shows a2 may have
used sigmoid(z2) inside dz2. It is passed on with the bound of its own link, which covers both. What is shown,
and wrong, is passed on exactly as it is.

A link can be replaced by another rule (`planted`): the walk then gives what a program with that fault gives.

One function has several forms, and some of them lose digits that the hand code's does not. Each is a right program
with a bound of its own (`harness.diagnosis.equivalent`). They are asked only where a shown tensor is outside its link's
bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, Profile
from harness.evaluation.given import as_numbers
from harness.evaluation.point import Point
from impls.contract import Array
from impls.graph import Link, Rule, evaluate


@dataclass(frozen=True)
class Form:
    """Another right form of a link: the same function, with its own rounding.

    Attributes:
        at: name of the tensor that the link gives.
        says: the form in local names, and what it costs: ``tanh(z) = 2/(1 + exp(−2z)) − 1, which loses digits near 0``.
        rule: what is computed, from tensors by name.
    """

    at: str
    says: str
    rule: Rule

    def beside(self, base: Rule) -> Rule:
        """The form where it is bounded, and `base` where it may overflow: there it explains nothing.

        For plain arrays as for bounded ones.
        """
        return lambda tensors: bounded_or(self.rule(tensors), base(tensors))


@dataclass(frozen=True)
class Walk:
    """What every link should give.

    Attributes:
        expected: by the name of the tensor, forward tensors, the loss and gradients, in the order of the links.
        read: what the links read: weights, x, y, and of every tensor what is shown, or else what is expected.
        undecided: comparisons at a kink that the bounds leave open.
        forms: of shown tensors that only another form of their link explains, that form.
    """

    expected: Mapping[str, Bounded]
    read: Mapping[str, Any]
    undecided: int
    forms: Mapping[str, Form] = field(default_factory=dict)


def walk(
    point: Point,
    shown: Mapping[str, Array],
    profile: Profile,
    planted: Mapping[str, Rule] | None = None,
    forms: Callable[[Link], Sequence[Form]] | None = None,
) -> Walk:
    """Walk the links of a point's network.

    Args:
        point: network, weights and batch.
        shown: tensors by name (z1, a1, loss, da3, dW1, ...), of the shapes that the network gives them.
        profile: of the programs that may have made them.
        planted: rules in place of the links that give these tensors.
        forms: other right forms of a link; of a shown tensor outside its bound, the first that holds it is expected.
    """
    context = Context(profile)
    tensors = given(point, context)
    expected: dict[str, Bounded] = {}
    taken: dict[str, Form] = {}
    decided = 0

    def read(link: Link, value: Bounded) -> Bounded:
        nonlocal decided
        name = link.output
        if forms and name in shown and not value.holds(shown[name]):
            form, value = _first_form(shown[name], value, forms(link), tensors)
            taken.update({name: form} if form else {})
        expected[name] = value
        # A bound that opens both branches of a kink is none of rounding, and is not passed on.
        opened, decided = context.undecided > decided, context.undecided
        if name not in shown:
            return value
        return context.shown(shown[name]) if opened else passed_on(shown[name], value, context)

    evaluate(point.network.links, tensors, planted=planted or {}, passed_on=read)
    return Walk(expected, tensors, context.undecided, taken)


def _first_form(
    shown: Array, base: Bounded, forms: Sequence[Form], tensors: Mapping[str, Any]
) -> tuple[Form | None, Bounded]:
    context = base.context
    undecided = context.undecided
    for form in forms:
        value = bounded_or(form.rule(tensors), base)
        if value.holds(shown):
            return form, value
        context.undecided = undecided
    return None, base


def bounded_or(form: Any, base: Any) -> Any:
    """A form's entries where they are bounded, or finite in plain arrays; elsewhere those of `base`."""
    if not isinstance(form, Bounded):
        return np.where(np.isfinite(form), form, base)
    value, bound = np.where(form.bounded, form.value, base.value), np.where(form.bounded, form.bound, base.bound)
    return Bounded(value, bound, base.context)


def given(point: Point, context: Context) -> dict[str, Any]:
    """Weights and batch, exact as given; labels stay whole numbers."""
    return as_numbers(point.network, point.named, context.exact)


def passed_on(shown: Array, expected: Bounded, context: Context) -> Bounded:
    """What later links read of a tensor that is shown."""
    result = context.shown(shown)
    if expected.holds(shown):
        return Bounded(result.value, result.bound + expected.bound, context)
    return result
