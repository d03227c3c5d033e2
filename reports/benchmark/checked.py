"""Checked steps of a run, timed in a process of their own: ``python -m reports.benchmark.checked CASE``.

Steps follow each other there as in a run, where workers judge some of them. Idle threads sleep and memory that is freed
is kept, as in the command; where plain steps are timed, libraries are as whoever trains with one of them has them. One
cannot have both: threads that spin take the cores of the pool that comes next.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, cycle

import msgspec

from harness.arithmetic.loops import COMPILER
from harness.candidates.implementation import admit
from harness.inputs.arguments import as_data, as_optimizer
from harness.inputs.batches import batches_of
from harness.inputs.schedule import TURNS, Schedule
from harness.lockstep.judges import Judges
from harness.lockstep.session import Session
from harness.memory import keep_freed
from reports.benchmark.apart import answer
from reports.benchmark.networks import Case, case_of
from reports.benchmark.peers import LEARNING_RATE
from reports.benchmark.products import counted

EVERYBODY = ("hand", "torch", "jax")
WARM_UP = 24
"""Rounds at most: enough for what is compiled within as many as are timed to be so before."""
FULL, LONG = 4, 4.0
"""Full steps in a row, or as many as begin within so many seconds, and at least one."""


class Round(msgspec.Struct, frozen=True):
    """Seconds of a fully checked step and of a sampled one, each in the mean over some in a row.

    Attributes:
        products: how many times those of a plain step the full one has, counted once, in a step that is not timed.
    """

    full: float
    sample: float
    products: float


def rounds_of(case: Case, clock: Callable[[], float] = time.perf_counter) -> Iterator[Round]:
    """What each took, after those to warm up.

    In a longer run most steps are taken with formulas compiled, which they are after as many entries as
    `harness.arithmetic.loops` says, and with workers. To warm up, rounds are taken until one began with these behind
    it, or without numba, and at most so many: on a small network no formula is compiled while rounds are timed either.
    """
    session = session_of(case, *case.batch())
    # At a power of two every entry is compared; of the others each turn has its part.
    full, sampled = cycle(2**each for each in range(2, 34)), count(2**34 + 1)
    with Judges(case.network, sys.maxsize) as judges:

        def seconds(checked: str, numbers: Iterator[int], steps: int) -> float:
            """Of a step in a row: once one of it is judged, nothing else is under way any more."""
            judges.finished.clear()
            while all(step.checked != checked for step in judges.finished):
                judges.take(session.step(next(numbers)))
            begin, taken = clock(), 0
            while taken < steps and clock() - begin < LONG:
                judges.take(session.step(next(numbers)))
                taken += 1
            return (clock() - begin) / taken

        judges.take(session.step(1))
        products, warm = counted(session, 2), False
        for each in count(1):
            last = not 0 < COMPILER.after < math.inf and all(worker.there for worker in judges.workers)
            found = Round(seconds("full", full, FULL), seconds("sample", sampled, TURNS), products)
            if warm:
                yield found
            warm = warm or last or each == WARM_UP


def session_of(case: Case, x: object, y: object) -> Session:
    """A run of everybody under way, on this batch."""
    data = as_data((x, y), case.network, 0, raw=False, target=None)
    return Session(
        network=case.network, batches=batches_of(case.network, data, "float32", None, 0),
        optimizer=as_optimizer(f"gradient-descent(lr={LEARNING_RATE})"), dtype="float32", seed=0,
        schedule=Schedule(full=False, every=0, last=0, seed=0), free=False,
        admission=admit(EVERYBODY, case.network, "float32", named=False),
    )  # fmt: skip


def main(name: str) -> None:
    """Take a round for each line of the standard input."""
    keep_freed()
    answer(msgspec.structs.asdict(taken) for taken in rounds_of(case_of(name)))


if __name__ == "__main__":
    main(sys.argv[1])
