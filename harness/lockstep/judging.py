"""Judging: what is made of the evidence, by functions of nothing else.

A pass gets the formula check, in float64, the rounding check link by link, and its difference from the hand code's
pass at the same point; an update its own links. No program is run here.
"""

from __future__ import annotations

from typing import Any

from harness.comparison import checks
from harness.comparison.checks import update as update_rows
from harness.comparison.judge import Row, not_comparable
from harness.inputs.schedule import Stride
from harness.lockstep.evidence import Evidence, Program, UpdateEvidence
from impls.contract import Pass, tensors_of


def judged(evidence: Evidence, stride: Stride) -> list[tuple[Pass | None, list[Row]]]:
    """Every row of one implementation's passes, each group of rows with the pass that it is about."""
    found = [*_formula(evidence, evidence.first, stride), *_working(evidence, evidence.first, stride)]
    if evidence.second is not None:
        found += [*_formula(evidence, evidence.second, stride), *_working(evidence, evidence.second, stride)]
    if (untapped := evidence.untapped) is not None:
        shown = tensors_of(untapped.working)
        groups = [*_formula(evidence, untapped, stride), (None, _against_hand(evidence, untapped.working, stride))]
        found += [(result, [row for row in rows if row.gradient in shown]) for result, rows in groups]
    return found


def judged_update(evidence: UpdateEvidence, optimizer: Any, stride: Stride) -> list[Row]:
    """Every row of one update; where there is none because the optimizer is missing, that is said."""
    name, point = evidence.name, evidence.point
    if evidence.update is None:
        reason = f"{name} has no optimizer equal to {optimizer!r}"
        return [not_comparable("rounding", weight, name, point.step, reason) for weight in point.weights]
    return update_rows(
        optimizer, point.weights, evidence.gradients, evidence.before, evidence.update, evidence.profile,
        against=name, step=point.step, stride=stride,
    )  # fmt: skip


def _formula(evidence: Evidence, program: Program, stride: Stride) -> list[tuple[Pass | None, list[Row]]]:
    """The formula check of the float64 pass; one without float64 is not comparable there."""
    point, name = evidence.point, evidence.name
    if evidence.no_double is not None:
        gradients = point.network.gradients
        return [(None, [not_comparable("formula", g, name, point.step, evidence.no_double) for g in gradients])]
    if program.double is None:
        return []
    return [(program.double, checks.formula(point, name, program.double, stride))]


def _working(evidence: Evidence, program: Program, stride: Stride) -> list[tuple[Pass | None, list[Row]]]:
    """The checks in the working dtype: link by link, and end to end against the hand code."""
    result = program.working
    rows = checks.rounding(evidence.point, evidence.name, result, evidence.profile, stride)
    return [(result, rows), (None, _against_hand(evidence, result, stride))]


def _against_hand(evidence: Evidence, result: Pass, stride: Stride) -> list[Row]:
    if evidence.expected is None:
        return []
    return checks.end_to_end(evidence.point, evidence.name, result, evidence.expected, stride)
