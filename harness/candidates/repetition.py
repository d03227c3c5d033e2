"""Repetition: why an operation that is asked the same twice does not answer with the same bits."""

from __future__ import annotations

import random

import numpy as np

from harness.arithmetic.rules.sums import every_pool_on_one_thread
from harness.candidates.handed import same
from harness.candidates.operation import Operation
from harness.evaluation.references.expected import Expected

CALLS = 6
"""So many that agree are taken for a reason."""


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
        for _ in range(CALLS):
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
