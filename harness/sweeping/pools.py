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
from harness.sweeping.job import Finished, Job
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
def on_cluster(address: str, folder: str) -> Iterator[Pool]:
    """As many processes as the cluster's workers have threads; what waits when the block is left is cancelled.

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
        try:
            threads = sum(client.nthreads().values())
            at_a_time = f"{threads} at a time" if threads else "which has no worker yet: it waits for one"
            yield Pool(lambda job: executor.submit(performed_there, job, folder), f"on {address}, {at_a_time}")
        finally:
            executor.shutdown(wait=False)


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
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def given_up() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status.name != "running" or task is None or task.state != "executing"

    return _there.perform(job, folder, given_up)
