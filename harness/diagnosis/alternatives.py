"""Reading: which right program explains most of what somebody shows.

A right program takes a side at each kink, and writes each link in some form. What is shown tells only part of that.
The walk is made for the hand code's choices first; only where something is outside are others asked, first the sides
of kinks that are not shown (`kinks`), then forms of links that are not shown (`forms`). Each choice is a right
program with a bound of its own, so that none of them widens what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.arithmetic import Bounded, Profile
from harness.diagnosis.forms import forms_at, hidden_forms, planted_forms
from harness.diagnosis.kinks import Kinks
from harness.evaluation.expected import Form, Walk, given, walk
from harness.evaluation.point import Point
from impls.contract import Array
from impls.graph import Link, Rule

Wrong = Callable[[Walk], frozenset[str]]


@dataclass
class Reading:
    """The walk by which each tensor is judged.

    Attributes:
        shown: somebody's tensors.
        forms: other right forms of a link.
        walked: given what is shown.
        planted: rules that stand in it in place of links.
        convention: what is taken at kinks that are not shown, where the hand code's side does not explain it.
        by_convention: tensors that only this convention explains.
        hull: the walk with both sides of every kink open, where `walked` leaves no argument exactly on one open.
        undecided_only: tensors that are inside `hull`, though no single convention explains them.
        on_kinks: arguments exactly on kinks that are not shown.
        hidden: forms of links that are not shown.
        by_hidden: tensors that only these forms explain.
    """

    point: Point
    shown: Mapping[str, Array]
    profile: Profile
    forms: Callable[[Link], Sequence[Form]]
    walked: Walk
    planted: dict[str, Rule] = field(default_factory=dict)
    convention: str = ""
    by_convention: frozenset[str] = frozenset()
    hull: Walk | None = None
    undecided_only: frozenset[str] = frozenset()
    on_kinks: int = 0
    hidden: dict[str, Form] = field(default_factory=dict)
    by_hidden: frozenset[str] = frozenset()
    _end_forms: dict[str, Form] = field(default_factory=dict)

    def expected(self, name: str) -> Bounded:
        """What a tensor should be, given what is shown."""
        walked = self.hull if self.hull and name in self.undecided_only else self.walked
        return walked.expected[name]

    def centre(self, name: str) -> Bounded:
        """What a tensor should be, end to end."""
        return (self._open_centre if name in self.undecided_only else self._centre)[name]

    @cached_property
    def _centre(self) -> Mapping[str, Bounded]:
        return self._end_to_end(self.planted)

    @cached_property
    def _open_centre(self) -> Mapping[str, Bounded]:
        return self._end_to_end(self._formed(self.hidden))

    def _end_to_end(self, planted: Mapping[str, Rule]) -> Mapping[str, Bounded]:
        """Every tensor from x on; a form that no link alone needed may be needed here, where bounds are sharper."""
        rules = {**planted, **self._formed(self.walked.forms)}
        hand = self.point.centre(self.profile.dtype).tensors
        expected = walk(self.point, {}, self.profile, rules).expected if rules else hand
        while form := self._needed(expected):
            self._end_forms[form.at] = form
            rules |= self._formed({form.at: form})
            expected = walk(self.point, {}, self.profile, rules).expected
        return expected

    def _needed(self, expected: Mapping[str, Bounded]) -> Form | None:
        """The first form that explains, end to end, a tensor that is right as a link."""
        for link in self.point.network.links:
            name = link.output
            if name not in self.shown or name in self._end_forms or expected[name].holds(self.shown[name]):
                continue
            if not self.walked.expected[name].holds(self.shown[name]):
                return None  # what comes behind a wrong link inherits
            tensors = {**given(self.point, expected[name].context), **expected}
            for form in self.forms(link):
                if form.beside(link)(tensors).holds(self.shown[name]):
                    return form
        return None

    def _formed(self, forms: Mapping[str, Form]) -> dict[str, Rule]:
        return planted_forms(forms, self.point.network.link)

    @property
    def rules(self) -> dict[str, Rule]:
        """What stands in place of links in the right program by which the tensors are judged."""
        planted = self._formed(self.hidden) if self.undecided_only else self.planted
        return {**planted, **self._formed(self.walked.forms)}

    def right_as(self, name: str) -> str | None:
        """Of a tensor that is right in another form than the hand code's: which."""
        forms = {**self._end_forms, **self.walked.forms}
        if name in forms:
            return f"right as {forms[name].says}"
        if name in self.by_hidden:
            says = dict.fromkeys(f"{form.says.split(',')[0]}" for form in self.hidden.values())
            return f"right with {' and '.join(says)}"
        return None


def reading(point: Point, shown: Mapping[str, Array], profile: Profile, wrong: Wrong) -> Reading:
    """The reading of somebody's tensors.

    Args:
        wrong: names of shown tensors that a walk does not explain.
    """
    known: dict[str, list[Form]] = {}

    def forms(link: Link) -> list[Form]:
        if link.output not in known:
            known[link.output] = forms_at(link)
        return known[link.output]

    def walked(planted: Mapping[str, Rule]) -> Walk:
        return walk(point, shown, profile, planted, forms)

    found = Reading(point, shown, profile, forms, walked({}))
    if found.walked.undecided:
        _decide(found, Kinks(point.network, shown), walked, wrong)
    outside = wrong(found.walked)
    if outside:
        beside = lambda rules: walked({**found.planted, **rules})  # noqa: E731
        found.hidden = hidden_forms(point.network, shown, forms, beside, wrong)
    if found.hidden:
        rules = planted_forms(found.hidden, point.network.link)
        found.planted |= rules
        found.walked = walked(found.planted)
        found.by_hidden = outside - wrong(found.walked)
        found.hull = walked(rules) if found.hull else None
    if found.hull:
        found.undecided_only = wrong(found.walked) - wrong(found.hull)
    return found


def _decide(found: Reading, kinks: Kinks, walked: Callable[[Mapping[str, Rule]], Walk], wrong: Wrong) -> None:
    """Decide the arguments exactly on a kink, if there are any, by the convention that explains most."""
    if not kinks.links:
        return
    own, *others = kinks.conventions()
    rules = kinks.decided(own)
    decided = walked(rules)
    found.on_kinks = kinks.on_kinks(decided)
    if not found.on_kinks:
        return
    found.hull, found.walked, found.planted = found.walked, decided, rules
    least = wrong(found.hull)
    outside = before = wrong(decided)
    for convention in others:
        if outside <= least:
            return
        rules = kinks.decided(convention)
        decided = walked(rules)
        rest = wrong(decided)
        if len(rest) < len(outside):
            outside, found.walked, found.planted = rest, decided, rules
            found.convention, found.by_convention = str(convention), before - rest
