"""The environment a run happens in: versions, BLAS, threads, memory, as found; nothing is changed."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"}
"""Variables that tell idle threads of NumPy and torch to sleep and not to spin; the command sets them where nobody has.

Several pools on few cores take each other's cores otherwise. Libraries read them when they are loaded; they change no
thread count and no number. The timeout is in powers of two of processor cycles.
"""


def environment() -> dict[str, str]:
    """Python, platform, processor, NumPy and its BLAS with thread counts, and what makes the harness faster."""
    from threadpoolctl import threadpool_info

    found = {
        "backprop-harness": _version("backprop-harness"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        "numpy": _version("numpy"),
        "python-flint": _version("python-flint"),
        "numba": _version("numba"),
    }
    pools = [pool for pool in threadpool_info() if pool.get("user_api") == "blas"]
    # SciPy brings a BLAS of its own, and the order in which libraries are found is not fixed.
    blas = min(pools, key=lambda pool: ("numpy" not in pool["filepath"], pool["filepath"]), default=None)
    if blas:
        found["BLAS"] = f"{blas['internal_api']} {blas['version']}, {blas['num_threads']} threads"
    return found | {name: os.environ[name] for name in WAITING if name in os.environ}


def with_threads(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries use that many threads.

    The number is fixed when a library starts, so whoever starts the process sets it. PJRT_NPROC sizes the pool in which
    XLA runs a program on the CPU; XLA_FLAGS has no setting that does.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC", "NPROC")
    return {**os.environ, **dict.fromkeys(names, str(threads))}


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Threads that this process is to compute with: one for each core, unless OMP_NUM_THREADS allows fewer."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores(), int(allowed)) if allowed.isdecimal() and int(allowed) else cores()


def memory() -> int | None:
    """Bytes of memory that this process may use, what is in use included; None where the system does not say."""
    try:
        import resource

        limit, there = (
            resource.getrlimit(resource.RLIMIT_AS)[0],
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )
    except (ImportError, ValueError, OSError):
        return None
    return there if limit == resource.RLIM_INFINITY else min(there, limit)


def free_memory() -> int | None:
    """Bytes that this process may still use, by `memory`; None where the system does not say."""
    there = memory()
    try:
        pages = [int(number) for number in Path("/proc/self/statm").read_text().split()]
        import resource

        # A limit is one of addresses, whether anything is at them or not.
        counted = pages[1] if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY else pages[0]
        held = counted * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, ValueError, OSError):
        return there
    return None if there is None else max(there - held, 0)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
