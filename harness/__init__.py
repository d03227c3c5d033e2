"""Trains a hand-written backward pass in lockstep with frameworks and compares gradients up to rounding.

    run          train in lockstep and compare           read_run     a recorded run
    sweep        many runs, on this machine or a cluster
    check        somebody's backward pass: the first wrong link, and what explains it
    gradients_from_update   a backward pass made of a step that only updates the weights
    check_optimizer         somebody's optimizer: momentum, Adam, ..., step by step
    check_vjp    one operation with its own backward     power        which faults a comparison would have missed
    Reals, Indices, Flags, Probabilities, Constant, OneOf   what an input of an operation is
    check_program  an unmodified torch module or JAX function, operation by operation
    compare_programs  two programs on the same weights: the same function, or from where on not
    check_chain  gradients by hand of every step of a forward pass of one's own
    explain      one derivative, path by path            why          where an allowance comes from
    conventions  what is chosen at kinks, and by default
    reference    a pass of the hand code                 allow        what may differ from it: mine == allow(it)
    allowance_of  of an operation, beside assert_close   check_tolerance  what a tolerance lets pass
    assert_gradients_match  raises GradientMismatch      UsageError   what wrong usage raises
    assert_vjp_matches, assert_chain_matches  the same of an operation, and of a chain
    load_data    a data set by name or path              load_network  a network by its sizes or path
    from_toml, to_toml  a network from and as TOML text

Names are imported when they are first used, so that ``import harness`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.candidates.updates import gradients_from_update
    from harness.checking.backward_pass import check
    from harness.checking.chain import check_chain
    from harness.checking.operation import check_vjp
    from harness.checking.optimizer import check_optimizer
    from harness.explaining import explain
    from harness.explaining.allowance import why
    from harness.fault_injection.command import power
    from harness.fault_injection.power import Power
    from harness.inputs.datasets import Data, load_data
    from harness.inputs.declared import Constant, Flags, Indices, OneOf, Probabilities, Reals
    from harness.inputs.networks import from_toml, load_network, to_toml
    from harness.lockstep.training import run
    from harness.mutation.score import Score, score
    from harness.programs.check import check_program
    from harness.programs.pairs.compare import compare_programs
    from harness.results.chain_check import ChainCheck
    from harness.results.check import Check
    from harness.results.operation_check import OperationCheck
    from harness.results.optimizer_check import OptimizerCheck
    from harness.results.program_check import ProgramCheck
    from harness.results.program_pair import ProgramPair
    from harness.results.run import Run, read_run
    from harness.surveys.conventions import conventions
    from harness.sweeping.summary import Sweep
    from harness.sweeping.sweep import sweep
    from harness.testing.allowing import allow, assert_gradients_match
    from harness.testing.compared import (
        GradientMismatch,
        assert_chain_matches,
        assert_program_right,
        assert_programs_match,
        assert_vjp_matches,
    )
    from harness.testing.reference_pass import reference
    from harness.tolerances.allowance import allowance_of
    from harness.tolerances.check import check_tolerance
    from harness.usage import UsageError

__all__ = [
    "ChainCheck",
    "Check",
    "Constant",
    "Data",
    "Flags",
    "GradientMismatch",
    "Indices",
    "OneOf",
    "OperationCheck",
    "OptimizerCheck",
    "Power",
    "Probabilities",
    "ProgramCheck",
    "ProgramPair",
    "Reals",
    "Run",
    "Score",
    "Sweep",
    "UsageError",
    "allow",
    "allowance_of",
    "assert_chain_matches",
    "assert_gradients_match",
    "assert_program_right",
    "assert_programs_match",
    "assert_vjp_matches",
    "check",
    "check_chain",
    "check_optimizer",
    "check_program",
    "check_tolerance",
    "check_vjp",
    "compare_programs",
    "conventions",
    "explain",
    "from_toml",
    "gradients_from_update",
    "load_data",
    "load_network",
    "power",
    "read_run",
    "reference",
    "run",
    "score",
    "sweep",
    "to_toml",
    "why",
]  # fmt: skip

_HOME = {
    "ChainCheck": "results.chain_check",
    "Check": "results.check",
    "Constant": "inputs.declared",
    "Data": "inputs.datasets",
    "Flags": "inputs.declared",
    "GradientMismatch": "testing.compared",
    "Indices": "inputs.declared",
    "OneOf": "inputs.declared",
    "OperationCheck": "results.operation_check",
    "OptimizerCheck": "results.optimizer_check",
    "ProgramCheck": "results.program_check",
    "ProgramPair": "results.program_pair",
    "Power": "fault_injection.power",
    "Probabilities": "inputs.declared",
    "Reals": "inputs.declared",
    "Run": "results.run",
    "Score": "mutation.score",
    "Sweep": "sweeping.summary",
    "UsageError": "usage",
    "allow": "testing.allowing",
    "allowance_of": "tolerances.allowance",
    "assert_chain_matches": "testing.compared",
    "assert_gradients_match": "testing.allowing",
    "assert_program_right": "testing.compared",
    "assert_programs_match": "testing.compared",
    "assert_vjp_matches": "testing.compared",
    "check": "checking.backward_pass",
    "check_chain": "checking.chain",
    "check_optimizer": "checking.optimizer",
    "check_program": "programs.check",
    "check_tolerance": "tolerances.check",
    "check_vjp": "checking.operation",
    "compare_programs": "programs.pairs.compare",
    "conventions": "surveys.conventions",
    "explain": "explaining",
    "from_toml": "inputs.networks",
    "gradients_from_update": "candidates.updates",
    "load_data": "inputs.datasets",
    "load_network": "inputs.networks",
    "power": "fault_injection.command",
    "read_run": "results.run",
    "reference": "testing.reference_pass",
    "run": "lockstep.training",
    "score": "mutation.score",
    "sweep": "sweeping.sweep",
    "to_toml": "inputs.networks",
    "why": "explaining.allowance",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"harness.{_HOME[name]}"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
