"""Trains a hand-written backward pass in lockstep with frameworks and compares gradients up to rounding.

    run          train in lockstep and compare           read_run     a recorded run
    check        somebody's backward pass: the first wrong link, and what explains it
    check_vjp    one operation with its own backward     power        which faults a comparison would have missed
    explain      one derivative, path by path            why          where an allowance comes from
    conventions  what is chosen at kinks, and by default
    reference    a pass of the hand code                 allow        what may differ from it: mine == allow(it)
    assert_gradients_match  raises GradientMismatch      UsageError   what wrong usage raises
    load_data    a data set by name or path              load_network  a network by its sizes or path
    from_toml, to_toml  a network from and as TOML text

Names are imported when they are first used, so that ``import harness`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.allowance.asking import why
    from harness.checking.backward_pass import check
    from harness.checking.check import Check
    from harness.choices.survey import conventions
    from harness.datasets import Data, load_data
    from harness.explaining import explain
    from harness.lockstep import run
    from harness.networks import from_toml, load_network, to_toml
    from harness.operations import Indices, OperationCheck, check_vjp
    from harness.planting.asking import power
    from harness.planting.powers import Power
    from harness.planting.scoring import Score, score
    from harness.runs import Run, read_run
    from harness.testing.allowing import allow, assert_gradients_match
    from harness.testing.mismatch import GradientMismatch
    from harness.testing.reference_pass import reference
    from harness.usage import UsageError

__all__ = [
    "Check", "Data", "GradientMismatch", "Indices", "OperationCheck", "Power", "Run", "Score", "UsageError",
    "allow", "assert_gradients_match", "check", "check_vjp", "conventions", "explain", "from_toml", "load_data",
    "load_network", "power", "read_run", "reference", "run", "score", "to_toml", "why",
]  # fmt: skip

_HOME = {
    "Check": "checking.check",
    "Data": "datasets",
    "GradientMismatch": "testing.mismatch",
    "Indices": "operations",
    "OperationCheck": "operations",
    "Power": "planting.powers",
    "Run": "runs",
    "Score": "planting.scoring",
    "UsageError": "usage",
    "allow": "testing.allowing",
    "assert_gradients_match": "testing.allowing",
    "check": "checking.backward_pass",
    "check_vjp": "operations",
    "conventions": "choices.survey",
    "explain": "explaining",
    "from_toml": "networks",
    "load_data": "datasets",
    "load_network": "networks",
    "power": "planting.asking",
    "read_run": "runs",
    "reference": "testing.reference_pass",
    "run": "lockstep",
    "score": "planting.scoring",
    "to_toml": "networks",
    "why": "allowance.asking",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"harness.{_HOME[name]}"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
