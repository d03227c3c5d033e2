"""Network: layers in a row, a loss at the end; forward through the layers, backward through the links.

Weights travel as ``dict[str, ndarray]`` with fixed names: the l-th Dense layer owns ``Wl`` and ``bl``
and gives ``zl``; the activation behind it gives ``al``. Running

    forward      x -> z1 -> a1 -> z2 -> ... -> loss
    backward     d(last) -> ... -> dW2, db2 -> da1 -> dz1 -> dW1, db1

fills one dictionary of tensors, link by link. The gradient with respect to x is not computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from impls.hand.dense import Dense
from impls.hand.links import Link, links_of
from impls.hand.primitive import Array


class Network:
    """A feed-forward network: ``Network([Dense(4, 3), Sigmoid(), ...], SumSquaredError())``.

    Attributes:
        weights: shape of each weight by name, in the order of the layers.
        activations: names of all forward tensors, in order: z1, a1, z2, ...
        gradients: names of the gradients of the weights: dW1, db1, ...
        output: name of the last forward tensor, which the loss reads.

    Raises:
        ValueError: no layer, sizes that do not fit, or two tensors that would share a name.
    """

    def __init__(self, layers: Sequence[Any], loss: Any) -> None:
        self.layers, self.loss = tuple(layers), loss
        if not self.layers or not isinstance(self.layers[0], Dense):
            first = f"layers[0], {self.layers[0]!r}" if self.layers else "no layers"
            raise ValueError(
                f"Cannot build a network that begins with {first}, because the first layer must be a Dense "
                f"one, which fixes the number of inputs; begin with Dense(inputs, outputs)."
            )
        self.weights: dict[str, tuple[int, ...]] = {}
        self.forward_links: list[Link] = []
        self.backward_links: list[Link] = []
        self._connect()

    def _connect(self) -> None:
        source, width, depth = "x", self.layers[0].inputs, 0
        backward: list[list[Link]] = []
        given: set[str] = set()
        for position, layer in enumerate(self.layers):
            if isinstance(layer, Dense):
                depth += 1
                if layer.inputs != width:
                    raise ValueError(
                        f"Cannot connect layers[{position}], {layer!r}, because the layer before gives "
                        f"{width} outputs; make its inputs {width}."
                    )
                width = layer.outputs
            target = f"{layer.gives}{depth}"
            if target in given:
                raise ValueError(
                    f"Cannot add layers[{position}], {layer!r}, because its output would be called "
                    f"{target} like the layer's before; put a Dense layer between them."
                )
            given.add(target)
            names = {layer.reads: source, layer.gives: target}
            names |= {weight: f"{weight}{depth}" for weight in layer.weights}
            names |= {"d" + local: "d" + name for local, name in names.items()}
            self.weights |= {names[w]: shape for w, shape in layer.weights.items()}
            self.forward_links += links_of(layer, names, ["forward"])
            rules = ["d" + weight for weight in layer.weights]
            if source != "x":
                rules.append("d" + layer.reads)
            backward.append(links_of(layer, names, rules))
            source = target
        loss, reads = self.loss, self.loss.reads
        self.output, self.outputs, self.inputs = source, width, self.layers[0].inputs
        self.loss_link = Link("loss", (source, "y"), loss.forward, loss)
        first = Link("d" + source, (source, "y"), getattr(loss, "d" + reads), loss)
        self.backward_links = [first, *(link for links in reversed(backward) for link in links)]

    @property
    def links(self) -> list[Link]:
        """Every link in the order of a training step: forward, loss, backward."""
        return [*self.forward_links, self.loss_link, *self.backward_links]

    @cached_property
    def activations(self) -> tuple[str, ...]:
        return tuple(link.output for link in self.forward_links)

    @cached_property
    def gradients(self) -> tuple[str, ...]:
        return tuple("d" + name for name in self.weights)

    def init(self, seed: int, dtype: Any = np.float64) -> dict[str, np.ndarray]:
        """Weights drawn from ``numpy.random.default_rng(seed)``, layer by layer, W before b.

            W ~ uniform(-r, r), r = sqrt(6 / (M + K))      b ~ uniform(-s, s), s = 1 / sqrt(M)

        drawn in float64 and then rounded to `dtype`. Biases do not start at 0, so that no weight has a
        special value that could hide a mistake.

        Source: Glorot and Bengio (2010), equation (16), for W.
        """
        rng = np.random.default_rng(seed)
        weights = {}
        for layer, link in zip(self.layers, self.forward_links, strict=True):
            for local, shape in layer.weights.items():
                inputs, outputs = layer.weights["W"]
                limit = np.sqrt(6 / (inputs + outputs)) if local == "W" else 1 / np.sqrt(inputs)
                name = local + link.output[1:]
                weights[name] = rng.uniform(-limit, limit, shape).astype(dtype)
        return weights

    def check_batch(self, x: Array, y: Array) -> None:
        """Raise ValueError unless x is (N, inputs) with N >= 1 and y fits the loss."""
        if len(x.shape) != 2 or x.shape[1] != self.inputs or x.shape[0] < 1:
            raise ValueError(
                f"Cannot feed data of shape {x.shape} to a network with {self.inputs} inputs, because "
                f"it reads rows of {self.inputs} numbers; give an array of shape (N, {self.inputs})."
            )
        self.loss.check_targets((x.shape[0], self.outputs), y)

    def forward(self, weights: Mapping[str, Array], x: Array) -> dict[str, Array]:
        """All forward tensors by name: z1 (N, K), a1 (N, K), ..."""
        tensors = {"x": x, **weights}
        # The sigmoid's exp(-z) overflows to inf where 1/(1 + inf) = 0 is the right answer.
        with np.errstate(over="ignore"):
            for link in self.forward_links:
                tensors[link.output] = link(tensors)
        return {name: tensors[name] for name in self.activations}

    def loss_of(self, activations: Mapping[str, Array], y: Array) -> Array:
        """The loss L, one number for the whole batch."""
        output = activations[self.output]
        self.loss.check_targets(output.shape, y)
        return self.loss.forward(output, y)

    def backward(
        self, weights: Mapping[str, Array], x: Array, y: Array, activations: Mapping[str, Array]
    ) -> dict[str, Array]:
        """All gradients by name, those of the weights (dW1, db1, ...) and of every forward tensor."""
        self.loss.check_targets(activations[self.output].shape, y)
        tensors = {"x": x, "y": y, **weights, **activations}
        for link in self.backward_links:
            tensors[link.output] = link(tensors)
        return {link.output: tensors[link.output] for link in self.backward_links}

    def __repr__(self) -> str:
        return f"Network({list(self.layers)!r}, {self.loss!r})"
