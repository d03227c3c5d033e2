"""Mistakes in a penalty: left out of a gradient or of the loss, a factor 2 or N, the penalty for its derivative.

dw = 2 l2 w + l1 sign(w)     0; half, twice, −; over N or not; l2 w^2 + l1 |w| itself; l1 for l1 sign(w); c dw

At a weight that is left out of the penalty, as biases are, the step's ``weight decay added`` says so (`sums`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from operator import add
from typing import Any

import numpy as np

from harness.arithmetic.bounded import holds
from harness.arithmetic.profile import profile_of
from harness.faults.fault import Fault, Off, Read, number_text
from harness.faults.formulas import formula_of
from harness.faults.place import Place, samples
from impls.contract import Array
from impls.graph import TARGET
from impls.hand import Penalty


def penalty_faults(place: Place) -> Iterator[Fault]:
    """What can go wrong at what a penalty adds to the gradient of a weight."""
    right, penalty, w, gradient = place.link, place.layer, place.names["w"], place.names["dw"]
    text, rest = penalty.text(w), _rest(place)
    says = f"the penalty is left out of {gradient}, where the loss has it"
    yield place.fault("penalty missing", says, rest, lambda t: 0 * right(t))
    says = f"the penalty is subtracted from {gradient}, where it is to be added"
    yield place.fault("sign flipped", says, f"{rest} − ({text})", lambda t: -right(t))
    says = f"what the penalty adds to {gradient} is half of what it should be: the 2 of the square's derivative, say"
    yield place.fault("half", says, f"{rest} + ({text})/2", lambda t: right(t) / 2)
    says = f"what the penalty adds to {gradient} is twice what it should be: the 1/2 of the loss, say"
    yield place.fault("doubled", says, f"{rest} + 2·({text})", lambda t: 2 * right(t))
    if penalty.mean:
        says = f"what the penalty adds to {gradient} is not divided by the number of samples, as it is in the loss"
        yield place.fault("times N", says, f"{rest} + N·({text})", lambda t: samples(t) * right(t))
    else:
        says = f"what the penalty adds to {gradient} is divided by the number of samples, as it is not in the loss"
        yield place.fault("divided by N", says, f"{rest} + ({text})/N", lambda t: right(t) / samples(t))
    says = f"the penalty itself is added to {gradient}, not its derivative"
    itself = lambda t: _itself(penalty, t[w], t)  # noqa: E731
    yield place.fault("penalty not differentiated", says, f"{rest} + the penalty of {w}", itself)
    if penalty.l1:
        says = f"the sign of {w} is left out: l1 is added to every entry of {gradient}"
        unsigned = lambda t: _averaged(penalty, 2 * penalty.square * t[w] + penalty.l1, t)  # noqa: E731
        yield place.fault("sign of the weight missing", says, f"{rest} + {text} without the sign", unsigned)
    says, formula = f"what the penalty adds to {gradient} is {{c}} times what the loss has", f"{rest} + {{c}}·({text})"
    yield place.fitted("scaled by a constant", says, formula, lambda t: 0 * right(t), lambda t: +right(t), 0.1)


def _rest(place: Place) -> str:
    """The other parts of the gradient."""
    network, links = place.network, place.network.link
    others = [links[part] for part in links[place.names["dw"]].inputs if links[part].layer is not place.layer]
    return " + ".join(formula_of(Place(network, link)) for link in others)


def _itself(penalty: Any, w: Any, t: Mapping[str, Any]) -> Any:
    terms = [penalty.square * np.square(w)] if penalty.l2 else []
    terms += [penalty.l1 * np.absolute(w)] if penalty.l1 else []
    return _averaged(penalty, reduce(add, terms), t)


def _averaged(penalty: Any, value: Any, t: Mapping[str, Any]) -> Any:
    return value / samples(t) if penalty.mean else value


SLACK = 64
"""Roundings, about, that a loss may be apart from another."""
TOLD = 1e-5
"""A penalty's number that is known less sharply may be any short one."""


