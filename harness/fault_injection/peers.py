"""The checks of others: what the frameworks of a run bring for comparing arrays and checking gradients."""

from __future__ import annotations

from harness.candidates.admission import Admission
from impls.abilities import ChecksGradients, Comparer, Compares, GradientChecker


def comparers_of(admission: Admission, dtype: str) -> dict[str, Comparer]:
    """The comparisons of arrays, by name."""
    found: dict[str, Comparer] = {}
    for participant in admission.participants:
        made = participant.built(dtype)
        found |= made.comparers() if isinstance(made, Compares) else {}
    return found


def checkers_of(admission: Admission, dtype: str) -> dict[str, GradientChecker]:
    """The checks of gradients by differences, by name."""
    found: dict[str, GradientChecker] = {}
    for participant in admission.participants:
        made = participant.built(dtype)
        found |= made.gradient_checkers() if isinstance(made, ChecksGradients) else {}
    return found
