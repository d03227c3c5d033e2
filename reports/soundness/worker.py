"""One process of the campaign: some cases, all with one number of threads, the tally to standard output.

The number of threads of OpenMP, of BLAS and of XLA's pool is fixed when a library starts, so whoever starts this
process sets them in its environment: see `harness.environment.with_threads`.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from harness.environment import environment
from impls import registry
from impls.contract import network_of_example
from reports.soundness.cases import case, graph_case, numbers
from reports.soundness.score import WIDE, judge_case
from reports.soundness.tally import Alarm, Key, Tally

IMPLEMENTATIONS = ("hand", "torch", "jax")


def judge_cases(
    seed: int, threads: int, first: int, count: int, layers: int = 0, dtypes: Sequence[str] = WIDE
) -> Tally:
    """Judge `count` cases of those that run with that many threads, from the `first` on; 1: of graphs alone."""
    builds = {name: registry.load(name) for name in IMPLEMENTATIONS}
    total, drawn = Tally(), graph_case if layers else case
    for number in islice(numbers(threads), first, first + count):
        judged = drawn(seed, number)
        try:
            total.add(judge_case(judged, builds, dtypes))
        except Exception as error:  # the checker itself: as bad as a false alarm, and the other cases go on
            text = "".join(traceback.format_exception(error)[-3:])
            what = Key("checker", "raised", "", type(error).__name__)
            total.alarms.append(Alarm(seed, number, what, "", repr(judged.network), text))
    total.saw(*threads_found(builds["torch"]))
    return total


def threads_found(build: Any) -> list[str]:
    """The threads that the libraries really have: of BLAS, of torch, and, where the system tells, of XLA's pool."""
    made = build(network_of_example(), "float32")
    found = {"BLAS": environment()["BLAS"].split(", ")[-1], "torch": made.environment()["torch threads"]}
    tasks = Path("/proc/self/task")
    if tasks.exists():
        names = [(task / "comm").read_text() for task in tasks.iterdir()]
        found["XLA"] = str(sum(name.startswith("tf_XLAEigen") for name in names))
    return [f"{library} threads {threads.split()[0]}" for library, threads in found.items()]


def main(arguments: Sequence[str]) -> None:
    """Judge and write the tally."""
    warnings.simplefilter("ignore")
    *which, dtypes = arguments
    seed, threads, first, count, layers = map(int, which)
    tally = judge_cases(seed, threads, first, count, layers, dtypes.split(","))
    sys.stdout.buffer.write(msgspec.msgpack.encode(tally))


if __name__ == "__main__":
    main(sys.argv[1:])
