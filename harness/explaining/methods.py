"""The same derivative in other ways: each value beside its distance from the reference and what rounding allows.

The reference is ball arithmetic, where python-flint is installed; else the matrix backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from harness.arithmetic import profile_of
from harness.candidates.implementation import admit
from harness.evaluation.centre import Centre, end_to_end
from harness.evaluation.point import Point
from harness.evaluation.references.differences import central_difference
from harness.explaining.parts import Way
from harness.explaining.variable import Variable
from harness.interrupts import held_back
from harness.usage import visible
from impls import registry
from impls.contract import Array, Pass
from impls.graph import Graph

if TYPE_CHECKING:
    from harness.evaluation.truth import Truth

MATRIX = "matrix backward (NumPy)"
BALL = "ball arithmetic"
LABELS = {"torch": "torch autograd", "jax": "jax grad"}
SHOWN, KNOWN = 22, 60
"""Decimal digits of the reference: five more than a float has are shown, and what is subtracted has 60."""


def centre_of(variable: Variable) -> Centre:
    """Every tensor of the variable's network with its float64 bound."""
    return end_to_end(variable.network, variable.weights, variable.x, variable.y, profile_of("float64"))


def ways_of(variable: Variable, centre: Centre, paths: Way, against: Sequence[str] | None) -> list[Way]:
    """Every way, by paths first and the reference last; `against` names implementations, all known ones if None."""
    name = variable.gradient
    point = Point(variable.network, variable.weights, variable.x, variable.y, 1)
    answers = Asked(variable.network, against).at(point)
    truth = truth_at(point, {name: centre.tensors[name].bound})
    return ways_given(variable, centre, paths, answers, truth)


def ways_given(
    variable: Variable, centre: Centre, paths: Way, answers: Mapping[str, Pass | str], truth: Truth | str
) -> list[Way]:
    """The same of what was already found at the variable's point.

    Args:
        answers: of each implementation but the hand code its pass, or why there is none.
        truth: or why it cannot be had.
    """
    name, index = variable.gradient, variable.index
    network, given = variable.network, (variable.weights, variable.x)
    allowed = finite(centre.tensors[name].bound[index])
    gradients = network.backward(*given, variable.y, network.forward(*given))
    matrix = Way(MATRIX, float(gradients[name][index]), allowed=allowed)
    others = [_by(label_of(who), answer, name, index, allowed) for who, answer in answers.items()]
    exact, true = _exact(truth, name, index)
    if true is None:  # the hand code's matrices stand in for the truth, from which they may be off themselves
        true, doubt = Fraction(matrix.value or 0.0), allowed
    else:
        doubt = exact.allowed
    return [judged(way, true, doubt) for way in (paths, matrix, *others, _difference(variable))] + [exact]


def judged(way: Way, reference: Fraction, doubt: float | None) -> Way:
    """A way beside a reference that may itself be off by `doubt`; where nothing is bounded nothing is judged."""
    if way.value is None:
        return way
    difference, outside = Fraction(way.value) - reference, None
    if way.allowed is not None and doubt is not None and not way.estimate:
        outside = not abs(difference) <= Fraction(way.allowed) + Fraction(doubt)
    return replace(way, difference=float(difference), outside=outside)


def finite(bound: Any) -> float | None:
    """A bound as a number; None where nothing is bounded."""
    return float(bound) if np.isfinite(bound) else None


class Asked:
    """The implementations but the hand code, built once, to be asked at any point of a network in float64."""

    def __init__(self, network: Graph, against: Sequence[str] | None) -> None:
        names = registry.names() if against is None else against
        self.names = [name for name in names if name != registry.REFERENCE]
        with held_back():
            self.admission = admit(self.names, network, "float64", named=against is not None)

    def at(self, point: Point) -> dict[str, Pass | str]:
        """The pass of each, in the order of the names, or why there is none."""
        found: dict[str, Pass | str] = {finding.against: finding.message for finding in self.admission.absent}
        for participant in self.admission.participants:
            result = participant.pass_at(point, tap=False)
            found[participant.name] = participant.take_findings()[0].message if result is None else result
        return {name: found[name] for name in self.names if name in found}


def _by(label: str, answer: Pass | str, name: str, index: tuple[int, ...], allowed: float | None) -> Way:
    if isinstance(answer, str):
        return Way(label, reason=answer)
    value = float(answer.gradients[name][index])
    return Way(label, value, allowed=allowed) if np.isfinite(value) else Way(label, reason=f"it gives {value}")


def label_of(name: str) -> str:
    """What an implementation is called in the table."""
    return LABELS.get(name, visible(name))


def _difference(variable: Variable) -> Way:
    found = central_difference(variable.loss, variable.value)
    if found is None:
        return Way("central difference", reason="the loss is not finite near by")
    return Way(
        f"central difference, h={found.step:.0e}".replace("e-0", "e-"), found.value, allowed=found.error, estimate=True
    )


def truth_at(point: Point, below: Mapping[str, Array]) -> Truth | str:
    """The truth at a point, sharp enough for some bounds, or why it cannot be had."""
    from harness.evaluation.truth import CannotCertifyError, true_tensors

    try:
        return true_tensors(point.network, point.weights, point.x, point.y, below=below)
    except CannotCertifyError as error:
        return str(error)


def _exact(truth: Truth | str, name: str, index: tuple[int, ...]) -> tuple[Way, Fraction | None]:
    """The true derivative, as text and to `KNOWN` digits; None where it cannot be had."""
    if isinstance(truth, str):
        return Way(BALL, reason=truth), None
    way = "exact rational arithmetic" if truth.kind == "rational" else f"{truth.bits}-bit {BALL}"
    tensor = truth.tensors[name]
    known, radius = tensor.digits(index, KNOWN), tensor.text_radius(index)
    if known == "nan":
        return Way(way, reason="its ball is unbounded here"), None
    value = Fraction(known)
    return Way(way, float(value), 0.0, float(radius), digits=f"{tensor.digits(index, SHOWN)} ± {radius}"), value
