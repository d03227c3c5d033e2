"""One derivative explained path by path: ``harness explain`` and `harness.explain`."""

from harness.explaining.building import explain
from harness.explaining.explanation import PathExplanation

__all__ = ["PathExplanation", "explain"]
