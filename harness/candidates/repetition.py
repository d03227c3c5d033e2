"""Repetition: whether an operation that is asked the same answers with the same bits, and why it does not.

Threads may race for memory, which shows in one call of many.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import numpy as np

from harness.arithmetic.threads import every_pool_on_one_thread
from harness.candidates.handed import same
from harness.candidates.operation import Operation
from harness.comparison.judge import Finding
from harness.evaluation.references.expected import Expected

CALLS, SECONDS = 16, 0.25
"""So many calls, as long as they take no longer of the processor's time."""
AGREE = 6
"""So many that agree are taken for a reason."""


def repeated(candidate: Operation, at: Expected) -> Iterator[Finding]:
    """The first call that differs from the one before it, where the answer is right.

    Arrays that nobody can write to are not shared by threads that race.
    """
    if not candidate.host.strided:
        return
    begin = time.process_time()
    first = candidate.answer(at)
    for call in range(2, CALLS + 1):
        if time.process_time() - begin > SECONDS:
            return
        again = candidate.answer(at)
        differs = [key for key in first.shown if key not in again.shown or not same(first.shown[key], again.shown[key])]
        if differs:
            fails = bool(candidate.wrong(at, again) or candidate.wrong(at, first))
            why = "and is wrong then: do threads race?" if fails else "by what rounding explains; "
            why += "" if fails else reason_of(candidate, at)
            message = f"answers differently in call {call} at the same point, {differs[0]} first, {why}"
            yield Finding(candidate.name, at.step, "second call differs", message, differs[0], fails)
            return


def reason_of(candidate: Operation, at: Expected) -> str:
    """The reason in words: what has to be held for every call to give the same bits."""
    with every_pool_on_one_thread():
        if _repeats(candidate, at):
            return "threads add up in an order of their own, and on one thread it repeats"
    if _repeats(candidate, at, seeded=True):
        return "it draws random numbers from Python's or NumPy's generator"
    return "the reason was not found: another generator, threads of its own, or memory that nobody has written"


def _repeats(candidate: Operation, at: Expected, *, seeded: bool = False) -> bool:
    """Whether some calls agree, bit by bit; the generators are put back."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  (of somebody's code)
    try:
        first = None
        for _ in range(AGREE):
            if seeded:
                random.seed(0)
                np.random.seed(0)  # noqa: NPY002
            shown = candidate.answer(at).shown
            first = first or shown
            if any(name not in shown or not same(first[name], shown[name]) for name in first):
                return False
        return True
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
