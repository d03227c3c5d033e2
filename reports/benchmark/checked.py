"""Checked steps of a run, timed in a process of their own: ``python -m reports.benchmark.checked CASE``.

Idle threads sleep there and memory that is freed is kept, as in the command; where plain steps are timed, libraries are
as whoever trains with one of them has them. One cannot have both: threads that spin take the cores of the pool that
comes next.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from harness.arithmetic.loops import COMPILER
from harness.candidates.implementation import admit
from harness.inputs.arguments import as_data, as_optimizer
from harness.inputs.batches import batches_of
from harness.inputs.schedule import TURNS, Schedule
from harness.lockstep.judging import judged
from harness.lockstep.session import Session
from harness.memory import keep_freed
from reports.benchmark.apart import answer
from reports.benchmark.networks import Case, case_of
from reports.benchmark.peers import LEARNING_RATE
from reports.benchmark.products import counted

EVERYBODY = ("hand", "torch", "jax")
WARM_UP = 24
"""Rounds at most: enough for what is compiled within as many as are timed to be so before."""


class Round(msgspec.Struct, frozen=True):
    """Seconds of a fully checked step and, in the mean, of a sampled one.

    Attributes:
        products: how many times those of a plain step the full one has, counted once, in a step that is not timed.
    """

    full: float
    sample: float
    products: float


def rounds_of(case: Case, clock: Callable[[], float] = time.perf_counter) -> Iterator[Round]:
    """What each took, after those to warm up.

    In a longer run most steps are taken with formulas compiled, which they are after as many entries as
    `harness.arithmetic.loops` says. To warm up, rounds are taken until one began with these behind it, or without
    numba, and at most so many: on a small network no formula is compiled while rounds are timed either.
    """
    session = session_of(case, *case.batch())
    judged(session.step(1))
    products, warm = counted(session, 2), False
    for each in count(2):
        number = 2**each  # at a power of two every entry is compared
        last = not 0 < COMPILER.after < math.inf or each == 1 + WARM_UP
        begin = clock()
        judged(session.step(number))
        full = clock() - begin
        begin = clock()
        for sample in range(16 * number + 1, 16 * number + 1 + TURNS):  # one of each turn, none of them a power of two
            judged(session.step(sample))
        if warm:
            yield Round(full, (clock() - begin) / TURNS, products)
        warm = warm or last


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
