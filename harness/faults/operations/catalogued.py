"""Mistakes of the catalogue, where the reference is a hand layer: those that can be made at its own links.

The layer is put into a small network, as its second, so that the catalogue knows its links; mistakes that need more of
a network than the layer's own tensors explain nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from harness.arithmetic import Bounded
from harness.evaluation.references.derived import HandReference
from harness.faults.catalogue import faults_at
from harness.faults.operations.hypothesis import Hypothesis, Situation
from impls.hand import Dense, Network, Sigmoid, SumSquaredError
from impls.hand.activations import Activation
from impls.hand.losses.base import Loss

THERE = {"x": "a1", "W": "W2", "b": "b2", "z": "z2", "a": "a2"}
"""From the layer's names to those of the second layer of a network."""


def catalogued(at: Situation, name: str) -> Iterator[Hypothesis]:
    """Everything of the catalogue for the gradient of one input."""
    reference = at.reference
    if not isinstance(reference, HandReference):
        return
    network = _around(reference.layer, at.inputs[reference.layer.reads].shape)
    if network is None:
        return
    there = THERE | {f"d{here}": f"d{other}" for here, other in THERE.items()}
    tensors = {there.get(own, own): t for own, t in reference.tensors(at.inputs, at.upstream, at.dtype).items()}
    link = next(link for link in network.backward_links if link.output == there[f"d{name}"])
    for fault in faults_at(network, link):
        says = _in_own_names(f"{fault.says}: {fault.formula}", name)
        yield Hypothesis(fault.cause, says, partial(_predicted, fault.rule, tensors))


def _around(layer: Any, shape: tuple[int, ...]) -> Network | None:
    """A network in which the layer is the second; None for a layer of another kind."""
    width = shape[-1]
    if isinstance(layer, Dense):
        return Network([Dense(layer.inputs, layer.inputs), Sigmoid(), layer], SumSquaredError())
    if len(shape) != 2 or not isinstance(layer, Activation | Loss):
        return None
    before = [Dense(width, width), Sigmoid(), Dense(width, width)]
    if isinstance(layer, Loss):
        return Network([*before, Sigmoid()], layer)
    return Network([*before, layer], SumSquaredError())


def _predicted(rule: Any, tensors: dict[str, Any]) -> Bounded:
    gradient = rule(tensors)
    return gradient * tensors["dL"] if "dL" in tensors else gradient


def _in_own_names(says: str, name: str) -> str:
    says = re.sub(r"\b(d?)a1(?![0-9])", r"\1x", says)
    says = re.sub(r"\b(d?[zaWb])2(?![0-9])", r"\1", says)
    return f"{says}, in d{name}"
