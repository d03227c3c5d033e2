"""Network: layers in a row, a loss at the end: the graph whose tensors are called by letter and number.

The l-th layer that changes the width (Dense) owns ``Wl`` and ``bl`` and gives ``zl``; the activation behind it gives
``al``, and a second one behind that ``al_2``. So a pass fills

    forward      x -> z1 -> a1 -> z2 -> ... -> loss
    backward     d(last) -> ... -> dW2, db2 -> da1 -> dz1 -> dW1, db1

The gradient with respect to x is not computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from impls.graph import Graph, Input, Node
from impls.graph.node import as_names, numbered, refuse_class, refuse_more


class Network(Graph):
    """A feed-forward network: ``Network([Dense(4, 3), Sigmoid(), ...], SumSquaredError())``.

    Attributes:
        layers: as given.
        inputs: numbers in a row of x.
        depth: how many layers change the width.
        depths: which of them each tensor belongs to, counted from 1: the activation behind it too.

    Raises:
        ValueError: no list, no layer, or sizes that do not fit.
    """

    def __init__(self, layers: Sequence[Any], loss: Any) -> None:
        if not isinstance(layers, Iterable):
            raise ValueError(
                f"Cannot build a network with {layers!r} by itself, because layers come in a list; write "
                f"Network([Dense(inputs, outputs), ...], SumSquaredError())."
            )
        self.layers = tuple(layers)
        for layer in self.layers:
            refuse_class(layer)
        if not self.layers or not hasattr(self.layers[0], "inputs"):
            first = f"layers[0], {self.layers[0]!r}" if self.layers else "no layers"
            raise ValueError(
                f"Cannot build a network that begins with {first}, because the first layer must be a Dense "
                f"one, which fixes the number of inputs; begin with Dense(inputs, outputs)."
            )
        refuse_more(self.layers)
        self.inputs = self.layers[0].inputs
        nodes, given, depth, width, output = list[Node](), {"x"}, 0, self.inputs, "x"
        self.depths: dict[str, int] = {}
        for position, layer in enumerate(self.layers):
            if hasattr(layer, "inputs"):
                depth += 1
                if layer.inputs != width:
                    raise ValueError(
                        f"Cannot connect layers[{position}], {layer!r}, because the layer before gives "
                        f"{width} outputs; make its inputs {width}."
                    )
                width = layer.outputs
            if not hasattr(layer, "gives"):
                raise ValueError(
                    f"Cannot put layers[{position}], {layer!r}, in a row, because it is no layer, which says what it "
                    f"reads and gives; give a layer."
                )
            name, suffix = str(depth), 1
            own = {*as_names(layer.gives), *getattr(layer, "weights", {})}
            while any(f"{local}{name}" in given for local in own):
                suffix += 1
                name = f"{depth}_{suffix}"
            given |= {f"{local}{name}" for local in own}
            self.depths |= dict.fromkeys((f"{local}{name}" for local in own), depth)
            made = Node(f"layers[{position}]", layer, (output,), named=numbered(name))
            if len(made.local_reads) != 1:
                raise ValueError(
                    f"Cannot put layers[{position}], {layer!r}, in a row, because it reads {len(made.local_reads)} "
                    f"tensors; build a Graph, which says who reads which."
                )
            if len(made.gives) != 1:
                raise ValueError(
                    f"Cannot put layers[{position}], {layer!r}, in a row, because it gives {len(made.gives)} tensors; "
                    f"build a Graph, which says who reads which."
                )
            nodes.append(made)
            (output,) = made.gives
        self.depth = depth
        super().__init__([Input("x", self.inputs)], nodes, loss, output)

    def _of(self, loss: Any) -> Network:
        return Network(self.layers, loss)

    @property
    def output_label(self) -> str:
        """O31 for a single output neuron, O3 for a layer of them."""
        return f"O{self.depth}1" if self.outputs == 1 else f"O{self.depth}"

    def __repr__(self) -> str:
        return f"Network({list(self.layers)!r}, {self.loss!r})"