@dataclass(frozen=True)
class Added(Read):
    """A penalty in the loss that the network's loss does not have; its number is one of two digits at most.

    Attributes:
        weights: the names of those with a penalty, without biases and with them.
    """

    weights: Mapping[bool, tuple[str, ...]]
    place: Place = field(repr=False)

    def read(self, tensor: str, actual: Array, right: Array, off: Off, tensors: Mapping[str, Any]) -> Fault | None:  # noqa: ARG002
        """As `Read.read`: with the kind and the number."""
        if tensor != self.at:
            return None
        u = profile_of("float32" if holds(actual, "float32") else "float64").u
        added, rounded = float(actual - right), SLACK * u * float(np.abs(actual) + np.abs(right))
        if not rounded < TOLD * added:
            return None
        for digits, kind, biases in product((1, 2), ("l2", "l1"), (False, True)):
            total = slope_total(kind, [tensors[name] for name in self.weights[biases]])
            ends = ((added - rounded) / total, (added + rounded) / total) if total else (0.0, 0.0)
            for way in written(kind, ends, samples(tensors), digits):
                return added_to_loss(self.place, self.weights[biases], {**way, "biases": biases})
        return None


def added_to_loss(place: Place, weights: tuple[str, ...], way: Mapping[str, Any]) -> Fault:
    """A penalty in the loss that the network's loss does not have."""
    told, penalty = penalty_text(**way), Penalty(**{name: value for name, value in way.items() if name != "biases"})
    says = f"the {told} is added to the loss, which this loss does not have; its derivative by w is {penalty.text('w')}"

    def rule(t: Mapping[str, Any]) -> Any:
        return reduce(add, [place.link(t), *(penalty.forward(t[name], t[TARGET]) for name in weights)])

    return place.fault("penalty added", says, f"L + {told}", rule)


def unsaid_penalties(place: Place) -> Iterator[Fault]:
    """A penalty that somebody adds to a loss that has none."""
    every = place.network.weights
    if place.layer.penalised(every):
        return
    large = tuple(name for name, shape in every.items() if len(shape) > 1)
    weights = {False: large, True: tuple(every)}
    usual = added_to_loss(place, weights[False], {"l2": 0.01})
    yield Added(usual.cause, place.at, usual.says, usual.formula, usual.rule, weights, place)


def slope_total(kind: str, weights: Sequence[Any]) -> float:
    """What a penalty of slope 1 adds to the loss: half the squares, or the sizes, of the weights."""
    parts = [np.asarray(w, np.float64) for w in weights]
    return sum(float((w**2).sum() / 2 if kind == "l2" else np.abs(w).sum()) for w in parts)


MOST_DIGITS = 6


def written(kind: str, slope: tuple[float, float], rows: int, digits: int = MOST_DIGITS) -> list[dict[str, Any]]:
    """How a penalty may be written that adds so many times w or sign(w) to a gradient; those with fewest digits first.

    Args:
        kind: l2 or l1.
        slope: between which numbers it is.
        digits: the most that its number may have.
    """
    ways = [(half, mean) for mean in (False, True) for half in ((False, True) if kind == "l2" else (False,))]
    found = []
    for half, mean in ways:
        times = (rows if mean else 1) / (1 if half or kind == "l1" else 2)
        least, most = sorted(times * end for end in slope)
        for few in range(1, digits + 1):
            number = float(f"{(least + most) / 2:.{few}g}")
            if least <= number <= most and number > 0:
                found.append((few, {kind: number, "half": half, "mean": mean}))
                break
    return [way for _, way in sorted(found, key=lambda each: each[0])]


def penalty_text(
    *, l2: float = 0.0, l1: float = 0.0, half: bool = False, mean: bool = False, biases: bool = False
) -> str:
    """A penalty in words: ``L2 penalty 0.01·Σw²``."""
    what = f"L2 penalty {number_text(l2)}{'/2' if half else ''}·Σw²" if l2 else f"L1 penalty {number_text(l1)}·Σ|w|"
    return f"{what}{'/N' if mean else ''}{' of weights and biases' if biases else ''}"
