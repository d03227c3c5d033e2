"""Why gradients of an operation are wrong: a mistake that gives their numbers, and the line that puts them right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from harness.candidates.operation import Operation
from harness.candidates.repairs import Repair, repairs_of
from harness.checking.operation_judging import Tried
from harness.evaluation.references.expected import gradient_of
from harness.faults.cause import Cause
from harness.faults.operations.causes import cause_of
from harness.faults.operations.explanation import Explanation
from harness.results.setting import shown_path

EDIT = "one edit of your code"
IF_KNOWN = 0.5
"""Share of the search for an edit that is made where a cause is known already."""


def explained(
    candidate: Operation, given: Sequence[Any], tried: Sequence[Tried], *, linear: Callable[[str], bool]
) -> list[Explanation]:
    """Of each gradient that is wrong in some case.

    Args:
        given: forward and backward, as they were given.
        linear: whether a gradient was seen to be linear in the upstream.
    """
    if not any(each.read.wrong for each in tried):
        return []
    names = [name for name in tried[0].at.inputs.values() if any(name in each.read.wrong for each in tried)]
    found = [
        cause_of(
            name,
            [each.situation for each in tried if name in each.read.wrong],
            [each.situation for each in tried if name in each.read.right and _tells(each, name)],
            linear=linear(gradient_of(name)),
        )
        for name in names
    ]
    repairs = _repairs(candidate, given, tried, 1 if any(each.cause == "unknown" for each in found) else IF_KNOWN)
    return [replace(each, repair=_told(each.at, repairs)) for each in found]


def _tells(each: Tried, name: str) -> bool:
    """Whether a right gradient tells anything of a cause: where it is 0 all over, so is its multiple."""
    return bool(each.situation.expected[name].value.any())


def _repairs(candidate: Operation, given: Sequence[Any], tried: Sequence[Tried], share: float) -> list[Repair]:
    """None where calls have changed what later calls give: then an edit would be judged by what others left behind."""
    if any(finding.kind in STATEFUL for each in tried for finding in each.findings):
        return []
    cases = [each.read for each in tried if each.read.wrong or each.read.right]
    return repairs_of(candidate, [function for function in given if function is not None], cases, share)


STATEFUL = ("timeout", "accumulates", "overwrites", "second call differs")
"""Findings about somebody's code that is called no more than it has to be."""


def _told(gradient: str, repairs: Sequence[Repair]) -> Cause | None:
    for repair in repairs:
        if gradient in map(gradient_of, repair.of):
            place = f"{shown_path(repair.file)}:{repair.line}"
            says = f"{place}: with `{repair.after}` in place of `{repair.before}` {gradient} is right in every case"
            return Cause(EDIT, gradient, says, place, 0.0)
    return None
