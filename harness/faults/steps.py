"""What belongs to the step, found in the gradient: learning rate, new weights, weight decay, clipping.

    dx = dz (W − lr dW)^T     the weights were updated before the gradient of the layer before was taken
    lr dW                     the update itself is returned
    dW + c W                  the derivative of a penalty c/2 |W|^2, which this loss does not have
    min(max(dW, −c), c)       clipped by value;   dW / max(|dW|, 1)   clipped by norm

The numbers lr and c are the person's own, so they are fitted (`fitted`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import Dense


def step_faults(place: Place) -> Iterator[Fault]:
    """What belongs to the step, at dx and at the gradients of weights."""
    right, at = place.link, place.at
    yield from place.faults_of(_STEPS)
    weight = place.link.of
    if not place.of_weight or weight is None or place.tensor.through:
        return
    text = f"{at} is {{c}} times the gradient: the learning rate, or another constant, is multiplied in"
    formula = f"{{c}}·{at}"
    yield place.fitted("learning rate multiplied in", text, formula, lambda t: 0 * right(t), lambda t: +right(t), 0.1)
    text = f"{at} has {{c}}·{weight} added: weight decay, which this loss does not have"
    yield place.fitted("weight decay added", text, f"{at} + {{c}}·{weight}", right, lambda t: +t[weight], 0.01)
    text = f"{at} is clipped to values from −{{c}} to {{c}}"
    yield place.clipped("clipped by value", text, f"min(max({at}, −{{c}}), {{c}})", right, 1.0)
    text = f"{at} is scaled down to length 1"
    yield place.fault("clipped by norm", text, f"{at}/max(|{at}|, 1)", lambda t: _shortened(right(t), t))


def _shortened(gradient: Any, t: Mapping[str, Any]) -> Any:  # noqa: ARG001
    return gradient / np.maximum(np.sqrt(np.square(gradient).sum()), 1)


def _after_the_update(place: Place) -> Iterator[Fault]:
    dz, W, dW = (place.names[local] for local in ("dz", "W", "dW"))
    if place.earlier(dW):
        text = f"{W} was updated, with learning rate {{c}}, before {place.at} was computed with it"
        formula = f"{dz} · ({W} − {{c}}·{dW})ᵀ"
        against = lambda t: -(t[dz] @ t[dW].T)  # noqa: E731
        yield place.fitted("weights after the update", text, formula, place.link, against, 0.1)


_STEPS: RuleTable = {Dense: {"dx": _after_the_update}}
