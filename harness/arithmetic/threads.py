"""Threads of the bound arithmetic's own matrix products: one, where a product is too small for more to help.

A thread that has nothing to do keeps spinning for a while before it sleeps. NumPy, torch and JAX have a pool
each, and on a machine with few cores the idle threads of one take the cores that the next one needs: small
products then cost several times what they cost on one thread. The programs that are compared run with the
thread counts that they find; only the arithmetic of the bounds is limited, and only while it runs.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

WORTH_THREADS = 2**24
"""Multiply-adds (some milliseconds' work) from which on a product keeps the threads that there are."""


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def threads_for(multiply_adds: int) -> AbstractContextManager[object]:
    """A block in which BLAS uses one thread, if that much work does not need more."""
    return nullcontext() if multiply_adds >= WORTH_THREADS else one_thread()


def one_thread() -> AbstractContextManager[object]:
    """A block in which BLAS uses one thread."""
    return _blas().limit(limits=1)
