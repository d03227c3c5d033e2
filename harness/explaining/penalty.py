"""Penalties in an explanation: no path leads through one.

A penalty reads a weight itself, not what the weight feeds. So the paths explain the derivative of the loss without it,
and what it adds is one term, which is told beside them and is part of the update.
"""

from __future__ import annotations

import numpy as np

from harness.explaining.layout import operand
from harness.explaining.references import Reference
from impls.contract import Array
from impls.graph import Graph
from impls.hand import Penalised


def without_penalty(network: Graph) -> Graph:
    """The network, its loss without what a penalty adds."""
    return network.with_loss(network.loss.loss) if isinstance(network.loss, Penalised) else network


def penalty_of(network: Graph, meant: Reference, value: float, y: Array) -> float:
    """What the penalty of a network's loss adds to a derivative, on targets y; 0 where there is none."""
    if meant.tensor not in network.loss.penalised(network.weights):
        return 0.0
    return float(network.loss.penalty.dw(np.float64(value), y))


def note_of(network: Graph, meant: Reference, added: float, paths: float) -> list[str]:
    """What is said about it."""
    if not isinstance(network.loss, Penalised):
        return []
    if meant.tensor not in network.loss.penalised(network.weights):
        return ["L is told without its penalty, which does not read this."]
    text = network.loss.penalty.text(meant.short)
    amount, whole = (operand(number, bare=True) for number in (added, paths + added))
    return [
        f"L is told without its penalty, through which no path leads: it adds {text} = {amount} to ∂L/∂{meant.short}, "
        f"{whole} in all, which the update takes."
    ]
