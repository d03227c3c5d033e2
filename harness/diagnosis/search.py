"""Diagnosing: from the first wrong tensor to the mistake that explains it, then on to what is still wrong.

The first wrong tensor has suspects: its own link, and links that are not shown and lead to it unseen. A suspect that
also leads to a shown tensor which is right is cleared: it is heard only if the others leave something unexplained, and
if it is no link of the forward pass. Every fault of the catalogue at every suspect is a hypothesis (`hypotheses`). The
one that explains most is kept planted, and what is still wrong with it has a cause of its own: so two mistakes are both
found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.arithmetic import Profile
from harness.arithmetic.rules.sums import one_thread
from harness.diagnosis.confirmation import Confirmed, best_of, confirmed, runner_up
from harness.diagnosis.diagnosis import Diagnosis, Found, hands_on, merged, told, which_of, worst_entry
from harness.diagnosis.edited import shortest
from harness.diagnosis.edits import Edits
from harness.diagnosis.hypotheses import Hypothesis, Planted, in_full, ranked, residual
from harness.diagnosis.kinks import on_a_kink
from harness.diagnosis.patterns import told_by
from harness.diagnosis.whole_pass import everything_in_float32, only_as_small, paired
from harness.evaluation.point import Point
from harness.faults import Fault, faults_at, right_formula
from harness.faults.cause import Cause
from impls.contract import Array
from impls.graph import Rule


def diagnose(
    point: Point,
    shown: Mapping[str, Array],
    profile: Profile,
    faulty: Sequence[str],
    planted: Mapping[str, Rule] | None = None,
    *,
    beyond: bool = True,
) -> list[Diagnosis]:
    """What is wrong, in the order of the walk.

    Args:
        point: network, weights and batch.
        shown: somebody's tensors by name, forward ones or gradients, of the shapes that the network gives them.
        profile: of the programs that are right.
        faulty: names of shown tensors that lie outside what `harness.evaluation.expected.walk` expects, in its order.
        planted: rules in place of links, by which the others are right: what locating found.
        beyond: whether edits of the rules are searched for what the catalogue does not have.

    Returns:
        A diagnosis for each mistake; none for what is a convention at a kink. Every faulty tensor that is no
        convention is explained by one of them.
    """
    with one_thread():  # hundreds of products, each too small for more
        search = _Search(Planted.right(point, profile, shown, planted or {}), faulty, beyond=beyond)
        return [told(point.network, d) for d in merged(point.network, search.found(), search.faults)]


class _Search:
    def __init__(self, now: Planted, faulty: Sequence[str], *, beyond: bool) -> None:
        self.now, self.point, self.faulty, self.beyond = now, now.point, list(faulty), beyond
        self.links = now.point.network.link
        self.told: set[str] = set()
        self._faults: dict[str, list[Fault]] = {}
        self.edits = Edits(now.point.network)

    def faults(self, name: str) -> list[Fault]:
        """The catalogue at a link."""
        if name not in self._faults:
            self._faults[name] = faults_at(self.point.network, self.links[name])
        return self._faults[name]

    def found(self) -> list[Found]:
        diagnoses: list[Found] = []
        while True:
            wrong = [name for name in self.faulty if name not in self.told and self.now.wrong(name)]
            if not wrong:
                return diagnoses
            if diagnosis := self._first(wrong):
                diagnoses.append(diagnosis)

    def _first(self, wrong: Sequence[str]) -> Found | None:
        """The diagnosis of the first of the wrong tensors; None if it is a convention."""
        tensor = wrong[0]
        if on_a_kink(self.point.network, self.links[tensor], self.now.shown[tensor], self.now.bounds):
            self.told.add(tensor)
            return None
        if overwritten := self._overwritten(tensor):
            return overwritten
        suspects = [link.output for link in self.now.reach.suspects(tensor)]
        open_ = [name for name in suspects if self.now.reach.of(name) <= set(wrong)] or [tensor]
        tried, found = self._hypotheses(open_, tensor, wrong)
        cleared = [name for name in suspects if name not in open_ and self.links[name].of]
        if cleared and not any(c.explains >= set(wrong) for c in found if c.rank == 0):
            more, besides = self._hypotheses(cleared, tensor, wrong)
            tried, found = sorted([*tried, *more], key=lambda h: h.residual), [*found, *besides]
        best = best_of(found)
        if all(c.hypothesis.tier == 2 for c in best) and (whole := self._in_float32(tensor, wrong, best)):
            return whole
        # A number that is seen in too few entries explains nothing by itself.
        told = [c for c in best if c.rank < 2 or c.cause.number is None]
        if best and (told or not (edited := self._edited(tensor, open_, wrong))):
            return self._explained(tensor, tried, found, best)
        if best:
            return edited
        return (
            self._edited(tensor, open_, wrong)
            or (self._edited(tensor, cleared, wrong) if cleared else None)
            or self._everywhere(tensor, open_, wrong)
            or self._beside(tensor, wrong)
            or self._behind_a_factor(tensor, tried, open_, wrong)
            or self._unknown(tensor, tried, open_, wrong)
        )

    def _overwritten(self, tensor: str) -> Found | None:
        """A forward tensor that is wrong where it is shown, and was right where it was read."""
        made = self.point.network.tensors[tensor]
        if made.role != "activation":
            return None
        hidden = self.now.without(tensor)
        readers = hidden.reach.of(tensor)
        if not readers or any(hidden.wrong(name) for name in readers):
            return None
        if not any(self.now.wrong(name) for name in readers):
            return None  # nothing tells the two apart
        kind = {"a": "activation", "z": "pre-activation"}.get(made.local, "tensor")
        says = (
            f"{tensor} is not the {kind} any more where you return it (overwritten?): what is computed from it is right"
        )
        read = {name: hidden.shown[name] for name in readers}
        off = max(residual(a, hidden.floats.expected[n], float(np.abs(a).max())) for n, a in read.items())
        cause = Cause("overwritten", tensor, says, f"what reads {tensor} reads the right one:", off)
        diagnosis = self._diagnosis(tensor, tensor, (cause,), (), frozenset([tensor]), ())
        self.told.add(tensor)
        self.now = hidden
        return Found(diagnosis)

    def _edited(self, tensor: str, suspects: Sequence[str], wrong: Sequence[str]) -> Found | None:
        """The edits of the rule at a suspect, or at a part of what it gives."""
        settled = {name for name in self.told if self.now.wrong(name)}
        reach = {name: self.now.reach.of(name) - settled for name in suspects}
        if not self.beyond:
            return None
        for tried in self.edits.tried(tensor, suspects, self.now, self.faults):
            if found := confirmed(tried, tensor, self.now, reach, wrong):
                return self._explained(tensor, tried, found, shortest(best_of(found), self.now))
        return None

    def _everywhere(self, tensor: str, suspects: Sequence[str], wrong: Sequence[str]) -> Found | None:
        """One edit at every link of a kind that is not shown."""
        if not self.beyond:
            return None
        for cause, links, planted, explains in self.edits.everywhere(tensor, suspects, self.now, wrong):
            diagnosis = self._diagnosis(tensor, cause.at, (cause,), (), explains, ())
            self.told |= explains
            self.now = planted
            return Found(replace(diagnosis, links=links))
        return None

    def _beside(self, tensor: str, wrong: Sequence[str]) -> Found | None:
        """What explains another wrong tensor, at a link that both come from; the first may have two mistakes."""
        both = [link.output for link in self.now.reach.suspects(tensor) if link.output not in self.now.shown]
        for other in wrong:
            names = [name for name in both if other in self.now.reach.of(name) <= set(wrong)]
            if other == tensor or not names:
                continue
            tried, found = self._hypotheses(names, other, wrong)
            if sharp := [c for c in found if c.rank == 0]:
                return self._explained(other, tried, found, best_of(sharp))
        return None

    def _behind_a_factor(
        self, tensor: str, tried: Sequence[Hypothesis], suspects: Sequence[str], wrong: Sequence[str]
    ) -> Found | None:
        """A factor at the first suspect with which a single hypothesis explains the tensor; it is planted then."""
        first = next((link.output for link in self.point.network.backward_links if link.output in suspects), tensor)
        if first in self.now.shown or first in self.now.rules_in_bounds:
            return None
        reached = self.now.reach.of(first) & set(wrong)
        for factor, other in paired(tensor, self.now.shown[tensor], tried, self.faults(first), self.now.floats):
            planted = self.now.plus(first, factor.rule, factor.rule)
            reach = {other.fault.at: self.now.reach.of(other.fault.at) & set(wrong)}
            if confirmed([other], tensor, planted, reach, wrong):
                cause = Cause(factor.cause, first, f"{factor.says}, and besides", factor.formula, other.residual)
                diagnosis = self._diagnosis(tensor, first, (cause,), tried, reached, ())
                self.now = planted
                return Found(diagnosis)
        return None

    def _hypotheses(
        self, names: Sequence[str], tensor: str, wrong: Sequence[str]
    ) -> tuple[list[Hypothesis], list[Confirmed]]:
        faults = [fault for name in names for fault in self.faults(name)]
        tried = ranked(faults, tensor, self.now.shown[tensor], self.now.floats)
        settled = {name for name in self.told if self.now.wrong(name)}
        reach = {name: self.now.reach.of(name) - settled for name in names}
        found = confirmed(tried, tensor, self.now, reach, wrong, numbers=len(self.faulty) > 1)
        place = {id(fault): number for number, fault in enumerate(faults)}

        def order(c: Confirmed) -> tuple[object, ...]:
            # A wide allowance goes after all that is sharp, and a number after what has none; a backward pass is
            # checked, so the slip is likely there; and where paths meet rather than in one of them.
            at, number = c.cause.at, c.cause.number is not None
            forward, part = self.links[at].of is None, bool(self.point.network.tensors[at].through)
            return c.hypothesis.tier == 2, number, forward, part, place[id(c.hypothesis.origin)]

        return tried, sorted(found, key=order)

    def _explained(
        self, tensor: str, tried: Sequence[Hypothesis], found: Sequence[Confirmed], best: Sequence[Confirmed]
    ) -> Found:
        """What explains most; it is planted where its link is not shown."""
        actual, floats, outside = self.now.shown[tensor], self.now.floats, self.now.outside(tensor)
        causes: dict[tuple[str, str, str], Cause] = {}
        for c in best:
            full = in_full(c.hypothesis, tensor, actual, floats, outside)
            causes[c.cause.cause, c.cause.at, c.cause.formula] = replace(c.cause, residual=full.residual)
        also = tuple(c.cause for c in found if c not in best)
        others = [h for h in tried if not any(h is c.hypothesis for c in found)]
        at = best[0].cause.at
        diagnosis = self._diagnosis(tensor, at, tuple(causes.values()), others, best[0].explains, ())
        self.told |= best[0].explains
        if at not in self.now.shown:
            self.now = self.now.plus(at, best[0].hypothesis.fault.rule, best[0].rule)
        return Found(diagnosis, also)

    def _unknown(
        self, tensor: str, tried: Sequence[Hypothesis], suspects: Sequence[str], wrong: Sequence[str]
    ) -> Found:
        """Located at the tensor itself, unless something else that is wrong comes from one hidden link alone."""
        reached = {name: self.now.reach.of(name) & set(wrong) for name in suspects}
        most = max(len(names) for names in reached.values())
        # What hands on what it reads has nothing in it to be wrong.
        hidden = [n for n in suspects if len(reached[n]) == most > 1 and not hands_on(self.links[n])]
        explains = frozenset([tensor]).union(*(reached[name] for name in hidden))
        at = hidden[0] if len(hidden) == 1 else tensor
        where: tuple[str, ...] = ()
        if hidden:
            where = (f"the mistake is in {which_of(self.point.network, hidden)} not shown",)
        where += only_as_small(self.now, tensor)
        if self.edits.work.missed:
            where += (f"the search among edits of the rule was cut: {self.edits.work.missed} of them were not tried",)
        diagnosis = self._diagnosis(tensor, at, (), tried, explains, where)
        self.told |= explains
        return Found(diagnosis)

    def _in_float32(self, tensor: str, wrong: Sequence[str], best: Sequence[Confirmed]) -> Found | None:
        """Everything computed in float32, where that explains more than one link in float32 does."""
        single = [c.cause for c in best if c.explains >= set(wrong)]
        # One link that is not shown may explain as much; but with nothing right, nothing speaks for just one.
        if single and (tensor in {c.cause.at for c in best} or len(wrong) < len(self.now.shown)):
            return None
        cause = everything_in_float32(self.now, tensor, wrong, single[0].at if single else tensor)
        if cause is None:
            return None
        diagnosis = self._diagnosis(tensor, cause.at, (cause, *single), (), frozenset(wrong), ())
        self.told |= set(wrong)
        return Found(diagnosis)

    def _diagnosis(
        self,
        tensor: str,
        at: str,
        causes: tuple[Cause, ...],
        tried: Sequence[Hypothesis],
        explains: frozenset[str],
        where: tuple[str, ...],
    ) -> Diagnosis:
        actual, expected = self.now.shown[tensor], self.now.bounds.expected[tensor]
        known = told_by(actual, expected, *self.point.network.tensors[tensor].axes, samples=self.point.rows)
        return Diagnosis(
            at=at,
            shown_at=tensor,
            causes=causes,
            runner_up=runner_up(tried, causes, tensor, self.now),
            known=(*where, *known),
            should=right_formula(self.point.network, self.links[at]),
            entry=worst_entry(self.links[tensor], actual, expected.value, self.now.floats),
            explains=tuple(name for name in self.links if name in explains),
        )
