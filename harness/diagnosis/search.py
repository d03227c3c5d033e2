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
from harness.diagnosis.diagnosis import Cause, Diagnosis, worst_entry
from harness.diagnosis.factors import paired
from harness.diagnosis.hypotheses import (
    Confirmed,
    Hypothesis,
    best_of,
    confirmed,
    evident,
    in_full,
    ranked,
    refuted,
    residual,
)
from harness.diagnosis.kinks import on_a_kink
from harness.diagnosis.merging import Found, merged, with_evidence
from harness.diagnosis.narrow import only_as_small, wholly_in_float32
from harness.diagnosis.patterns import told_by
from harness.evaluation.expected import right
from harness.evaluation.incremental import Reach, in_bounds, in_floats
from harness.evaluation.point import Point
from harness.faults import Fault, faults_at, right_formula
from harness.faults.fault import FAR_OFF
from impls.contract import Array
from impls.graph import Link, Rule
from impls.hand import Add, Identity


def diagnose(point: Point, shown: Mapping[str, Array], profile: Profile, faulty: Sequence[str]) -> list[Diagnosis]:
    """What is wrong, in the order of the walk.

    Args:
        point: network, weights and batch.
        shown: somebody's tensors by name, forward ones or gradients, of the shapes that the network gives them.
        profile: of the programs that are right.
        faulty: names of shown tensors that lie outside what `harness.evaluation.expected.walk` expects, in its order.

    Returns:
        A diagnosis for each mistake; none for what is a convention at a kink. Every faulty tensor that is no
        convention is explained by one of them.
    """
    with one_thread():  # hundreds of products, each too small for more
        search = _Search(point, shown, profile, faulty)
        return [with_evidence(d) for d in merged(point.network, search.found(), search.faults)]


