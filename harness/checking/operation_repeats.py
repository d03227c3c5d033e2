"""Repeated calls: whether an operation answers the same each time, where threads may race for memory."""

from __future__ import annotations

import time
from collections.abc import Sequence

from harness.candidates.handed import same
from harness.candidates.operation import Operation
from harness.candidates.repetition import reason_of
from harness.checking.operation_judging import Tried
from harness.comparison.judge import Finding

CALLS, SECONDS = 16, 0.25
"""So many calls, as long as they take no longer of the processor's time."""


def repeated(candidate: Operation, tried: Sequence[Tried]) -> list[Finding]:
    """What differs between calls at the case with the most numbers, where the answer was right there.

    Arrays that nobody can write to are not shared by threads that race.
    """
    if not candidate.host.strided or any(
        finding.kind == "second call differs" for each in tried for finding in each.findings
    ):
        return []
    step, largest = max(enumerate(tried, 1), key=lambda each: sum(a.size for a in each[1].situation.inputs.values()))
    if largest.wrong or any(finding.fails for finding in largest.findings):
        return []
    at, begin = largest.situation.at, time.process_time()
    first = candidate.answer(at)
    for call in range(2, CALLS + 1):
        if time.process_time() - begin > SECONDS:
            break
        again = candidate.answer(at)
        differs = [
            name for name in first.shown if name not in again.shown or not same(first.shown[name], again.shown[name])
        ]
        if differs:
            fails = bool(candidate.wrong(at, again) or candidate.wrong(at, first))
            how = (
                "and is wrong then: do threads race?"
                if fails
                else f"by what rounding explains; {reason_of(candidate, at)}"
            )
            message = f"answers differently in call {call} at the same point, {differs[0]} first, {how}"
            return [Finding(candidate.name, step, "second call differs", message, differs[0], fails)]
    return []
