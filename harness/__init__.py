"""Trains a hand-written backward pass in lockstep with frameworks and compares gradients up to rounding.

    run          train in lockstep and compare           read_run    a recorded run
    explain      one derivative, path by path
    load_data    a data set by name or path              UsageError  what wrong usage raises
    why          where an allowance comes from           load_network  a network by its sizes or path
    from_toml, to_toml  a network from and as TOML text
    check_vjp    one operation with its own backward

Names are imported when they are first used, so that ``import harness`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.allowance.asking import why
    from harness.datasets import Data, load_data
    from harness.explaining import explain
    from harness.lockstep import run
    from harness.networks import from_toml, load_network, to_toml
    from harness.operations import Indices, OperationCheck, check_vjp
    from harness.runs import Run, read_run
    from harness.usage import UsageError

__all__ = [
    "Data", "Indices", "OperationCheck", "Run", "UsageError", "check_vjp", "explain", "from_toml", "load_data",
    "load_network", "read_run", "run", "to_toml", "why",
]  # fmt: skip

_HOME = {
    "Data": "datasets",
    "Indices": "operations",
    "OperationCheck": "operations",
    "Run": "runs",
    "UsageError": "usage",
    "check_vjp": "operations",
    "explain": "explaining",
    "from_toml": "networks",
    "load_data": "datasets",
    "load_network": "networks",
    "read_run": "runs",
    "run": "lockstep",
    "to_toml": "networks",
    "why": "allowance.asking",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"harness.{_HOME[name]}"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
