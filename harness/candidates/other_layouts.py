"""Other layouts: whether a function that fails in the layout that it was asked in is right in another one."""

from __future__ import annotations

from copy import copy

from harness.arithmetic import Profile
from harness.candidates.contracts import Obeyed
from harness.candidates.function import BackwardPass
from harness.candidates.layout import LAYOUTS, layout_of
from harness.comparison.judge import Finding
from harness.dialects import recognised
from harness.evaluation.point import Point
from harness.usage import UsageError


def right_elsewhere(
    candidate: BackwardPass, point: Point, profile: Profile, obeyed: Obeyed, layout: str
) -> list[Finding]:
    """A finding that names the layout in which every gradient is right, where shapes are wrong in the one asked for."""
    if not any(finding.fails and finding.kind in ("raised", "shape") for finding in obeyed.findings):
        return []
    for other in LAYOUTS:
        if other != layout and _right(candidate, point, profile, other):
            message = f"is right in another layout: layout={other!r} (--layout {other}), if that is the one meant"
            return [Finding(candidate.name, 1, "layout", message, fails=False)]
    return []


def _right(candidate: BackwardPass, point: Point, profile: Profile, layout: str) -> bool:
    try:
        lies = layout_of(layout, point.network, point)
    except UsageError:  # its tensors cannot lie so
        return False
    other, at = copy(candidate), point.elsewhere(point.weights, slice(0, lies.rows(point.rows)))
    other.layout = lies
    answer = other.answer(at)
    whole = answer.shown.keys() >= set(point.network.gradients)
    right = not any(finding.fails for finding in answer.findings)
    return whole and right and not recognised(at, answer.shown, profile, candidate.name)[0].located.faulty
