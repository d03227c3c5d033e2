"""Judging: what is made of the evidence of a step, by functions of nothing else.

A pass gets the formula check, in float64, the rounding check link by link, and its difference from the hand code's
pass at the same point; an update its own links.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from harness.comparison import checks
from harness.comparison.certification import Certificate, certify
from harness.comparison.checks import update as update_rows
from harness.comparison.judge import Row, finite, not_comparable
from harness.evaluation.given import digest_of
from harness.evaluation.point import Point
from harness.fault_injection.misses import count_misses
from harness.lockstep.evidence import Evidence, Program, StepEvidence, UpdateEvidence
from harness.lockstep.threads import side_by_side
from harness.results.record import WEIGHTS_KEPT, PowerCount, Step
from harness.surveys.accuracy import with_causes
from impls.abilities import Comparer
from impls.contract import Pass, tensors_of
from impls.registry import REFERENCE


def judged(step: StepEvidence, most: int | None = None) -> Step:
    """A step as the record has it.

    Args:
        most: threads that judge, if not all that there may be.
    """
    here = step.here
    rows, certificates, undecided = list[Row](), list[Certificate](), 0
    if step.checked != "none" and not step.diverged:
        of_passes, of_updates = _rows(step, most)
        of_centre, certificates = certify(step.points, {each.name: each.first.passes for each in step.of_passes})
        rows = [*of_passes, *of_centre, *of_updates]
        undecided = here.double.centre("float64").undecided if step.checked == "full" else 0
    return Step(
        step=step.number, digest=digest_of(here.weights), weights=_kept(here),
        losses={name: finite(loss) for name, loss in step.losses.items()}, drift=step.drift,
        checked=step.checked, rows=rows,
        findings=step.findings, undecided=undecided, certificates=certificates, doubles=_doubles(step),
    )  # fmt: skip


def power_of(step: StepEvidence, comparers: Callable[[], dict[str, Comparer]]) -> PowerCount | None:
    """How many planted faults the checks of a step would have missed; None where it has none, or no hand code."""
    if step.checked == "none" or step.diverged or REFERENCE not in step.passes:
        return None
    no_float64 = {each.profile for each in step.of_passes if each.no_double is not None}
    return count_misses(step.here, step.passes[REFERENCE], comparers(), no_float64)


def _small(point: Point) -> bool:
    return sum(w.size for w in point.weights.values()) <= WEIGHTS_KEPT


def _kept(point: Point) -> dict[str, list[float]] | None:
    return {name: w.ravel().tolist() for name, w in point.weights.items()} if _small(point) else None


def _doubles(step: StepEvidence) -> dict[str, dict[str, list[float | None]]]:
    """The gradients of the weights in float64, by implementation, for who explains the derivatives later."""
    here = step.here
    if not (step.milestone and _small(here)):
        return {}
    names = [here.network.gradient[weight] for weight in here.weights]
    return {
        each.name: {name: [finite(g) for g in double.gradients[name].ravel()] for name in names}
        for each in step.of_passes
        if (double := each.first.double) is not None and each.point is here and each.name != REFERENCE
    }


def _rows(step: StepEvidence, most: int | None) -> tuple[list[Row], list[Row]]:
    """The rows of all passes, and those of all updates."""
    only = step.only if step.checked == "sample" else None
    made = [(each, check) for each in step.of_passes for check in checks_of(each, only)]
    moves = [partial(judged_update, each, step.optimizer, only) for each in step.of_updates]
    # Whoever needs a centre waits while another finds it: one begins with it, and links are judged alone meanwhile.
    order = sorted(range(len(made)), key=lambda place: place > 0 and made[place][1].derives)
    # Updates first: what they need is forgotten before anything of a whole pass is kept.
    calls: list[Callable[[], Any]] = [*moves, *(made[place][1].judge for place in order)]
    # A sample is judged sooner than threads begin.
    most = 1 if only is not None else most
    found = side_by_side(calls, step.here.network.multiply_adds(step.here.rows), most)
    of_updates, groups = found[: len(moves)], dict(zip(order, found[len(moves) :], strict=True))
    told = [_explained(step, each, *groups[place]) for place, (each, _) in enumerate(made)]
    return [row for rows in told for row in rows], [row for rows in of_updates for row in rows]


def _explained(step: StepEvidence, evidence: Evidence, result: Pass | None, rows: list[Row]) -> list[Row]:
    """The rows of a check, wrong forward links with their cause if it can be shown."""
    if result is None or all(row.verdict != "FAULT" for row in rows):
        return rows
    point, made = evidence.point, step.built(evidence.name, str(np.asarray(result.loss).dtype))
    return with_causes(rows, point.network, point.tensors(result), made)


Group = tuple[Pass | None, list[Row]]
"""Rows, with the pass that they are about, if what makes them wrong can be looked for in it."""


class PassCheck(NamedTuple):
    """One check of a pass.

    Attributes:
        derives: whether it needs what is derived for the point as a whole.
    """

    derives: bool
    judge: Callable[[], Group]


def checks_of(evidence: Evidence, only: Container[str] | None = None) -> list[PassCheck]:
    """Every check of one implementation's passes, none of which needs another to have been made.

    Where a sample is judged, `only` says of which tensors.
    """
    made: list[PassCheck] = []
    for program in filter(None, (evidence.first, evidence.second)):
        alone = PassCheck(derives=False, judge=partial(_rounding, evidence, program.working, only))
        made += [*_formula(evidence, program), alone, *_against_hand(evidence, program.working)]
    if (untapped := evidence.untapped) is not None:
        shown = tensors_of(untapped.working)
        whole = [*_formula(evidence, untapped), *_against_hand(evidence, untapped.working)]
        made += [each._replace(judge=partial(_only, shown, each.judge)) for each in whole]
    return made


def _only(shown: Container[str], check: Callable[[], Group]) -> Group:
    result, rows = check()
    return result, [row for row in rows if row.gradient in shown]


def judged_update(evidence: UpdateEvidence, optimizer: Any, only: Container[str] | None = None) -> list[Row]:
    """Every row of one update; where there is none because the optimizer is missing, that is said."""
    name, point = evidence.name, evidence.point
    if evidence.update is None:
        reason = f"{name} has no optimizer equal to {optimizer!r}"
        missing = [weight for weight in point.weights if only is None or weight in only]
        return [not_comparable("rounding", weight, name, point.step, reason) for weight in missing]
    return update_rows(
        optimizer, point.weights, evidence.gradients, evidence.before, evidence.update, evidence.profile,
        against=name, step=point.step, only=only, context=point.context,
    )  # fmt: skip


def _formula(evidence: Evidence, program: Program) -> list[PassCheck]:
    """The formula check of the float64 pass; one without float64 is not comparable there."""
    point, name, double, no_double = evidence.point, evidence.name, program.double, evidence.no_double
    if no_double is not None:
        rows = [not_comparable("formula", g, name, point.step, no_double) for g in point.network.gradients]
        return [PassCheck(derives=False, judge=lambda: (None, rows))]
    if double is None:
        return []
    whole = evidence.profile.whole
    return [PassCheck(derives=True, judge=lambda: (double, checks.formula(point, name, double, whole)))]


def _rounding(evidence: Evidence, result: Pass, only: Container[str] | None) -> Group:
    """Link by link."""
    return result, checks.rounding(evidence.point, evidence.name, result, evidence.profile, only)


def _against_hand(evidence: Evidence, result: Pass) -> list[PassCheck]:
    """End to end in the working dtype."""
    point, name, expected, whole = evidence.point, evidence.name, evidence.expected, evidence.profile.whole
    if expected is None:
        return []
    return [PassCheck(derives=True, judge=lambda: (None, checks.end_to_end(point, name, result, expected, whole)))]