class _Search:
    def __init__(self, point: Point, shown: Mapping[str, Array], profile: Profile, faulty: Sequence[str]) -> None:
        self.point, self.profile, self.faulty = point, profile, list(faulty)
        self.links: Mapping[str, Link] = point.network.link
        self.shown = {n: np.asarray(a, np.float64) for n, a in shown.items() if n in self.links}
        self.reach = Reach(point.network, self.shown)
        self.told: set[str] = set()
        self._faults: dict[str, list[Fault]] = {}
        self.in_floats: dict[str, Rule] = {}
        self.in_bounds: dict[str, Rule] = {}
        self._replay()

    def faults(self, name: str) -> list[Fault]:
        """The catalogue at a link."""
        if name not in self._faults:
            self._faults[name] = faults_at(self.point.network, self.links[name])
        return self._faults[name]

    def found(self) -> list[Found]:
        diagnoses: list[Found] = []
        while True:
            wrong = [name for name in self.faulty if name not in self.told and self._wrong(name)]
            if not wrong:
                return diagnoses
            diagnosis = self._first(wrong)
            if diagnosis:
                diagnoses.append(diagnosis)

    def _replay(self) -> None:
        """The tensors with everything that is planted so far."""
        self.floats = in_floats(self.point, self.reach, self.shown, self.in_floats)
        self.bounds = in_bounds(self.point, self.reach, self.shown, self.profile, self.in_bounds)

    def _wrong(self, name: str) -> bool:
        return name in self.shown and not right(self.shown[name], self.bounds.expected[name])

    def _first(self, wrong: Sequence[str]) -> Found | None:
        """The diagnosis of the first of the wrong tensors; None if it is a convention."""
        tensor = wrong[0]
        if on_a_kink(self.point.network, self.links[tensor], self.shown[tensor], self.bounds):
            self.told.add(tensor)
            return None
        overwritten = self._overwritten(tensor)
        if overwritten:
            return overwritten
        suspects = [link.output for link in self.reach.suspects(tensor)]
        open_ = [name for name in suspects if self.reach.of(name) <= set(wrong)] or [tensor]
        tried, found = self._hypotheses(open_, tensor, wrong)
        cleared = [name for name in suspects if name not in open_ and self.links[name].of]
        if cleared and not any(c.explains >= set(wrong) for c in found if c.rank == 0):
            more, besides = self._hypotheses(cleared, tensor, wrong)
            tried, found = sorted([*tried, *more], key=lambda h: h.residual), [*found, *besides]
        best = best_of(found)
        if all(c.hypothesis.tier == 2 for c in best):
            whole = self._in_float32(tensor, wrong, best)
            if whole:
                return whole
        if best:
            return self._explained(tensor, tried, found, best)
        return (
            self._beside(tensor, wrong)
            or self._behind_a_factor(tensor, tried, open_, wrong)
            or self._unknown(tensor, tried, open_, wrong)
        )

    def _overwritten(self, tensor: str) -> Found | None:
        """A forward tensor that is wrong where it is shown, and was right where it was read."""
        told = self.point.network.tensors[tensor]
        if told.role != "activation":
            return None
        rest = {name: array for name, array in self.shown.items() if name != tensor}
        reach = Reach(self.point.network, rest)
        bounds = in_bounds(self.point, reach, rest, self.profile, self.in_bounds)
        readers = reach.of(tensor)
        if not readers or not all(right(rest[name], bounds.expected[name]) for name in readers):
            return None
        if all(right(rest[name], self.bounds.expected[name]) for name in readers):
            return None  # nothing tells the two apart
        kind = CALLED.get(told.local, "tensor")
        says = (
            f"{tensor} is not the {kind} any more where you return it (overwritten?): what is computed from it is right"
        )
        floats = in_floats(self.point, reach, rest, self.in_floats)
        off = max(residual(rest[n], floats.expected[n], float(np.abs(rest[n]).max())) for n in readers)
        cause = Cause("overwritten", tensor, says, f"what reads {tensor} reads the right one:", off)
        diagnosis = self._diagnosis(tensor, tensor, (cause,), (), frozenset([tensor]), ())
        self.told.add(tensor)
        self.shown, self.reach = rest, reach
        self._replay()
        return Found(diagnosis)

    def _beside(self, tensor: str, wrong: Sequence[str]) -> Found | None:
        """What explains another wrong tensor, at a link that both come from; the first may have two mistakes."""
        both = [link.output for link in self.reach.suspects(tensor) if link.output not in self.shown]
        for other in wrong:
            names = [name for name in both if other in self.reach.of(name) <= set(wrong)]
            if other == tensor or not names:
                continue
            tried, found = self._hypotheses(names, other, wrong)
            sharp = [c for c in found if c.rank == 0]
            if sharp:
                return self._explained(other, tried, found, best_of(sharp))
        return None

    def _behind_a_factor(
        self, tensor: str, tried: Sequence[Hypothesis], suspects: Sequence[str], wrong: Sequence[str]
    ) -> Found | None:
        """A factor at the first suspect with which a single hypothesis explains the tensor; it is planted then."""
        backward = [link.output for link in self.point.network.backward_links]
        first = next((name for name in backward if name in suspects), tensor)
        if first in self.shown or first in self.in_bounds:
            return None
        reached = self.reach.of(first) & set(wrong)
        for factor, other in paired(tensor, self.shown[tensor], tried, self.faults(first), self.floats):
            planted = {**self.in_bounds, first: factor.rule}
            bounds = in_bounds(self.point, self.reach, self.shown, self.profile, planted)
            reach = {other.fault.at: self.reach.of(other.fault.at) & set(wrong)}
            if confirmed([other], tensor, self.shown, bounds, reach, wrong):
                cause = Cause(factor.cause, first, f"{factor.says}, and besides", factor.formula, other.residual)
                diagnosis = self._diagnosis(tensor, first, (cause,), tried, reached, ())
                self.in_floats[first] = self.in_bounds[first] = factor.rule
                self._replay()
                return Found(diagnosis)
        return None

    def _hypotheses(
        self, names: Sequence[str], tensor: str, wrong: Sequence[str]
    ) -> tuple[list[Hypothesis], list[Confirmed]]:
        faults = [fault for name in names for fault in self.faults(name)]
        tried = ranked(faults, tensor, self.shown[tensor], self.floats)
        settled = {name for name in self.told if self._wrong(name)}
        reach = {name: self.reach.of(name) - settled for name in names}
        several = len(self.faulty) > 1
        found = confirmed(tried, tensor, self.shown, self.bounds, reach, wrong, numbers=several)
        place = {id(fault): number for number, fault in enumerate(faults)}

        def order(c: Confirmed) -> tuple[object, ...]:
            # A wide allowance goes after all that is sharp, and a number after what has none; a backward pass is
            # checked, so the slip is likely there.
            backward = self.links[c.cause.at].of is not None
            return c.hypothesis.tier == 2, c.cause.number is not None, not backward, place[id(c.hypothesis.origin)]

        return tried, sorted(found, key=order)

    def _plant(self, outcome: Confirmed) -> None:
        at = outcome.hypothesis.fault.at
        self.told |= outcome.explains
        if at not in self.shown:
            self.in_floats[at], self.in_bounds[at] = outcome.hypothesis.fault.rule, outcome.rule
            self._replay()

    def _explained(
        self, tensor: str, tried: Sequence[Hypothesis], found: Sequence[Confirmed], best: Sequence[Confirmed]
    ) -> Found:
        causes = tuple({(c.cause.cause, c.cause.at, c.cause.formula): self._in_full(c, tensor) for c in best}.values())
        also = tuple(c.cause for c in found if c not in best)
        others = [h for h in tried if not any(h is c.hypothesis for c in found)]
        diagnosis = self._diagnosis(tensor, causes[0].at, causes, others, best[0].explains, ())
        self._plant(best[0])
        return Found(diagnosis, also)

    def _in_full(self, outcome: Confirmed, tensor: str) -> Cause:
        full = in_full(outcome.hypothesis, tensor, self.shown[tensor], self.floats, self._outside(tensor))
        return replace(outcome.cause, residual=full.residual)

    def _outside(self, tensor: str) -> Array:
        """The entries of a shown tensor that are wrong."""
        expected = self.bounds.expected[tensor]
        return evident(self.shown[tensor], expected, expected)[0]

    def _unknown(
        self, tensor: str, tried: Sequence[Hypothesis], suspects: Sequence[str], wrong: Sequence[str]
    ) -> Found:
        """Located at the tensor itself, unless something else that is wrong comes from one hidden link alone."""
        reached = {name: self.reach.of(name) & set(wrong) for name in suspects}
        most = max(len(names) for names in reached.values())
        # What hands on what it reads has nothing in it to be wrong.
        hidden = [n for n in suspects if len(reached[n]) == most > 1 and not _hands_on(self.links[n])]
        explains = frozenset([tensor]).union(*(reached[name] for name in hidden))
        at = hidden[0] if len(hidden) == 1 else tensor
        where: tuple[str, ...] = (
            (f"the mistake is in {_listed(hidden)}, which {_are(hidden)} not shown",) if hidden else ()
        )
        if self.profile.dtype == "float64":
            where += only_as_small(self.point, self.reach, self.shown, tensor, self._outside(tensor))
        diagnosis = self._diagnosis(tensor, at, (), tried, explains, where)
        self.told |= explains
        return Found(diagnosis)

    def _in_float32(self, tensor: str, wrong: Sequence[str], best: Sequence[Confirmed]) -> Found | None:
        """Everything computed in float32, where that explains more than one link in float32 does."""
        if self.profile.dtype != "float64":
            return None
        # One link that is not shown may explain as much; but with nothing right, nothing speaks for just one.
        alone = any(c.explains >= set(wrong) for c in best)
        if alone and (tensor in {c.cause.at for c in best} or len(wrong) < len(self.shown)):
            return None
        narrow = wholly_in_float32(self.point, self.reach, self.shown, wrong)
        if narrow is None:
            return None
        says = (
            "everything has the accuracy of float32, not that of float64, in which it is returned: all of it are "
            "exactly float32 numbers"
        )
        size = float(np.abs(self.shown[tensor]).max())
        off = residual(self.shown[tensor], narrow[tensor].value, size)
        single = [c.cause for c in best if c.explains >= set(wrong)]
        at = single[0].at if single else tensor
        causes = (Cause("computed in float32", at, says, "the same, in float32", off), *single)
        diagnosis = self._diagnosis(tensor, at, causes, (), frozenset(wrong), ())
        self.told |= set(wrong)
        return Found(diagnosis)

    def _runner_up(self, tensor: str, causes: Sequence[Cause], tried: Sequence[Hypothesis]) -> Cause | None:
        """The best guess that is refuted, at a link where the mistake may be; None if it is far off."""
        actual, where = self.shown[tensor], self._outside(tensor)
        accepted, places = {(c.cause, c.at) for c in causes}, {c.at for c in causes}
        for guess in tried:
            known = (guess.fault.cause, guess.fault.at) in accepted or (places and guess.fault.at not in places)
            if guess.tier == 2 or known:
                continue
            full = in_full(guess, tensor, actual, self.floats, where)
            if not full.residual <= FAR_OFF:
                return None
            if refuted(guess, tensor, actual, self.bounds):
                return full.as_cause()
        return None

    def _diagnosis(
        self,
        tensor: str,
        at: str,
        causes: tuple[Cause, ...],
        tried: Sequence[Hypothesis],
        explains: frozenset[str],
        where: tuple[str, ...],
    ) -> Diagnosis:
        runner_up = self._runner_up(tensor, causes, tried)
        network, actual, expected = self.point.network, self.shown[tensor], self.bounds.expected[tensor]
        known = told_by(actual, expected, *network.tensors[tensor].axes, samples=self.point.rows)
        return Diagnosis(
            at=at,
            shown_at=tensor,
            causes=causes,
            runner_up=runner_up,
            known=(*where, *known),
            should=right_formula(network, self.links[at]),
            entry=worst_entry(self.links[tensor], actual, expected.value, self.floats),
            explains=tuple(name for name in self.links if name in explains),
        )


CALLED = {"a": "activation", "z": "pre-activation"}
"""What a layer's own name for what it gives stands for."""

HAND_ON = (Identity, Add)
"""Layers whose gradient is what they read, entry by entry."""


def _hands_on(link: Link) -> bool:
    return isinstance(link.layer, HAND_ON) and (link.of is not None or len(link.inputs) == 1)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
