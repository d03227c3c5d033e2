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
from harness.usage import visible
from impls import registry

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
    name, index = "d" + variable.tensor, variable.index
    network, given = variable.network, (variable.weights, variable.x)
    allowed = finite(centre.tensors[name].bound[index])
    gradients = network.backward(*given, variable.y, network.forward(*given))
    matrix = Way(MATRIX, float(gradients[name][index]), allowed=allowed)
    others = [*_implementations(variable, allowed, against), _difference(variable)]
    exact, truth = _exact(variable, centre)
    if truth is None:  # the hand code's matrices stand in for the truth, from which they may be off themselves
        truth, doubt = Fraction(matrix.value or 0.0), allowed
    else:
        doubt = exact.allowed
    return [judged(way, truth, doubt) for way in (paths, matrix, *others)] + [exact]


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


def _implementations(variable: Variable, allowed: float | None, against: Sequence[str] | None) -> list[Way]:
    """The derivative by every implementation but the hand code, in float64; those that cannot say why."""
    names = [name for name in (registry.names() if against is None else against) if name != registry.REFERENCE]
    with held_back():
        admission = admit(names, variable.network, "float64", named=against is not None)
    point = Point(variable.network, variable.weights, variable.x, variable.y, 1)
    found: dict[str, Way] = {}
    for finding in admission.absent:
        found[finding.against] = Way(label_of(finding.against), reason=finding.message)
    for participant in admission.participants:
        label = label_of(participant.name)
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


def _exact(variable: Variable, centre: Centre) -> tuple[Way, Fraction | None]:
    """The true derivative, as text and to `KNOWN` digits; None where it cannot be had."""
    from harness.truth import CannotCertifyError, true_tensors

    name, index = "d" + variable.tensor, variable.index
    try:
        bound = {name: centre.tensors[name].bound}
        truth = true_tensors(variable.network, variable.weights, variable.x, variable.y, below=bound)
    except CannotCertifyError as error:
        return Way(BALL, reason=str(error)), None
    way = "exact rational arithmetic" if truth.kind == "rational" else f"{truth.bits}-bit {BALL}"
    tensor = truth.tensors[name]
    known, radius = tensor.digits(index, KNOWN), tensor.text_radius(index)
    if known == "nan":
        return Way(way, reason="its ball is unbounded here"), None
    value = Fraction(known)
    return Way(way, float(value), 0.0, float(radius), digits=f"{tensor.digits(index, SHOWN)} ± {radius}"), value
