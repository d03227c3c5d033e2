"""Threads: small work of the harness itself runs on one.

Matrix products of the bound arithmetic itself run on one thread where they are too small for more to help. A thread
that has nothing to do keeps spinning for a while before it sleeps. NumPy, torch and JAX have a pool each, and on a
machine with few cores the idle threads of one take the cores that the next one needs: small products then cost several
times what they cost on one thread. So do small operations of a framework that is asked for a reference. The programs
that are compared run with the thread counts that they find.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache

from threadpoolctl import ThreadpoolController

WORTH_THREADS = 2**24
"""Multiply-adds (some milliseconds' work) from which on a product keeps the threads that there are."""
MOST_IN_THREADS = 2**33
"""Multiply-adds of a step beyond which its checks follow each other, so that none waits for what another derives."""


def threads_for(multiply_adds: int) -> AbstractContextManager[object]:
    """A block in which BLAS uses one thread, if that much work does not need more."""
    return nullcontext() if multiply_adds >= WORTH_THREADS else one_thread()


_limiting: list[bool] = []
"""An entry while some block limits BLAS: a block inside it, or beside it in another thread, has nothing to change."""


@contextmanager
def one_thread() -> Iterator[None]:
    """A block in which BLAS uses one thread."""
    if _limiting:
        yield
        return
    with _pools(len(sys.modules), "blas").limit(limits=1):
        _limiting.append(True)
        try:
            yield
        finally:
            _limiting.clear()


def every_pool_on_one_thread() -> AbstractContextManager[object]:
    """A block in which BLAS and OpenMP, with which frameworks compute, use one thread each, where they are loaded."""
    return _pools(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=2)
def _pools(modules: int, user_api: str | None = None) -> ThreadpoolController:  # noqa: ARG001  (a pool comes with a module)
    """The pools while so many modules are loaded: to find them takes 4 ms, more than a small operation."""
    found = ThreadpoolController()
    return found if user_api is None else found.select(user_api=user_api)
