"""Threads: independent work of one step done side by side, where there is enough of it.

NumPy computes without the interpreter's lock. Each thread has one core: BLAS, which would take all of them for each,
uses one thread meanwhile. Where there is very much work nearly all of it is products of matrices, for which BLAS has
threads; then what two calls hold at a time would only be twice the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from harness.arithmetic.threads import MOST_IN_THREADS, WORTH_THREADS, one_thread
from harness.environment import threads

T = TypeVar("T")


def side_by_side(calls: Sequence[Callable[[], T]], multiply_adds: int, most: int | None = None) -> list[T]:
    """What every call returns, in order; called one after the other where so much work is not worth threads.

    Args:
        most: threads, if not all that there may be.
    """
    most = threads() if most is None else most
    if multiply_adds > MOST_IN_THREADS:
        return [call() for call in calls]
    if multiply_adds < WORTH_THREADS or most == 1:
        with one_thread():  # for small work that is too much by itself
            return [call() for call in calls]
    pool = ThreadPoolExecutor(most)
    with one_thread():
        try:
            # Each with a context of its own, in which floating-point errors are treated as they are here.
            return [done.result() for done in [pool.submit(copy_context().run, call) for call in calls]]
        finally:
            pool.shutdown(cancel_futures=True)
