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
from harness.arithmetic.threads import one_thread
from harness.diagnosis.confirmation import Confirmed, best_of, confirmed
from harness.diagnosis.diagnosis import Diagnosis, Found, merged, told
from harness.diagnosis.edited import at_their_source, shortest
from harness.diagnosis.hypotheses import Hypothesis, Planted, ranked, residual
from harness.diagnosis.kinks import on_a_kink
from harness.diagnosis.progress import Progress
from harness.diagnosis.whole_pass import everything_in_float32, paired
from harness.evaluation.point import Point
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


class _Search(Progress):
    """The order in which explanations are looked for."""

    def __init__(self, now: Planted, faulty: Sequence[str], *, beyond: bool) -> None:
        super().__init__(now, faulty)
        self.beyond = beyond

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
            return self.explained(tensor, tried, found, best)
        if best:
            return edited
        return (
            self._edited(tensor, open_, wrong)
            or (self._edited(tensor, cleared, wrong) if cleared else None)
            or self._everywhere(tensor, open_, wrong)
            or self._beside(tensor, wrong)
            or self._behind_a_factor(tensor, tried, open_, wrong)
            or self.unknown(tensor, tried, open_, wrong)
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
        diagnosis = self.diagnosis(tensor, tensor, (cause,), (), frozenset([tensor]), ())
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
                best = shortest(best_of(found), self.now)
                return self.explained(tensor, tried, found, best, tuple(at_their_source(best, self.now)))
        return None

    def _everywhere(self, tensor: str, suspects: Sequence[str], wrong: Sequence[str]) -> Found | None:
        """One edit at every link of a kind that is not shown."""
        if not self.beyond:
            return None
        for cause, links, planted, explains in self.edits.everywhere(tensor, suspects, self.now, wrong):
            diagnosis = self.diagnosis(tensor, cause.at, (cause,), (), explains, ())
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
                return self.explained(other, tried, found, best_of(sharp))
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
                actual, rule = self.now.shown[tensor], other.fault.rule
                both = planted.floats.predicted(other.fault.at, rule, [tensor])[tensor]
                off = residual(actual, both, float(np.abs(actual).max()))
                says = f"{factor.says}; besides it there is another mistake"
                cause = Cause(factor.cause, first, says, factor.formula, off)
                diagnosis = self.diagnosis(tensor, first, (cause,), tried, reached, ())
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

    def _in_float32(self, tensor: str, wrong: Sequence[str], best: Sequence[Confirmed]) -> Found | None:
        """Everything computed in float32, where that explains more than one link in float32 does."""
        single = [c.cause for c in best if c.explains >= set(wrong)]
        # One link that is not shown may explain as much; but with nothing right, nothing speaks for just one.
        if single and (tensor in {c.cause.at for c in best} or len(wrong) < len(self.now.shown)):
            return None
        cause = everything_in_float32(self.now, tensor, wrong, single[0].at if single else tensor)
        if cause is None:
            return None
        diagnosis = self.diagnosis(tensor, cause.at, (cause, *single), (), frozenset(wrong), ())
        self.told |= set(wrong)
        return Found(diagnosis)
