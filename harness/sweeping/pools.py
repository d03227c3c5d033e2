"""Where jobs run: on this machine, or on a Dask cluster. Either takes a job and gives a future.

On a cluster each task runs its job in a process beside the worker (`harness.sweeping.apart`): a run that ends its
process costs no worker. The record comes back with the result, so that no file has to be shared.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any, NamedTuple

from harness.sweeping.apart import Processes
from harness.sweeping.job import Collected, Finished, Job
from harness.usage import UsageError, told


class Pool(NamedTuple):
    """What takes a job and gives a future, and in words where that runs."""

    submit: Callable[[Job], Future[Finished]]
    where: str


TIMEOUT = 10
"""Seconds in which a scheduler answers."""


@contextmanager
def on_this_machine(jobs: int, folder: str) -> Iterator[Pool]:
    """So many processes; jobs that run when the block is left are given up."""
    processes, stop = Processes(), Event()
    executor = ThreadPoolExecutor(jobs)
    try:
        yield Pool(lambda job: executor.submit(processes.perform, job, folder, stop.is_set), f"{jobs} at a time")
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)
        processes.end()


@contextmanager
def on_cluster(address: str, folder: str, *, judge_apart: bool = False) -> Iterator[Pool]:
    """As many processes as the cluster's workers have threads; what waits when the block is left is cancelled.

    Args:
        judge_apart: what a worker ran is judged by another one, if there is one.

    Raises:
        UsageError: dask.distributed is not installed, or no scheduler answers.
    """
    refused = f"Cannot sweep on {address!r}, because"
    instead = "give the address that `dask scheduler` prints, such as tcp://127.0.0.1:8786."
    if not re.fullmatch(r"(\w+://)?[^/\s]+:\d{1,5}", address):
        raise UsageError(f"{refused} that is no address of a scheduler; {instead}")
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "Cannot sweep on a Dask cluster, because the package 'distributed' is not installed; pip install "
            "'backprop-harness[dask]'."
        ) from None
    try:
        client: Any = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{refused} no scheduler answers there within {TIMEOUT} s ({told(error)[:120]}); {instead}"
        ) from None
    with _in_our_words(), client:
        executor = client.get_executor(pure=False)
        apart = _JudgedApart(client, folder)
        try:
            threads = sum(client.nthreads().values())
            at_a_time = f"{threads} at a time" if threads else "which has no worker yet: it waits for one"
            where = f"on {address}, {at_a_time}"
            if judge_apart:
                yield Pool(apart.submit, f"{where}, each judged by another worker")
            else:
                yield Pool(lambda job: executor.submit(performed_there, job, folder), where)
        finally:
            executor.shutdown(wait=False)
            apart.cancel()


class _JudgedApart:
    """Jobs that are two `tasks` each: one runs, and another, which another worker gets, judges what was run.

    What was run stays with the worker that ran it until it is asked for. When that worker is lost meanwhile, the
    scheduler has the first task done again; what is finished is with whoever asked.
    """

    def __init__(self, client: Any, folder: str) -> None:
        self._client, self._folder = client, folder
        self.tasks: list[Any] = []

    def submit(self, job: Job) -> Future[Finished]:
        """A future of what becomes of a job."""
        finished, ran = Future[Finished](), self._client.submit(collected_there, job, self._folder, pure=False)
        self.tasks.append(ran)
        ran.add_done_callback(lambda _: self._judge(ran, finished))
        return finished

    def _judge(self, ran: Any, finished: Future[Finished]) -> None:
        """Have what was run judged, which is where this is called from: a thread of the client's."""
        try:
            here = {worker for workers in self._client.who_has(ran).values() for worker in workers}
            others = [worker for worker in self._client.nthreads() if worker not in here]
            told = self._client.submit(
                judged_there, ran, pure=False, priority=1, workers=others or None, allow_other_workers=bool(others)
            )
            self.tasks.append(told)
            told.add_done_callback(lambda _: _passed_on(told, finished))
        except BaseException as error:
            finished.set_exception(error)

    def cancel(self) -> None:
        """Give up what is not done."""
        self._client.cancel([task for task in self.tasks if not task.done()])


def _passed_on(task: Any, to: Future[Finished]) -> None:
    try:
        to.set_result(task.result())
    except BaseException as error:
        to.set_exception(error)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """That a scheduler is gone is told of the runs that it gave up, and not by its client's traceback."""
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


_there = Processes()


def performed_there(job: Job, folder: str) -> Finished:
    """What became of a job, in a worker of a cluster; given up when its task is cancelled or the worker closes."""
    return _there.perform(job, folder, _given_up())


def collected_there(job: Job, folder: str) -> Finished | Collected:
    """Likewise, what was run in it."""
    return _there.collect(job, folder, _given_up())


def judged_there(found: Finished | Collected) -> Finished:
    """Likewise, what becomes of that."""
    return found if isinstance(found, Finished) else _there.judge(found, _given_up())


def _given_up() -> Callable[[], bool]:
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def given_up() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status.name != "running" or task is None or task.state != "executing"

    return given_up
