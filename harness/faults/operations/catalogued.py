"""Mistakes of the catalogue, where the reference is a hand layer or has a twin: those made at its own links.

Mistakes that need more of a network than the layer's own tensors explain nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.arithmetic import Bounded
from harness.faults.catalogue import faults_at
from harness.faults.fault import Fault
from harness.faults.operations.hypothesis import Hypothesis, Situation


def catalogued(at: Situation, name: str) -> Iterator[Hypothesis]:
    """Everything of the catalogue for the gradient of one input."""
    if at.hand is None:
        return
    reference, names, inputs, upstream, dtype = at.hand
    own = names[name]
    if inputs[own].ndim < 2 and own in reference.reads:
        return
    tensors = reference.tensors(inputs, upstream, dtype)

    def predicted(fault: Fault) -> Bounded:
        return reference.sent_back(fault.rule(tensors), tensors)

    for fault in faults_at(reference.graph(inputs), reference.links(inputs)[own]):
        yield Hypothesis(fault.cause, f"{fault.says}: {fault.formula}, in d{name}", partial(predicted, fault))
