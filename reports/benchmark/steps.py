"""Steps timed against each other: the hand step, a fully checked step, the default schedule.

They take turns, round by round, so that what a shared machine does meanwhile meets all of them; a ratio is taken within
a round. Plain is the three native steps one after the other, `reports.benchmark.plain`, checked steps are those of a
run, `reports.benchmark.checked`, of each network in processes of their own.
Beside the hand step stand the matrix products in it alone, where it has no others than those of dense layers: by as
much as they take longer than a framework's whole step NumPy's BLAS decides, and not the code.
"""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack

from harness.environment import WAITING
from reports.benchmark.apart import Round, apart
from reports.benchmark.figure import Figure, figure_of
from reports.benchmark.networks import Case
from reports.benchmark.peers import PEERS
from reports.benchmark.plain import BARE

STEPS = 200
"""Of the run over which the default schedule is averaged: full at 1, 2, 4, ..., 128 and 200, of which 1 is left out."""
FULL = 8
HAND = {"A": 1.0, "B": 0.8, "C": 1.0, "D": 1.0, "E": 1.0, "lenet": 1.0, "gpt": 1.0}
CHECKED = {"B": 15.0, "C": 9.0, "D": 9.0, "E": 9.0, "lenet": 9.0, "gpt": 9.0}
SCHEDULED = {"C": 2.5, "D": 2.5, "E": 2.5, "gpt": 2.5}


def step_figures(case: Case, rounds: int) -> list[Figure]:
    """All that is timed of one network."""
    letter = case.name.partition(" ")[0].partition(":")[0]
    each = rounds_of(case, rounds, checked=letter in CHECKED)
    times = {what: [found[what] for found in each] for what in each[0]}
    plain = [sum(each) for each in zip(*(times[peer] for peer in PEERS), strict=True)]
    faster = [min(t, j) for t, j in zip(times["torch eager"], times["jax jit"], strict=True)]
    microseconds = ", ".join(f"{peer} {1e6 * statistics.median(times[peer]):,.0f}" for peer in PEERS)

    def figure(
        found: list[float], beside: list[float], measure: str, target: float | None, more: bool = False
    ) -> Figure:
        ratios = [one / other for one, other in zip(found, beside, strict=True)]
        name = f"{case.name}, {case.rows} rows"
        return figure_of(ratios, network=name, measure=measure, target=target, more=more, detail=detail)

    detail = f"{microseconds} us a step"
    lines = [figure(faster, times["hand"], "hand step: times as fast as the faster of the two", HAND[letter], True)]
    if BARE in times:
        detail = f"{1e6 * statistics.median(times[BARE]):,.0f} us of a hand step, memory not counted"
        lines.append(figure(faster, times[BARE], "its products alone, beside the faster of the two", None, True))
    if "full" in times:
        products = statistics.median(times["products"])
        detail = f"{1e3 * statistics.median(times['full']):.1f} ms a step; by count of products {products:.1f} x"
        lines.append(figure(times["full"], plain, "fully checked step against plain", CHECKED[letter]))
    if letter in SCHEDULED:
        pairs = zip(times["full"], times["sample"], strict=True)
        mean = [(FULL * full + (STEPS - 1 - FULL) * sample) / (STEPS - 1) for full, sample in pairs]
        detail = f"{1e3 * statistics.median(times['sample']):.1f} ms a sampled step"
        lines.append(figure(mean, plain, f"step of the default schedule, mean of {STEPS}", SCHEDULED[letter]))
    return lines


def rounds_of(case: Case, rounds: int, *, checked: bool) -> list[Round]:
    """What each took, round by round: the peers, then a full step, with its count, and a sampled one."""
    with ExitStack() as processes:
        takes = [processes.enter_context(apart("plain", case.name, os.environ))]
        if checked:
            takes.append(processes.enter_context(apart("checked", case.name, WAITING | os.environ)))
        return [{what: value for take in takes for what, value in take().items()} for _ in range(rounds)]
