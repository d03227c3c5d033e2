"""The networks whose steps are timed, each with a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from harness.inputs.batches import batches_of
from harness.inputs.datasets import load_data
from impls.graph import Graph
from impls.hand import from_text
from impls.hand.named import named

CHAINS: dict[str, tuple[str, dict[str, Any], int]] = {
    "A": ("4-3-2-1", {}, 150),
    "B": ("64-128-64-10", {"activation": "relu", "loss": "cross-entropy"}, 128),
    "C": ("784-512-256-10", {"activation": "relu", "loss": "cross-entropy"}, 128),
    "D": ("1024-1024-1024-1024", {"activation": "sigmoid"}, 256),
    "E": ("2048-4096-4096-1000", {"activation": "relu", "loss": "cross-entropy"}, 512),
}
GPT = "gpt:layers=2,heads=2,width=64,context=64"


class Case(NamedTuple):
    """A network, how it is called, and how many rows its batch has."""

    name: str
    network: Graph
    rows: int

    def batch(self) -> tuple[Any, Any]:
        """Inputs in float32 or whole numbers, and targets."""
        drawn = batches_of(self.network, load_data("random", network=self.network), "float32", None, 0)
        kept = np.resize(np.arange(len(drawn.y)), self.rows)
        return drawn.x[kept], drawn.y[kept]


def chain(letter: str) -> Case:
    """One of `CHAINS`."""
    sizes, options, rows = CHAINS[letter]
    return Case(f"{letter} {sizes} {options.get('activation', 'sigmoid')}", from_text(sizes, **options), rows)


def gpt() -> Case:
    """A small GPT."""
    return Case(GPT, named(f"{GPT},tokens=65"), 16)


def cases(*, quick: bool) -> list[Case]:
    """Chains from small to wide, a convolutional network and a GPT; the widest takes seconds a step."""
    chains = [chain(letter) for letter in CHAINS if letter != "E" or not quick]
    return [*chains, Case("lenet", named("lenet"), 128), gpt()]


def case_of(name: str) -> Case:
    """One of all cases."""
    return {case.name: case for case in cases(quick=False)}[name]
