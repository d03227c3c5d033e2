"""Graph: a network as nodes over tensors, in the order in which they are computed.

    forward      inputs -> what the nodes give, one after the other -> loss
    backward     gradient of what the loss reads -> ... -> gradients of the weights

Each step is a `Link`. A pass runs them in order and fills one dictionary of tensors. What is not needed is no link:
a gradient is computed of what depends on a weight, or on an input by which the loss is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from impls.graph.backward import Backward
from impls.graph.forward import TARGET, Forward, text_of
from impls.graph.link import Link, PassedOn, evaluate
from impls.graph.node import Input, Node
from impls.graph.tensor import Tensor


class Graph:
    """A network of nodes: ``Graph([Input("x", 4)], [node("fc1", Dense(4, 3), "x"), ...], SumSquaredError(), "fc1.z")``.

    Args:
        sources: what it is fed besides weights.
        nodes: in an order in which each reads what those before give.
        loss: at the end, against the target y.
        output: the tensor that the loss reads.

    Attributes:
        tensors: every tensor by name: inputs, target, weights, buffers, activations, loss, gradients.
        weights: shape of each weight by name, in the order of the nodes.
        activations: names of all forward tensors, in order.
        gradients: names of the gradients of the weights, and of inputs with a gradient.
        links: every link in the order of a training step.
        computed: the network itself; of one whose gradients are read off something else, that of which they are shown.
        reading: how they are read off; None of the network itself.

    Raises:
        ValueError: inputs or nodes are no list; a name stands twice, or for nothing that a node before gives; shapes do
            not fit; nobody reads what a node gives; or the loss depends on no weight.
    """

    def __init__(self, sources: Sequence[Input], nodes: Sequence[Node], loss: Any, output: str) -> None:
        for given in (sources, nodes):
            if not isinstance(given, Iterable):
                raise ValueError(
                    f"Cannot build a network with {given!r} by itself, because inputs and nodes come in lists; write "
                    f"Graph([Input(...), ...], [node(...), ...], SumSquaredError(), output)."
                )
        self.sources, self.nodes, self.loss, self.output = tuple(sources), tuple(nodes), loss, output
        forward = Forward(self.sources, self.nodes, loss, output)
        self.weights, self.buffers, self._names = forward.weights, forward.buffers, forward.names
        self.forward_links, self.loss_link = forward.links, forward.loss_link
        backward = Backward(forward, self.variables)
        self.backward_links = backward.links
        for gradient in backward.gradients:
            forward.add(gradient)
        self.tensors: dict[str, Tensor] = forward.tensors
        if not self.gradients:
            raise ValueError(
                "Cannot train this network, because its loss depends on no weight; give a node with weights."
            )
        self.computed: Graph = self
        self.reading: Callable[[Any, Any, int], Any] | None = None

    def read_off(self, reading: Callable[[Any, Any, int], Any]) -> Graph:
        """This network as seen by whom no gradient of a weight is shown, who reads it off what is shown of the weight.

        Args:
            reading: from the gradient, the weight and the number of samples to what is read; the gradient itself where
                nothing rounds.
        """

        def seen_as(link: Link) -> Link:
            of = str(link.of)
            return replace(link, reading=lambda value, tensors: reading(value, tensors[of], len(tensors[TARGET])))

        own = {self.gradient[weight] for weight in self.weights if weight in self.gradient}
        other = self.with_links({name: seen_as(self.link[name]) for name in own})
        other.reading = reading
        return other

    def with_loss(self, loss: Any) -> Graph:
        """The same nodes under the same names, and another loss of the same output; read off as this one is.

        Raises:
            ValueError: it is no loss.
        """
        other = self._of(loss)
        return other if self.reading is None else other.read_off(self.reading)

    def without_penalty(self) -> Graph:
        """The same with a loss without what its penalty adds; itself where there is none."""
        return self if self.loss.penalty is None else self.with_loss(self.loss.unpenalised)

    def _of(self, loss: Any) -> Graph:
        return Graph(self.sources, self.nodes, loss, self.output)

    def names_of(self, node: str) -> Mapping[str, str]:
        """By the layer's own names, the tensors around a node; the loss is the node ``loss``."""
        return self._names[node]

    @property
    def features(self) -> int | None:
        """Numbers in a row of the only input; None where there are several, or it has more axes or whole numbers."""
        only, *others = [source for source in self.sources if not source.keep]
        return None if others or only.choices or len(only.shape) != 1 else only.shape[0]

    @property
    def masks(self) -> set[str]:
        """Names of the inputs that are masks."""
        return {source.name for source in self.sources if source.keep}

    @property
    def outputs(self) -> int:
        """Size of the last axis of what the loss reads."""
        return self.tensors[self.output].width

    @property
    def output_label(self) -> str:
        """What the output is called on screen: the tensor's name."""
        return self.output

    @property
    def loss_formula(self) -> str:
        """The loss in one line, of the output and the target."""
        told = str(self.loss.formula(self.output_label, self.outputs))
        if len(self.tensors[self.output].shape) < 3:
            return told
        several = told.replace("over samples and outputs", "over samples, positions and outputs")
        return several.replace("over samples of", "over samples and positions of")

    @property
    def links(self) -> list[Link]:
        """Every link in the order of a training step: forward, loss, backward."""
        return [*self.forward_links, self.loss_link, *self.backward_links]

    @property
    def links_to_loss(self) -> list[Link]:
        """The links of the forward pass, the loss included."""
        return [*self.forward_links, self.loss_link]

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """What the loss is differentiated by, as a user would: the weights, then inputs with a gradient."""
        return (*self.weights, *(source.name for source in self.sources if source.gradient))

    @cached_property
    def link(self) -> Mapping[str, Link]:
        """Every link by the name of what it gives."""
        return {link.output: link for link in self.links}

    @cached_property
    def activations(self) -> tuple[str, ...]:
        """Names of all forward tensors, in order."""
        return tuple(link.output for link in self.forward_links)

    @cached_property
    def gradients(self) -> tuple[str, ...]:
        """Names of the gradients of the weights, then of inputs with a gradient."""
        return tuple(self.gradient[name] for name in self.variables if name in self.gradient)

    @cached_property
    def gradient(self) -> Mapping[str, str]:
        """From each tensor that has a gradient to the gradient's name, in the order of the backward pass."""
        return {t.of: name for name, t in self.tensors.items() if t.role == "gradient" and t.of and t.through is None}

    @cached_property
    def readers(self) -> Mapping[str, tuple[Link, ...]]:
        """The links that read each tensor."""
        found: dict[str, list[Link]] = {}
        for link in self.links:
            for name in dict.fromkeys(link.inputs):
                found.setdefault(name, []).append(link)
        return {name: tuple(links) for name, links in found.items()}

    def multiply_adds(self, rows: int) -> int:
        """Multiply-adds of one pass, as the layers count those of their rules."""
        total = 0
        for link in self.links:
            count = getattr(link.layer, "multiply_adds", None)
            if count is not None:
                sizes = {
                    local: self.tensors[name].sized(rows) for local, name in link.names.items() if name in self.tensors
                }
                total += count(link.local, sizes)
        return total

    def init(self, seed: int, dtype: Any = np.float64) -> dict[str, np.ndarray]:
        """Weights drawn from ``numpy.random.default_rng(seed)``, node by node in the order of their names.

        A layer says how its weights are drawn (``initial``); where it does not, they are uniform up to the square root
        of 6 over the sum of the sizes of the first and last axis. Drawn in float64 and then rounded to `dtype`.
        """
        rng = np.random.default_rng(seed)
        weights = {}
        for node in self.nodes:
            for local, shape in node.weights.items():
                if local not in node.shares:
                    initial = getattr(node.layer, "initial", _uniform)
                    weights[node.named(local)] = initial(rng, local, shape).astype(dtype)
        return weights

    def fresh_buffers(self, dtype: Any = np.float64) -> dict[str, np.ndarray]:
        """What the buffers are before the first pass, as the layers say (``initial_buffer``), or else zeros."""
        buffers = {}
        for node in self.nodes:
            for local, shape in node.buffers.items():
                initial = getattr(node.layer, "initial_buffer", lambda _, shape: np.zeros(shape))
                buffers[node.named(local)] = initial(local, shape).astype(dtype)
        return buffers

    def next_buffers(self, activations: Mapping[str, Any]) -> dict[str, Any]:
        """What the buffers are after a forward pass that gave these tensors."""
        made = {name: self.tensors[name] for name in activations}
        return {t.of: activations[name] for name, t in made.items() if t.role == "buffer" and t.of}

    def given(self, x: Any) -> dict[str, Any]:
        """Inputs by name, from the array of the only one, or from a mapping.

        Raises:
            ValueError: a name is missing, or there are several and no mapping.
        """
        names = [source.name for source in self.sources] + list(self.buffers)
        if isinstance(x, Mapping):
            missing = [name for name in names if name not in x]
            if missing:
                raise ValueError(
                    f"Cannot feed {', '.join(map(str, x)) or 'nothing'} to this network, because it reads "
                    f"{', '.join(missing)} too; give {', '.join(names)}."
                )
            return {name: x[name] for name in names}
        if len(names) != 1:
            raise ValueError(
                f"Cannot feed one array to this network, because it reads {', '.join(names)}; give a mapping of them."
            )
        return {names[0]: x}

    def check_batch(self, x: Any, y: Any) -> None:
        """Raise ValueError unless the inputs have their shapes, on one row or more, and y fits the loss."""
        given = self.given(x)
        rows = next((len(given[source.name]) for source in self.sources if np.ndim(given[source.name])), 0)
        for source in self.sources:
            array = given[source.name]
            expected = (rows, *source.shape)
            if array.shape != expected or rows < 1:
                if len(self.sources) == 1 and len(source.shape) == 1:
                    raise ValueError(
                        f"Cannot feed data of shape {array.shape} to a network with {source.shape[0]} inputs, because "
                        f"it reads rows of {source.shape[0]} numbers; give an array of shape (N, {source.shape[0]})."
                    )
                raise ValueError(
                    f"Cannot feed {source.name} of shape {array.shape} to this network, because it reads "
                    f"{text_of(source.rows)}; give every input as many rows."
                )
            if source.choices and (
                array.dtype.kind not in "iu" or not 0 <= array.min() <= array.max() < source.choices
            ):
                raise ValueError(
                    f"Cannot feed {source.name} of {array.dtype} from {array.min()} to {array.max()} to this network, "
                    f"because it reads whole numbers; give numbers from 0 to {source.choices - 1}."
                )
        self.loss.check_targets(self.tensors[self.output].sized(rows), y)

    def forward(self, weights: Mapping[str, Any], x: Any, passed_on: PassedOn | None = None) -> dict[str, Any]:
        """All forward tensors by name; `passed_on`, see `evaluate`."""
        tensors = {**self.given(x), **weights}
        # The sigmoid's exp(-z) overflows to inf where 1/(1 + inf) = 0 is the right answer.
        with np.errstate(over="ignore"):
            evaluate(self.forward_links, tensors, passed_on=passed_on)
        return {name: tensors[name] for name in self.activations}

    def loss_of(self, tensors: Mapping[str, Any], y: Any) -> Any:
        """The loss L, one number for the whole batch.

        Args:
            tensors: what it reads, by name: the forward tensors, and weights that have a penalty.
        """
        self.loss.check_targets(tensors[self.output].shape, y)
        return self.loss_link({**tensors, TARGET: y})

    def backward(
        self,
        weights: Mapping[str, Any],
        x: Any,
        y: Any,
        activations: Mapping[str, Any],
        passed_on: PassedOn | None = None,
    ) -> dict[str, Any]:
        """All gradients by name, those of the weights and of every forward tensor; of sums, not their parts."""
        self.loss.check_targets(activations[self.output].shape, y)
        given = {**self.given(x), TARGET: y, **weights, **activations}
        tensors = evaluate(self.backward_links, given, passed_on=passed_on)
        return {name: tensors[name] for name in self.gradient.values()}

    def with_links(self, others: Mapping[str, Link], loss: Any = None) -> Self:
        """The same nodes and tensors, with other links in place of those that give these tensors.

        Args:
            others: by the name of what each gives.
            loss: what the loss is then, where it is another.
        """
        other = copy(self)
        other.forward_links = [others.get(link.output, link) for link in self.forward_links]
        other.loss_link = others.get(self.loss_link.output, self.loss_link)
        other.backward_links = [others.get(link.output, link) for link in self.backward_links]
        other.loss = self.loss if loss is None else loss
        for name in ("link", "readers"):  # they were found for the links before
            other.__dict__.pop(name, None)
        return other

    def __repr__(self) -> str:
        return f"Graph({list(self.sources)!r}, {list(self.nodes)!r}, {self.loss!r}, {self.output!r})"


def _uniform(rng: np.random.Generator, _local: str, shape: tuple[int, ...]) -> np.ndarray:
    limit = np.sqrt(6 / (shape[0] + shape[-1])) if shape else 1.0
    return rng.uniform(-limit, limit, shape)
