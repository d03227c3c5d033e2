"""The environment a run happened in: versions, BLAS, threads, as found; nothing is changed."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np


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
    for pool in threadpool_info():
        if pool.get("user_api") == "blas":
            found["BLAS"] = f"{pool['internal_api']} {pool['version']}, {pool['num_threads']} threads"
            break
    return found


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
