"""The catalogue of faults: what people get wrong in a backward pass, each as the rule that makes the mistake."""

from harness.faults.catalogue import CAUSES, faults_at
from harness.faults.fault import Fault
from harness.faults.fitted import Fitted
from harness.faults.formulas import right_formula

__all__ = ["CAUSES", "Fault", "Fitted", "faults_at", "right_formula"]
