"""The catalogue of faults: what people get wrong in a backward pass, each as the rule that makes the mistake."""

from harness.faults.fault import Fault

__all__ = ["Fault"]
