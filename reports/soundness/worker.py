"""One process of the campaign: some cases, all with one number of threads, the tally to standard output.

The number of threads of OpenMP, of BLAS and of XLA's pool is fixed when a library starts, so whoever starts this
process sets them in its environment: see `environment_for`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from itertools import islice

import msgspec

from impls import registry
from reports.soundness.cases import case, numbers
from reports.soundness.judging import judge_case
from reports.soundness.tally import Tally

IMPLEMENTATIONS = ("hand", "torch", "jax")


def environment_for(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries use that many threads.

    PJRT_NPROC sizes the pool in which XLA runs a program on the CPU; XLA_FLAGS has no setting that does.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC", "NPROC")
    return {**os.environ, **dict.fromkeys(names, str(threads))}


def judge_cases(seed: int, threads: int, first: int, count: int) -> Tally:
    """Judge `count` cases of those that run with that many threads, from the `first` on."""
    builds = {name: registry.load(name) for name in IMPLEMENTATIONS}
    total = Tally()
    for number in islice(numbers(threads), first, first + count):
        total.add(judge_case(case(seed, number), builds))
    return total


def main(arguments: Sequence[str]) -> None:
    """Judge and write the tally."""
    warnings.simplefilter("ignore")
    tally = judge_cases(*map(int, arguments))
    sys.stdout.buffer.write(msgspec.msgpack.encode(tally))


if __name__ == "__main__":
    main(sys.argv[1:])
