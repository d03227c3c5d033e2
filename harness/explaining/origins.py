"""Where each factor of a path comes from: its formula, and the same with the numbers of one sample.

    ∂L/∂O31   = 2·(O31 − y)               = 2·(0.528456 − 1)      = -0.943089
    ∂O31/∂O21 = O31(1 − O31)·w_11^(3)     = 0.249190 · 0.294379   = +0.073356

The formulas of f' and of the loss's derivative stand in the layer's own file, as its ``derivative``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from harness.explaining.layout import opened, operand
from harness.explaining.parts import Factor
from harness.explaining.symbols import Nodes, ratio, weight_symbol
from impls.graph import Graph
from impls.hand import Dense
from impls.hand.activations.softmax import softmax
from impls.hand.paths import Path, Paths


class Origins:
    """Tells of the factors of some paths.

    Args:
        source: of a weight, the node whose value it weighs.
        rows: the samples' numbers in the data.
    """

    def __init__(self, paths: Paths, nodes: Nodes, source: str | None, rows: Sequence[int]) -> None:
        self.paths, self.nodes, self.source, self.rows = paths, nodes, source, rows
        self.tensors, self.y = paths.tensors, paths.tensors["y"]
        self.network: Graph = paths.network
        self._activations = {
            link.output: link.layer for link in self.network.forward_links if not isinstance(link.layer, Dense)
        }

    def of(self, chosen: Iterable[Path]) -> list[Factor]:
        """Every factor of the chosen paths once, those next to the loss first."""
        found: dict[tuple[int, int, int, int], Factor] = {}
        for path in chosen:
            for position, (source, target) in enumerate(pairwise(path.route)):
                key = (position, path.sample, target, source)
                if key not in found:
                    found[key] = self._factor(path, position, source, target)
        return [found[key] for key in sorted(found, key=lambda key: (-key[0], *key[1:]))]

    def _factor(self, path: Path, position: int, source: int, target: int) -> Factor:
        before, after = self.paths.levels[position : position + 2]
        i, k = before.entries[source], after.entries[target]
        by, of = self.nodes.name(before.tensor, i + 1), self.nodes.name(after.tensor, k + 1)
        if after.tensor == "loss":
            formula, numbers = self._loss(path.sample, before.tensor, i)
        elif before.tensor[1:] == after.tensor[1:] and before.tensor[0] == "z":
            formula, numbers = self._coupled(path.sample, after.tensor, i, k)
        else:
            formula, numbers = self._neuron(path.sample, position, source, target)
        return Factor(ratio(of, by), self.rows[path.sample], formula, opened(numbers), path.factors[position])

    def _neuron(self, sample: int, position: int, source: int, target: int) -> tuple[str, str]:
        """f'(z) times what the weighted sum has for it: a weight, or for a weight its input."""
        step, (before, after) = self.paths.steps[position], self.paths.levels[position : position + 2]
        i, k, layer = before.entries[source], after.entries[target], int(after.tensor[1:])
        matrix = float((step.matrix[sample] if step.matrix.ndim == 3 else step.matrix)[source, target])
        symbols, numbers = [], []
        if step.slope is not None:
            text = self._text(after.tensor, k)
            if text != "1":
                symbols, numbers = [text], [operand(float(step.slope[sample, target]))]
        if before.tensor[0] == "W":
            symbols.append(self.source or "")
            numbers.append(operand(matrix))
        elif before.tensor[0] == "b":
            symbols.append("1")
            numbers.append("1")
        else:
            symbols.append(weight_symbol(layer, i, k))
            numbers.append(operand(matrix))
        return "·".join(symbols), " · ".join(numbers) if len(numbers) > 1 else ""

    def _text(self, tensor: str, neuron: int) -> str:
        """f'(z) of one neuron."""
        layer, z = self._activations[tensor], f"z{self.nodes.name(tensor, neuron + 1)[1:]}"
        if not getattr(layer, "derivative", ""):
            return f"{type(layer).__name__}'({z})"
        return layer.derivative.format(a=self.nodes.name(tensor, neuron + 1), z=z, **layer.parameters())

    def _coupled(self, sample: int, tensor: str, i: int, k: int) -> tuple[str, str]:
        """da_k/dz_i of an activation that couples its neurons."""
        layer, a = self._activations[tensor], self.tensors[tensor][sample]
        same = str(int(i == k))
        if not getattr(layer, "derivative", ""):
            return f"{type(layer).__name__}'", ""
        symbols = layer.derivative.format(a=self.nodes.name(tensor, k + 1), b=self.nodes.name(tensor, i + 1), same=same)
        return symbols, layer.derivative.format(a=operand(a[k]), b=operand(a[i]), same=same)

    def _loss(self, sample: int, tensor: str, k: int) -> tuple[str, str]:
        loss, a = self.network.loss, self.tensors[tensor]
        template = getattr(loss, "derivative", "")
        inner = getattr(loss, "loss", loss)
        if not template:
            return f"{type(loss).__name__}'", ""
        for count, field in ((a.size, "/{entries}"), (len(a), "/{rows}")):
            if count == 1 and template.endswith(field):
                template = _unwrapped(template.removesuffix(field))
        symbols: dict[str, Any] = {**inner.parameters(), "rows": len(a), "entries": a.size}
        numbers = dict(symbols)
        symbols |= {"a": self.nodes.name(tensor, k + 1), "p": f"softmax(O{tensor[1:]})[{k + 1}]"}
        numbers |= {"a": operand(a[sample, k])}
        if "{p}" in template:
            numbers["p"] = operand(float(softmax(a)[sample, k]))
        if loss.labels:
            symbols["y"], numbers["y"] = f"[y = {k}]", str(int(self.y[sample] == k))
        else:
            symbols["y"] = "y" if self.network.outputs == 1 else f"y{k + 1}"
            numbers["y"] = operand(self.y[sample, k])
            symbols["total"], numbers["total"] = "Σy", operand(float(np.sum(self.y[sample])))
        return template.format(**symbols), template.format(**numbers)


def _unwrapped(text: str) -> str:
    """Without the brackets that enclose all of it."""
    depth = [text[:end].count("(") - text[:end].count(")") for end in range(1, len(text))]
    return text[1:-1] if text.startswith("(") and all(depth) else text
