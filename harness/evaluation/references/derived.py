"""A hand layer as the reference: its rules on bounded arrays give the gradients with their derived allowance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from inspect import signature
from typing import Any

from harness.arithmetic import Bounded, Context, profile_of
from harness.arithmetic.profile import ANY, ArithmeticOf
from harness.evaluation.references.one_node import is_loss, one_node
from harness.inputs.declared import declared
from harness.inputs.outputs import OUTPUT, Parts
from harness.usage import UsageError
from impls.contract import Array, is_real
from impls.graph import TARGET, Graph, Link, prefixed
from impls.graph.node import as_names


class HandReference:
    """A layer, an activation or a loss of `impls.hand`, or one written like them.

    Args:
        constant: inputs by which nobody differentiates.
        called: other names, in place of its own, of what a layer without weights reads and gives.
        arithmetic: how programs compute it, where they are not any on the CPU.

    Attributes:
        measured: False, since every allowance is derived.
        inputs: names of what its forward rule reads: x, W, b, or z, or a, y.
        usual: what these inputs are, where the user does not say; empty for a layer that does not say either.
    """

    measured = False

    def __init__(
        self,
        layer: Any,
        constant: Collection[str] = (),
        called: Mapping[str, str] | None = None,
        arithmetic: ArithmeticOf | None = None,
    ) -> None:
        self.layer, self.name, self._called = layer, f"hand {layer!r}", called or {}
        self._arithmetic = arithmetic
        self.reads = tuple(map(self._name, as_names(layer.reads)))
        self.gives = "L" if is_loss(layer) else self._name(layer.gives)
        known = {*as_names(layer.reads), TARGET, *getattr(layer, "weights", ())}
        inputs = [name for name in signature(layer.forward).parameters if name in known]
        self.inputs = tuple(map(self._name, inputs))
        ruled = (name for name in inputs if hasattr(layer, prefixed("d", name)))
        self.differentiable = tuple(self._name(name) for name in ruled if name not in constant)
        said = getattr(layer, "usual_inputs", "")
        self.usual = declared(said) if said else {}
        self._graphs: dict[tuple[Any, ...], Graph] = {}

    def _name(self, local: Any) -> Any:
        return self._called.get(local, local)

    @staticmethod
    def knows(reference: Any) -> bool:
        """Whether something is a hand layer: it has a forward rule, says what it reads, and has a gradient's rule."""
        if isinstance(reference, type):
            return False
        read = (*as_names(getattr(reference, "reads", ())), *getattr(reference, "weights", ()))
        return hasattr(reference, "forward") and any(hasattr(reference, prefixed("d", name)) for name in read)

    def parts(self, inputs: Mapping[str, Array]) -> Parts:
        """The shape of its output."""
        return {OUTPUT: self.output(inputs, "float64").value.shape}

    def output(self, inputs: Mapping[str, Array], dtype: str) -> Bounded:
        """The output, as programs of the dtype may give it."""
        for name in self.differentiable:
            if not is_real(inputs[name]):
                raise UsageError(
                    f"Cannot differentiate {self.name} by {name}, because it holds whole numbers; give it as floats."
                )
        try:
            if self.gives == "L":
                self.layer.check_targets(inputs[self.layer.reads].shape, inputs[TARGET])
            return self._forward(inputs, dtype)[self.gives]
        except (ValueError, IndexError) as error:
            if str(error).startswith("Cannot "):
                raise UsageError(str(error)) from None
            shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
            raise UsageError(
                f"Cannot run {self.name} on inputs of the shapes {shapes}, because {error}; give shapes that fit."
            ) from None

    def gradients(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Bounded]:
        """The gradient of each input that has one, as programs of the dtype may give it."""
        tensors = self.tensors(inputs, upstream, dtype)
        return {name: self.sent_back(link(tensors), tensors) for name, link in self.links(inputs).items()}

    def values(self, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
        """The gradients in float64."""
        return {name: gradient.value for name, gradient in self.gradients(inputs, upstream, "float64").items()}

    def links(self, inputs: Mapping[str, Array]) -> dict[str, Link]:
        """The link that gives each gradient, in the order of the inputs."""
        graph = self.graph(inputs)
        return {name: graph.link[graph.gradient[name]] for name in self.differentiable}

    def graph(self, inputs: Mapping[str, Array]) -> Graph:
        """The operation as a graph of one node, on inputs of these shapes."""
        shapes = tuple((array.shape, array.dtype.kind) for array in inputs.values())
        if shapes not in self._graphs:
            self._graphs[shapes] = one_node(self.layer, inputs, self._called)
        return self._graphs[shapes]

    def tensors(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Any]:
        """What the backward rules read, on bounded arrays, by their names for it."""
        tensors = self._forward(inputs, dtype)
        exact: Context = tensors.pop("context")
        given = exact.exact(upstream)
        return {TARGET: given, **tensors, prefixed("d", self.gives): given}

    def sent_back(self, gradient: Any, tensors: Mapping[str, Any]) -> Any:
        """What a link gives; that of a loss is multiplied by the upstream, one number."""
        return gradient * tensors["dL"] if self.gives == "L" else gradient

    def computed(
        self, inputs: Mapping[str, Array], upstream: Array, give: Callable[[Array], Any]
    ) -> tuple[Any, dict[str, Any]]:
        """The output and the gradient of each input that has one, on whatever `give` makes of arrays of reals."""
        tensors = self._run(inputs, give)
        given = {TARGET: give(upstream), **tensors, prefixed("d", self.gives): give(upstream)}
        gradients = {name: self.sent_back(link(given), given) for name, link in self.links(inputs).items()}
        return tensors[self.gives], gradients

    def _forward(self, inputs: Mapping[str, Array], dtype: str) -> dict[str, Any]:
        arithmetic = ANY if self._arithmetic is None else self._arithmetic(self.layer, "")
        context = Context(profile_of(dtype, arithmetic=arithmetic))
        return {**self._run(inputs, context.exact), "context": context}

    def _run(self, inputs: Mapping[str, Array], give: Callable[[Array], Any]) -> dict[str, Any]:
        tensors: dict[str, Any] = {
            name: array if array.dtype.kind in "iu" else give(array) for name, array in inputs.items()
        }
        return {**tensors, self.gives: self.layer.forward(*[tensors[name] for name in self.inputs])}
