"""Mistakes of the catalogue, where the reference is a hand layer: those that can be made at its own links.

Mistakes that need more of a network than the layer's own tensors explain nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.arithmetic import Bounded
from harness.evaluation.references.derived import HandReference
from harness.faults.catalogue import faults_at
from harness.faults.fault import Fault
from harness.faults.operations.hypothesis import Hypothesis, Situation


def catalogued(at: Situation, name: str) -> Iterator[Hypothesis]:
    """Everything of the catalogue for the gradient of one input."""
    reference = at.reference
    if not isinstance(reference, HandReference) or (at.inputs[name].ndim < 2 and name in reference.reads):
        return
    tensors = reference.tensors(at.inputs, at.upstream, at.dtype)

    def predicted(fault: Fault) -> Bounded:
        return reference.sent_back(fault.rule(tensors), tensors)

    graph = reference.graph(at.inputs)
    for fault in faults_at(graph, reference.links(at.inputs)[name]):
        yield Hypothesis(fault.cause, f"{fault.says}: {fault.formula}, in d{name}", partial(predicted, fault))
