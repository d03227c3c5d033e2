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

from harness.explaining.explanation import Factor
from harness.explaining.layout import opened, operand
from harness.explaining.symbols import Nodes, ratio
from impls.graph import TARGET, Graph, Node
from impls.hand.activations.softmax import softmax
from impls.hand.losses.scaled import bare
from impls.hand.paths import Path, Paths, Step, weighed


class Origins:
    """Tells of the factors of some paths.

    Args:
        source: of a weight that one node uses, the node whose value it weighs.
        rows: the samples' numbers in the data.
    """

    def __init__(self, paths: Paths, nodes: Nodes, source: str | None, rows: Sequence[int]) -> None:
        self.paths, self.nodes, self.source, self.rows = paths, nodes, source, rows
        self.tensors, self.y = paths.tensors, paths.tensors[TARGET]
        self.network: Graph = paths.network

    def of(self, chosen: Iterable[Path]) -> list[Factor]:
        """Every factor of the chosen paths once, those next to the loss first."""
        found: dict[tuple[int, int, int, int, int], Factor] = {}
        for path in chosen:
            for position, ends in enumerate(pairwise(zip(path.levels, path.route, strict=True))):
                (before, source), (after, target) = ends
                key = (-before, path.sample, target, source, after)
                if key not in found:
                    found[key] = self._factor(path.sample, *ends, path.factors[position])
        return [found[key] for key in sorted(found)]

    def _factor(self, sample: int, start: tuple[int, int], end: tuple[int, int], value: float) -> Factor:
        before, after = self.paths.levels[start[0]], self.paths.levels[end[0]]
        i, k = before.entries[start[1]], after.entries[end[1]]
        by, of = self.nodes.name(before.tensor, i + 1), self.nodes.name(after.tensor, k + 1)
        step = self.paths.step(start[0], end[0])
        if step.node is None:
            formula, numbers = self._loss(sample, before.tensor, i)
        elif step.slope is not None or step.node.weights:
            formula, numbers = self._neuron(sample, step, before.tensor, (i, start[1]), (k, end[1]))
        else:
            formula, numbers = self._coupled(sample, step.node, after.tensor, i, k)
        return Factor(ratio(of, by), self.rows[sample], formula, opened(numbers), value)

    def _neuron(
        self, sample: int, step: Step, before: str, source: tuple[int, int], target: tuple[int, int]
    ) -> tuple[str, str]:
        """f'(z) times what the weighted sum has for it: a weight, or for a weight its input.

        Both places are given as the entry of the tensor and as the node of the level.
        """
        assert step.node is not None
        (i, at), (k, to) = source, target
        symbols, numbers = [], []
        if step.activation is not None and step.slope is not None:
            text = self._text(step.activation, k)
            if text != "1":
                symbols, numbers = [text], [operand(float(step.slope[sample, to]))]
        if step.matrix is None:
            text = self._elementwise(step, k)
            return ("·".join([*symbols, text] if symbols and text != "1" else symbols or [text])), ""
        matrix = float((step.matrix[sample] if step.matrix.ndim == 3 else step.matrix)[at, to])
        symbols.append(self._weighed(step, before, i, k))
        numbers.append("1" if symbols[-1] == "1" else operand(matrix))
        return "·".join(symbols), " · ".join(numbers) if len(numbers) > 1 else ""

    def _weighed(self, step: Step, before: str, i: int, k: int) -> str:
        """What a weighted sum multiplies: the weight between two neurons, or what the starting weight weighs."""
        assert step.node is not None
        names = self.network.names_of(step.node.name)
        (local, *_), starts = step.reads, self.network.tensors[before].role == "weight"
        told = weighed(step.node.layer, local, self.paths.index) if starts else None
        if told is not None:
            return "1" if told[0] is None else self.nodes.name(step.node.reads[0], told[0] + 1)
        matrix = next((w for w in step.node.weights if weighed(step.node.layer, w, (i, k)) == (i, k)), None)
        if starts or matrix is None:
            return f"{type(step.node.layer).__name__}'"
        return self.nodes.weight(names[matrix], (i, k))

    def _elementwise(self, step: Step, k: int) -> str:
        """The derivative of an output by the only entry that leads to it: 1, or what the layer says of each read."""
        assert step.node is not None
        told = getattr(step.node.layer, "derivative", "")
        if isinstance(told, str):
            return self._text(step.node, k)
        read = dict(zip(step.node.local_reads, step.node.reads, strict=True))
        names = {local: self.nodes.name(name, k + 1) for local, name in read.items()}
        return " + ".join(told[local].format(**names) for local in step.reads)

    def _text(self, node: Node, neuron: int) -> str:
        """f'(z) of one neuron."""
        layer, z = node.layer, self.nodes.name(node.reads[0], neuron + 1)
        if not getattr(layer, "derivative", ""):
            return f"{type(layer).__name__}'({z})"
        return layer.derivative.format(a=self.nodes.name(node.gives[0], neuron + 1), z=z, **layer.parameters())

    def _coupled(self, sample: int, node: Node, tensor: str, i: int, k: int) -> tuple[str, str]:
        """da_k/dz_i of an activation that couples its neurons."""
        layer, a = node.layer, self.tensors[tensor][sample]
        same, told = str(int(i == k)), getattr(node.layer, "derivative", "")
        if not told or not isinstance(told, str):
            return f"{type(layer).__name__}'", ""
        symbols = told.format(a=self.nodes.name(tensor, k + 1), b=self.nodes.name(tensor, i + 1), same=same)
        return symbols, told.format(a=operand(a[k]), b=operand(a[i]), same=same)

    def _loss(self, sample: int, tensor: str, k: int) -> tuple[str, str]:
        loss, a = self.network.loss, self.tensors[tensor]
        template = getattr(loss, "derivative", "")
        if not template:
            return f"{type(loss).__name__}'", ""
        for count, field in ((a.size, "/{entries}"), (len(a), "/{rows}")):
            if count == 1 and template.endswith(field):
                template = _unwrapped(template.removesuffix(field))
        symbols: dict[str, Any] = {**bare(loss).parameters(), "rows": len(a), "entries": a.size}
        numbers = dict(symbols)
        symbols |= {"a": self.nodes.name(tensor, k + 1), "p": f"softmax({self.nodes.whole(tensor)})[{k + 1}]"}
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
