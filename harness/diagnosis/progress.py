"""Progress: what a search has found so far, and how a finding becomes a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.diagnosis.confirmation import Confirmed, runner_up
from harness.diagnosis.diagnosis import Diagnosis, Found, which_of, worst_entry
from harness.diagnosis.edits import Edits
from harness.diagnosis.hypotheses import Hypothesis, Planted, in_full
from harness.diagnosis.patterns import told_by
from harness.diagnosis.whole_pass import only_as_small
from harness.faults import Fault, faults_at, right_formula
from harness.faults.cause import Cause
from harness.faults.place import Place


class Progress:
    """Where a search stands.

    Attributes:
        now: the walk with every mistake planted that was found so far.
        faulty: the tensors that are to be explained.
        told: those that are.
        edits: of the rules, and what may still be computed of them.
    """

    def __init__(self, now: Planted, faulty: Sequence[str]) -> None:
        self.now, self.point, self.faulty = now, now.point, list(faulty)
        self.links = now.point.network.link
        self.told: set[str] = set()
        self._faults: dict[str, list[Fault]] = {}
        self.edits = Edits(now.point.network)

    def faults(self, name: str) -> list[Fault]:
        """The catalogue at a link."""
        if name not in self._faults:
            self._faults[name] = faults_at(self.point.network, self.links[name])
        return self._faults[name]

    def explained(
        self,
        tensor: str,
        tried: Sequence[Hypothesis],
        found: Sequence[Confirmed],
        best: Sequence[Confirmed],
        beside: tuple[Cause, ...] = (),
    ) -> Found:
        """What explains most; it is planted where its link is not shown.

        Args:
            beside: what gives the same numbers at other links.
        """
        actual, floats, outside = self.now.shown[tensor], self.now.floats, self.now.outside(tensor)
        causes: dict[tuple[str, str, str], Cause] = {}
        for c in best:
            full = in_full(c.hypothesis, tensor, actual, floats, outside)
            causes[c.cause.cause, c.cause.at, c.cause.formula] = replace(c.cause, residual=full.residual)
        also = tuple(c.cause for c in found if c not in best)
        others = [h for h in tried if not any(h is c.hypothesis for c in found)]
        at = best[0].cause.at
        diagnosis = self.diagnosis(tensor, at, (*causes.values(), *beside), others, best[0].explains, ())
        self.told |= best[0].explains
        if at not in self.now.shown:
            self.now = self.now.plus(at, best[0].hypothesis.fault.rule, best[0].rule)
        return Found(diagnosis, also)

    def unknown(self, tensor: str, tried: Sequence[Hypothesis], suspects: Sequence[str], wrong: Sequence[str]) -> Found:
        """Located at the tensor itself, unless something else that is wrong comes from one hidden link alone."""
        reached = {name: self.now.reach.of(name) & set(wrong) for name in suspects}
        most = max(len(names) for names in reached.values())
        # What hands on what it reads has nothing in it to be wrong.
        hidden = [
            n for n in suspects if len(reached[n]) == most > 1 and not Place(self.point.network, self.links[n]).hands_on
        ]
        explains = frozenset([tensor]).union(*(reached[name] for name in hidden))
        at = hidden[0] if len(hidden) == 1 else tensor
        where: tuple[str, ...] = ()
        if hidden:
            where = (f"the mistake is in {which_of(self.point.network, hidden)} not shown",)
        where += only_as_small(self.now, tensor)
        if self.edits.work.missed:
            where += (f"the search among edits of the rule was cut: {self.edits.work.missed} of them were not tried",)
        diagnosis = self.diagnosis(tensor, at, (), tried, explains, where)
        self.told |= explains
        return Found(diagnosis)

    def diagnosis(
        self,
        tensor: str,
        at: str,
        causes: tuple[Cause, ...],
        tried: Sequence[Hypothesis],
        explains: frozenset[str],
        where: tuple[str, ...],
    ) -> Diagnosis:
        """A mistake at a link, which shows in a tensor.

        Args:
            tried: hypotheses, of which the best that is refuted is told.
            where: what is known of the place.
        """
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
