"""Remarks: what stands out about a network before anything is compared, right as its gradients may be."""

from __future__ import annotations

from collections.abc import Iterable

from harness.comparison.judge import Finding, Kind
from impls.graph import Graph
from impls.hand.losses.scaled import bare
from impls.hand.notation import name_of

KIND: Kind = "network"


def remarks_on(network: Graph) -> list[Finding]:
    """A function that stands at the end and is part of the loss too: softmax before a cross-entropy on logits."""
    last = next(node.layer for node in network.nodes if network.output in node.gives)
    applied = bare(network.loss).applies
    if not applied or name_of(last) != applied:
        return []
    says = f"applies {applied} itself: this network applies it twice"
    return [Finding("the loss", 1, KIND, says, fails=False)]


def lines_of(findings: Iterable[Finding]) -> list[str]:
    """The remarks among findings, as the lines that stand below a heading."""
    return [f"note  {finding.against} {finding.message}" for finding in findings if finding.kind == KIND]
