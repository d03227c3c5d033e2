"""Memory of a command's process: what is freed is kept for the next arrays, what was imported is not looked through.

A library does neither to the process of its user.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress

# <malloc.h> of glibc.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed() -> None:
    """Tell this process's allocator to keep what is freed, where it can be told so (glibc); elsewhere do nothing.

    A step of a training frees arrays of many megabytes and asks for as many again. Given back in between, each page of
    them is one that the system has to clear anew, which takes as long as the arithmetic that fills it. The most memory
    that is ever in use stays what it is.
    """
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (another C library has no such options)
        library.mallopt(M_TRIM_THRESHOLD, 2**30)
        library.mallopt(M_MMAP_MAX, 0)  # no array gets pages of its own, which would be given back with it
        library.mallopt(M_ARENA_MAX, 1)  # a thread's own arena gives back its heaps, whatever the threshold


def pass_over_imported() -> None:
    """Let the garbage collector of this process pass over what modules consist of, which stays till the end.

    Of the frameworks that is a million objects, which are looked through again and again while they are imported, at
    every full collection of a run and when the process ends: a fifth of a short run.
    """
    known = 0

    def before(phase: str, _: object) -> None:
        nonlocal known
        if phase == "start" and len(sys.modules) > known:
            known = len(sys.modules)
            gc.freeze()  # what there is now, and with it what is garbage at the moment

    gc.callbacks.append(before)
