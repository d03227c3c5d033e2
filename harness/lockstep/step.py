"""Judging: everything that is compared of one implementation at one point.

A pass gets the formula check, in float64, the rounding check link by link, and its difference from the
hand code's pass at the same point; an update its own links. At step 1 the implementation is also asked a
second time, and once more without taps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic import profile_of
from harness.candidates.conformance import BreachError
from harness.candidates.implementation import Participant
from harness.comparison import checks
from harness.comparison.judge import Row, not_comparable
from harness.comparison.updates import update as update_rows
from harness.evaluation.point import Point
from harness.inputs.stride import Stride
from harness.surveys.accuracy.inaccurate_functions import with_causes
from impls.contract import Array, CannotCompareError, Pass, Update, tensors_of


class Judged(NamedTuple):
    """The rows of one pass, and the passes that they are about: in float64, and in the working dtype if another."""

    rows: list[Row]
    passes: list[Pass]


def judge_pass(participant: Participant, point: Point, result: Pass, expected: Pass | None, stride: Stride) -> Judged:
    """Every row of one pass; `expected` is the hand code's at this point, None if that is what is judged."""
    again = _again(participant, point, result, expected, stride) if point.step == 1 else []
    rows, result64 = _formula(participant, point, result, stride)
    passes = [result64, result] if result64 is not None and result64 is not result else [result]
    rows += _working(participant, point, result, expected, stride)
    return Judged(rows + again, passes)


def _working(participant: Participant, point: Point, result: Pass, expected: Pass | None, stride: Stride) -> list[Row]:
    """The checks in the working dtype: link by link, and end to end against the hand code."""
    profile = profile_of(participant.dtype, participant.eager)
    found = checks.rounding(point, participant.name, result, profile, stride)
    rows = _told(participant, point, result, found)
    if expected is not None:
        rows += checks.end_to_end(point, participant.name, result, expected, stride)
    return rows


def judge_update(
    participant: Participant,
    optimizer: Any,
    point: Point,
    gradients: Mapping[str, Array],
    update: Update | None,
    stride: Stride,
) -> list[Row]:
    """Every row of one update; where there is none because the optimizer is missing, that is said."""
    name = participant.name
    if update is not None:
        return update_rows(
            optimizer, point.weights, gradients, participant.state_before, update,
            profile_of(participant.dtype), against=name, step=point.step, stride=stride,
        )  # fmt: skip
    if not participant.alive:
        return []
    reason = f"{name} has no optimizer equal to {optimizer!r}"
    return [not_comparable("rounding", weight, name, point.step, reason) for weight in point.weights]


def _formula(
    participant: Participant, point: Point, result: Pass, stride: Stride, *, tap: bool = True
) -> tuple[list[Row], Pass | None]:
    """The formula check on a float64 pass of its own, and that pass; one without float64 is not comparable there."""
    name = participant.name
    result64: Pass | None = result
    if participant.dtype != "float64":
        try:
            participant.built("float64")
        except CannotCompareError as reason:
            gradients = participant.network.gradients
            return [not_comparable("formula", g, name, point.step, str(reason)) for g in gradients], None
        except BreachError:
            pass  # told, and recorded, by the attempt that follows
        result64 = participant.pass_at(point.double, tap=tap)
    if result64 is None:
        return [], None
    return _told(participant, point, result64, checks.formula(point, name, result64, stride)), result64


def _told(participant: Participant, point: Point, result: Pass, rows: list[Row]) -> list[Row]:
    """The rows of one pass, wrong forward links with their cause if it can be shown."""
    if all(row.verdict != "FAULT" for row in rows):
        return rows
    tensors = point.tensors(result)
    return with_causes(rows, point.network, tensors, participant.built(str(tensors["loss"].dtype)))


def _again(participant: Participant, point: Point, first: Pass, expected: Pass | None, stride: Stride) -> list[Row]:
    """A second call, which should answer the same, and an untapped one, which taps should not change.

    Where one differs, that is said, and it is judged like the first: the untapped pass is the program that a
    user runs.
    """
    second, untapped = participant.pass_at(point), participant.pass_at(point, tap=False)
    rows: list[Row] = []
    if second is not None and (tensor := _first_difference(first, second)):
        message = f"answers differently the second time: {tensor} first, at step 1; both answers are judged"
        participant.record(1, "second call differs", message, tensor, fails=False)
        rows += _formula(participant, point, second, stride)[0]
        rows += _working(participant, point, second, expected, stride)
    if untapped is not None and (tensor := _first_difference(first, untapped)):
        message = f"gives other gradients when its intermediates are tapped: {tensor} first, at step 1; both are judged"
        participant.record(1, "tap changes the program", message, tensor, fails=False)
        shown = tensors_of(untapped)
        found = _formula(participant, point, untapped, stride, tap=False)[0]
        if expected is not None:
            found += checks.end_to_end(point, participant.name, untapped, expected, stride)
        rows += [row for row in found if row.gradient in shown]
    return rows


def _first_difference(first: Pass, second: Pass) -> str | None:
    """The first tensor that is not the same in both."""
    one, other = tensors_of(first), tensors_of(second)
    return next((name for name in one if name in other and not np.array_equal(one[name], other[name])), None)
