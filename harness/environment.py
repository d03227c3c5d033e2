"""The environment a run happened in: versions, BLAS, threads, as found; nothing is changed."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

WAITING = ("OMP_WAIT_POLICY", "OPENBLAS_THREAD_TIMEOUT")
"""Variables that tell idle threads how to wait; the command sets them where nobody has."""


def environment() -> dict[str, str]:
    """Python, platform, processor, NumPy and its BLAS with thread counts."""
    from threadpoolctl import threadpool_info

    found = {
        "backprop-harness": _version("backprop-harness"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        "numpy": np.__version__,
        "python-flint": _version("python-flint"),
    }
    pools = [pool for pool in threadpool_info() if pool.get("user_api") == "blas"]
    # SciPy brings a BLAS of its own, and the order in which libraries are found is not fixed.
    blas = min(pools, key=lambda pool: ("numpy" not in pool["filepath"], pool["filepath"]), default=None)
    if blas:
        found["BLAS"] = f"{blas['internal_api']} {blas['version']}, {blas['num_threads']} threads"
    return found | {name: os.environ[name] for name in WAITING if name in os.environ}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
