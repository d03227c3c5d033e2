"""Mistakes in a penalty: left out of a gradient or of the loss, a factor 2 or N, the penalty for its derivative.

dw = 2 l2 w + l1 sign(w)     0; half, twice, −; over N or not; l2 w^2 + l1 |w| itself; l1 for l1 sign(w); c dw

At a weight that is left out of the penalty, as biases are, the step's ``weight decay added`` says so (`sums`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.formulas import formula_of
from harness.faults.place import Place, samples


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
