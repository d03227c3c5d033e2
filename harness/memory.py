"""Memory that was freed is kept for the next arrays, instead of being given back to the system and asked for again."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# <malloc.h> of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 2**25


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
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
