"""The same derivative in other ways: each value beside its distance from the reference and what rounding allows.

The reference is ball arithmetic, where python-flint is installed; else the matrix backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from msgspec.structs import replace

from harness.admission import admit
from harness.arithmetic import profile_of
from harness.centre import Centre, end_to_end
from harness.explaining.differences import central_difference
from harness.explaining.parts import Way
from harness.explaining.variable import Variable
from harness.interrupts import held_back
from harness.point import Point
from impls import registry

MATRIX = "matrix backward (NumPy)"
BALL = "ball arithmetic"
LABELS = {"torch": "torch autograd", "jax": "jax grad"}
DIGITS = 25
"""Decimal digits of the reference: nine more than a float has."""


def centre_of(variable: Variable) -> Centre:
    """Every tensor of the variable's network with its float64 bound."""
    return end_to_end(variable.network, variable.weights, variable.x, variable.y, profile_of("float64"))


def ways_of(variable: Variable, centre: Centre, paths: Sequence[Way], against: Sequence[str] | None) -> list[Way]:
    """Every way, the given ones by paths in front; `against` names implementations, all known ones if None."""
    gradient = centre.tensors["d" + variable.tensor]
    allowed = float(gradient.bound[variable.index])
    matrix = Way(MATRIX, float(gradient.value[variable.index]), allowed=allowed)
    ways = [*paths, matrix, *_implementations(variable, allowed, against), _difference(variable, centre)]
    exact = _exact(variable)
    if exact.value is None:
        return [_judged(way, Fraction(matrix.value or 0.0), way is matrix) for way in ways] + [exact]
    return [_judged(way, Fraction(exact.digits or exact.value), False) for way in ways] + [exact]


def _judged(way: Way, reference: Fraction, is_reference: bool) -> Way:
    if way.value is None or is_reference:
        return way
    difference = Fraction(way.value) - reference
    if way.outside is None and way.way.startswith("central"):
        return replace(way, minus_exact=float(difference))
    outside = None if way.allowed is None else not abs(difference) <= Fraction(way.allowed)
    return replace(way, minus_exact=float(difference), outside=outside)


def _implementations(variable: Variable, allowed: float, against: Sequence[str] | None) -> list[Way]:
    """The derivative by every implementation but the hand code, in float64; those that cannot say why."""
    names = [name for name in (registry.names() if against is None else against) if name != "hand"]
    with held_back():
        admission = admit(names, variable.network, "float64", named=against is not None)
    point = Point(variable.network, variable.weights, variable.x, variable.y, 1)
    found: dict[str, Way] = {}
    for finding in admission.absent:
        found[finding.against] = Way(LABELS.get(finding.against, finding.against), reason=finding.message)
    for participant in admission.participants:
        label = LABELS.get(participant.name, participant.name)
        result = participant.pass_at(point, tap=False)
        if result is None:
            found[participant.name] = Way(label, reason=participant.take_findings()[0].message)
            continue
        value = float(result.gradients["d" + variable.tensor][variable.index])
        finite = bool(np.isfinite(value))
        found[participant.name] = (
            Way(label, value, allowed=allowed) if finite else Way(label, reason=f"it gives {value}")
        )
    return [found[name] for name in names if name in found]


def _difference(variable: Variable, centre: Centre) -> Way:
    found = central_difference(variable.loss, variable.value, float(centre.tensors["loss"].bound))
    if found is None:
        return Way("central difference", reason="the loss is not finite near by")
    return Way(f"central difference, h={found.step:.0e}".replace("e-0", "e-"), found.value, allowed=found.error)


def _exact(variable: Variable) -> Way:
    try:
        truth: Any = _true_tensors(variable)
    except ModuleNotFoundError as error:
        return Way(BALL, reason=f"the package {error.name} is not installed; pip install 'backprop-harness[exact]'")
    tensor = truth.tensors["d" + variable.tensor]
    digits = tensor.digits(variable.index, DIGITS)
    way = "exact rational arithmetic" if truth.kind == "rational" else BALL
    value, radius = float(tensor.value[variable.index]), float(tensor.radius[variable.index])
    return Way(way, value, allowed=radius, digits=digits)


def _true_tensors(variable: Variable) -> Any:
    from harness.truth import true_tensors  # type: ignore[import-not-found]

    return true_tensors(variable.network, variable.weights, variable.x, variable.y)
