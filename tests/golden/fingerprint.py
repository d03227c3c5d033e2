"""What determines the bytes of an output: versions, processor, threads. Two equal ones mean the same last digits."""

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import threadpoolctl

PACKAGES = ("numpy", "scipy", "torch", "jax", "jaxlib", "optax", "scikit-learn", "python-flint", "click", "pytest")
VARIABLES = (
    "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "NPY_DISABLE_CPU_FEATURES", "XLA_FLAGS", "JAX_ENABLE_X64",
)  # fmt: skip


def fingerprint() -> dict[str, str]:
    """Of this process, without importing a framework."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # SciPy brings a BLAS of its own, and may not be loaded yet.
    blas = [pool for pool in threadpoolctl.threadpool_info() if "numpy" in pool["filepath"]]
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "processor": _processor(),
        "cores": str(cores),
        "BLAS": ", ".join(f"{pool.get('architecture')} on {pool['num_threads']} threads" for pool in blas),
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Its model, and a digest of what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    told = {name.strip(): value.strip() for name, value in told.items()}
    able = hashlib.sha256(" ".join(sorted(told.get("flags", told.get("Features", "")).split())).encode())
    return f"{platform.machine()} {told.get('model name', '')} {able.hexdigest()[:12]}"
