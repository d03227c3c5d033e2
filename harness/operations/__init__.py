"""Operations: a single operation with its own backward, checked against a hand layer or a differentiable function."""

from harness.operations.checking import check_vjp
from harness.operations.inputs import Indices, Probabilities
from harness.operations.outcome import OperationCheck

__all__ = ["Indices", "OperationCheck", "Probabilities", "check_vjp"]
