"""The same derivative in other ways: each value beside its distance from the reference and what rounding allows.

Every other way differentiates by a variable: one number that the loss depends on, which can be moved. For a weight or
a bias that number is an entry of the network's weights. An input and a neuron's output are none; but a node with the
identity as its weights and a bias of 0, put right behind them, changes nothing, and to move its bias is to move them.
So dL/dx and dL/dO of every implementation is the db of that node.

The reference is ball arithmetic, where python-flint is installed; else the matrix backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import structs

from harness.arithmetic import profile_of
from harness.candidates.implementation import admit
from harness.evaluation.centre import Centre, end_to_end
from harness.evaluation.point import Point
from harness.evaluation.references.differences import central_difference
from harness.explaining.explanation import Way
from harness.explaining.references import Reference
from harness.interrupts import held_back
from harness.usage import visible
from impls import registry
from impls.contract import Array, Inputs, Pass
from impls.graph import LOSS, TARGET, Graph, Link, evaluate, node
from impls.hand import Dense

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
    network, given = variable.network, (variable.weights, variable.x)
    gradients = network.backward(*given, variable.y, network.forward(*given))
    return ways_given(variable, centre, paths, gradients, answers, truth)


def ways_given(
    variable: Variable,
    centre: Centre,
    paths: Way,
    gradients: Mapping[str, Array],
    answers: Mapping[str, Pass | str],
    truth: Truth | str,
) -> list[Way]:
    """The same of what was already found at the variable's point.

    Args:
        gradients: by the hand code.
        answers: of each implementation but the hand code its pass, or why there is none.
        truth: or why it cannot be had.
    """
    name, index = variable.gradient, variable.index
    allowed = finite(centre.tensors[name].bound[index])
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
    return structs.replace(way, difference=float(difference), outside=outside)


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


MOVED = "moved"


@dataclass(frozen=True)
class Variable:
    """An entry of a weight of a network on a batch.

    Attributes:
        tensor, index: the weight and the entry, counted from 0.
        tensors: from forward tensors of the network to what they are called without the added node.
    """

    network: Graph
    weights: Mapping[str, Array]
    x: Array | Inputs
    y: Array
    tensor: str
    index: tuple[int, ...]
    tensors: Mapping[str, str] = field(default_factory=dict)

    @property
    def gradient(self) -> str:
        """The name of the gradient of that weight."""
        return self.network.gradient[self.tensor]

    @property
    def value(self) -> float:
        """Where it stands; 0 for an input or an output, which it moves."""
        return float(self.weights[self.tensor][self.index])

    def forward(self, value: float) -> dict[str, Array]:
        """The forward tensors, and the loss, with the variable at `value`."""
        weights = {**self.weights, self.tensor: self._moved(value)}
        activations = self.network.forward(weights, self.x)
        named = {self.tensors.get(name, name): array for name, array in activations.items()}
        return {**named, LOSS: self.network.loss_of({**weights, **activations}, self.y)}

    @cached_property
    def _behind(self) -> tuple[Mapping[str, Array], list[Link]]:
        """Every forward tensor where the variable stands, and the links, the loss among them, that it reaches."""
        links, reached, behind = self.network.links_to_loss, {self.tensor}, list[Link]()
        for link in links:
            if not reached.isdisjoint(link.inputs):
                reached.add(link.output)
                behind.append(link)
        return evaluate(links, {**self.network.given(self.x), **self.weights, TARGET: self.y}), behind

    def loss(self, value: float) -> float:
        """The loss with the variable at `value`; what it does not reach is not computed anew."""
        with np.errstate(over="ignore"):  # as Graph.forward
            tensors, behind = self._behind
            return float(evaluate(behind, {**tensors, self.tensor: self._moved(value)})[LOSS])

    def _moved(self, value: float) -> Array:
        moved = self.weights[self.tensor].copy()
        moved[self.index] = value
        return moved


def variable_of(
    reference: Reference, network: Graph, weights: Mapping[str, Array], x: Array | Inputs, y: Array
) -> Variable:
    """What a reference means, as a variable."""
    if reference.learned:
        return Variable(network, weights, x, y, reference.tensor, reference.index)
    width, name = network.tensors[reference.tensor].width, MOVED
    while any(each.name == name for each in network.nodes):
        name += "_"
    added = node(name, Dense(width, width), reference.tensor)
    (moved,) = added.gives
    behind = [
        replace(each, reads=tuple(moved if read == reference.tensor else read for read in each.reads))
        for each in network.nodes
    ]
    first = next((i for i, each in enumerate(network.nodes) if reference.tensor in each.reads), len(behind))
    output = moved if network.output == reference.tensor else network.output
    wider = Graph(network.sources, [*behind[:first], added, *behind[first:]], network.loss, output)
    given = {**weights, added.named("W"): np.eye(width), added.named("b"): np.zeros(width)}
    ordered = {each: given[each] for each in wider.weights}
    tensors = {moved: reference.tensor, reference.tensor: f"{reference.tensor} before"}
    return Variable(wider, ordered, x, y, added.named("b"), reference.index, tensors)
