"""Plain steps, timed in a process of their own: ``python -m reports.benchmark.plain CASE``.

Idle threads wait as each library has it; each peer is taken untimed first, until the threads of the one before sleep.
Memory that is freed is kept, as in the command.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

from harness.memory import keep_freed
from reports.benchmark.apart import ASLEEP, Round, answer
from reports.benchmark.networks import Case, case_of
from reports.benchmark.peers import PEERS, Step, bare_products

BARE = "bare products"


def peers_of(case: Case, clock: Callable[[], float] = time.perf_counter) -> Iterator[Round]:
    """Seconds of a step of each peer, round by round, after one to warm up."""
    network, (x, y) = case.network, case.batch()
    weights = network.init(0, np.float32)
    steps: dict[str, Step] = {peer: make(network, weights, x, y) for peer, make in PEERS.items()}
    if (bare := bare_products(network, case.rows)) is not None:
        steps[BARE] = bare
    for each in count():
        found = {peer: _seconds(step, clock) for peer, step in steps.items()}
        if each:
            yield found


def _seconds(step: Step, clock: Callable[[], float]) -> float:
    """Of as many steps as there are while the threads of the peer before fall asleep."""
    calls, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < ASLEEP:
        step()
        calls += 1
    begin = clock()
    for _ in range(calls):
        step()
    return (clock() - begin) / calls


def main(name: str) -> None:
    """Take a round for each line of the standard input."""
    keep_freed()
    answer(peers_of(case_of(name)))


if __name__ == "__main__":
    main(sys.argv[1])
