"""Trains a hand-written backward pass in lockstep with frameworks and compares gradients up to rounding.

    run          train in lockstep and compare           read_run    a recorded run
    load_data    a data set by name or path              UsageError  what wrong usage raises

Names are imported when they are first used, so that ``import harness`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.datasets import Data, load_data
    from harness.lockstep import run
    from harness.runs import Run, read_run
    from harness.usage import UsageError

__all__ = ["Data", "Run", "UsageError", "load_data", "read_run", "run"]

_HOME = {
    "Data": "datasets",
    "Run": "runs",
    "UsageError": "usage",
    "load_data": "datasets",
    "read_run": "runs",
    "run": "lockstep",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"harness.{_HOME[name]}"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
