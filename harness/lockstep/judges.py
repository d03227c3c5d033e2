"""Judges: whoever judges the steps of a run, this process or workers beside it; steps come back in their order.

A worker is started where more is still to be judged than it takes to start one, and where it finds a core: a short run
never has one. What a worker is lost with is judged here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Self

from harness.arithmetic.threads import MOST_IN_THREADS
from harness.environment import threads
from harness.interrupts import held_back
from harness.lockstep.evidence import StepEvidence
from harness.lockstep.judging import judged
from harness.lockstep.worker import POSSIBLE, LostError, Worker
from harness.results.record import Step
from impls.graph import Graph

WORTH = 2.0
"""Seconds of judging to come, for each that shares it, from which on one more worker is started, in half of them."""

AHEAD = 16
"""Steps that are judged, at most, while one before them is not: of a worker that takes long nobody waits for more."""


class Judges:
    """Steps judged as `judge` does, or by this process and workers, if None.

    As a context manager it ends the workers.

    Args:
        steps: how many there will be.

    Attributes:
        finished: steps that are judged, in their order, as far as all before them are; whoever keeps one takes it away.
        workers: those that were started, and have not been lost.
    """

    def __init__(self, network: Graph, steps: int, judge: Callable[[StepEvidence], Step] | None = None) -> None:
        self._network, self._steps, self._judge = network, steps, judge
        self._most = threads() - 1 if judge is None and POSSIBLE else 0
        self.workers = list[Worker]()
        self._found = dict[int, Step | None]()
        self.finished = deque[Step]()

    def take(self, step: StepEvidence) -> None:
        """Have one more judged."""
        self._found[step.number] = None
        travels = _travels(step)
        if not (travels and self._sent(step)):
            began = time.perf_counter()
            self._judge_here(step)
            if travels:
                self._share(time.perf_counter() - began, self._steps - step.number)
        self._collect()
        if len(self._found) > AHEAD:
            self.finish()

    def finish(self) -> None:
        """Judge here what workers have not done yet."""
        self._collect()
        for worker in list(self.workers):
            while (step := worker.taken_back()) is not None:
                self._judge_here(step)
                self._collect()

    def _judge_here(self, step: StepEvidence) -> None:
        judge = self._judge or partial(judged, most=max(threads() // (1 + len(self.workers)), 1))
        self._found[step.number] = judge(step)

    def _sent(self, step: StepEvidence) -> bool:
        """Whether a worker judges it."""
        for worker in list(self.workers):
            try:
                if worker.has_room():
                    worker.send(step)
                    return True
            except LostError:
                self._do_without(worker)
        return self._found[step.number] is not None  # it was sent to one that was lost with it

    def _share(self, seconds: float, steps: int) -> None:
        """Start a worker, where every step takes so long to judge, and so many are left."""
        sharing = 1 + len(self.workers)
        begun = all(worker.there for worker in self.workers)
        if len(self.workers) < self._most and begun and seconds * steps / sharing > WORTH:
            try:
                with held_back():  # so that no process is started of which nobody knows
                    self.workers.append(Worker(self._network))
            except LostError:
                self._most = 0

    def _collect(self) -> None:
        for worker in list(self.workers):
            try:
                for found in worker.judged():
                    if isinstance(found, Step):
                        self._found[found.step] = found
                    else:
                        self._judge_here(found)
            except LostError:
                self._do_without(worker)
        while self._found and (first := self._found[next(iter(self._found))]) is not None:
            self.finished.append(first)  # first, so that an interrupt may have it here twice, but never nowhere
            del self._found[first.step]

    def _do_without(self, worker: Worker) -> None:
        """Judge here what a worker is lost with, and start no other."""
        self._most = 0
        self.workers.remove(worker)
        try:
            while (step := worker.taken_back()) is not None:
                self._judge_here(step)
        finally:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()


def _travels(step: StepEvidence) -> bool:
    """Whether a step can be judged elsewhere, and is worth it.

    Who finds the truth tells how far it is; very large products are in threads already, and fill the memory.
    """
    here, judged_at_all = step.here, step.checked != "none" and not step.diverged
    return judged_at_all and not here.certified and here.network.multiply_adds(here.rows) <= MOST_IN_THREADS
