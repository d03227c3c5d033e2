"""Remarks: what stands out about a network or a point before anything is compared, right as all gradients may be."""

from __future__ import annotations

from collections.abc import Iterable

from harness.comparison.judge import Finding, Kind
from harness.evaluation.point import Point
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


def remarks_at(point: Point) -> list[Finding]:
    """Gradients of weights that are 0 throughout, behind units that are dead on every row: nothing is seen in them."""
    centre = point.centre(point.dtype).tensors
    dead = [name for name in point.network.gradients if not centre[name].value.any()]
    if not dead:
        return []
    says = f"leave {', '.join(dead)} at 0 throughout, where no mistake is seen: another --seed draws others"
    return [Finding("these weights", 1, KIND, says, dead[0], fails=False)]


def lines_of(findings: Iterable[Finding]) -> list[str]:
    """The remarks among findings, as the lines that stand below a heading."""
    return [f"note  {finding.against} {finding.message}" for finding in findings if finding.kind == KIND]
