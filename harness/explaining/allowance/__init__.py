"""Where an allowance comes from, term by term: ``harness why``."""

from harness.explaining.allowance.split import Allowance, Term, allowance_of

__all__ = ["Allowance", "Term", "allowance_of"]
