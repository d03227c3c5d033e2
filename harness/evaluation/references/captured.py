"""The reference of a captured operation: its hand rule on bounded arrays, or a form of it that its framework runs.

What was captured is a point of an operation with its upstream; so it is judged as every operation is, by
`harness.evaluation.references.expected.Expected`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, Profile, profile_of
from harness.arithmetic.profile import ANY
from harness.formats import FORMATS, WIDE, rounded_to
from harness.inputs.outputs import OUTPUT, Parts
from impls.captured import ArithmeticIn, Operation, Place
from impls.contract import Array, is_real
from impls.graph import prefixed
from impls.graph.node import as_names


def profile_by(arithmetic: ArithmeticIn | None, dtype: str, kind: str, layer: Any = None, local: str = "") -> Profile:
    """That of programs whose framework computes so, where it tells; of what gives a layer's `local`, or of any sum.

    Args:
        kind: the dtype in which the result is kept; what accumulates in the numbers' own format does so none the less.
    """
    told = ANY if arithmetic is None else arithmetic(layer, local, dtype)
    products, sums, meetings = (each or dtype for each in (told.products, told.sums, told.meetings))
    profile = profile_of(kind, arithmetic=replace(told, products=products, sums=sums, meetings=meetings))
    return replace(profile, unrounded=FORMATS[dtype].u) if told.unrounded else profile


class RuleReference:
    """A hand rule at an operation's own operands, which are called as the rule calls them.

    Args:
        arithmetic: how the operation's framework computes from numbers narrower than float32.

    Attributes:
        inputs: the operands that the rule reads; `numbers` says which they are.
        differentiable: those of them for which it has a gradient, and the run sent one back.
    """

    measured = False

    def __init__(self, operation: Operation, arithmetic: ArithmeticIn | None = None) -> None:
        rule = operation.rule
        assert rule is not None
        self.rule, self.name = rule, f"hand {rule.layer!r}"
        places = {name: read.number for name, read in rule.reads.items() if isinstance(read, Place)}
        called: dict[int, str] = {}
        self._called = {name: called.setdefault(number, name) for name, number in places.items()}
        self.numbers = {name: number for number, name in called.items()}
        self.inputs = tuple(self.numbers)
        asked = (name for name, number in self.numbers.items() if operation.gradients[number] is not None)
        self.differentiable = tuple(name for name in asked if hasattr(rule.layer, prefixed("d", name)))
        names = [OUTPUT] if len(rule.gives) == 1 else [f"{OUTPUT}[{number}]" for number in range(len(rule.gives))]
        shapes = (operation.outputs[place].shape for place in rule.gives)
        self._parts = dict(zip(names, shapes, strict=True))
        self._arithmetic = arithmetic
        gives = zip(as_names(rule.layer.gives), rule.gives, strict=True)
        self._kinds = {local: str(operation.outputs[place].dtype) for local, place in gives}
        self._kinds |= {
            prefixed("d", local): str(gradient.dtype)
            for local, number in places.items()
            if (gradient := operation.gradients[number]) is not None
        }

    def parts(self, inputs: Mapping[str, Array]) -> Parts:  # noqa: ARG002  (of no other shapes than it ran on)
        """The shape of each output."""
        return self._parts

    def output(self, inputs: Mapping[str, Array], dtype: str) -> Bounded:
        """The output, several one after the other, as programs of the dtype may give it."""
        return _one(self._outputs(inputs, dtype))

    def gradients(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Bounded]:
        """The gradient of each operand that has one; of one that is read twice, the sum of both."""
        layer, outputs = self.rule.layer, self._outputs(inputs, dtype)
        gives = as_names(layer.gives)
        sent = _apart(np.asarray(upstream, np.float64), outputs)
        several = [prefixed("d", each) for each in gives]
        arrived = dict(zip(several, sent, strict=True))
        found: dict[str, Bounded] = {}
        for local, name in self._called.items():
            if name in self.differentiable:
                given_back = prefixed("d", local)
                tensors = self._given(inputs, dtype, given_back)
                context = tensors["context"]
                own = (Bounded(each.value, each.bound, context) for each in outputs)
                tensors |= dict(zip(gives, own, strict=True))
                kinds = (self._kinds[each] for each in gives)
                back = {d: _read(context, what, kind) for (d, what), kind in zip(arrived.items(), kinds, strict=True)}
                tensors |= back
                gradient = self._kept(_called(getattr(layer, given_back), tensors, several), dtype, given_back)
                found[name] = found[name] + gradient if name in found else gradient
        return found

    def values(self, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
        """The gradients in float64."""
        return {name: g.value for name, g in self.gradients(inputs, upstream, "float64").items()}

    def _given(self, inputs: Mapping[str, Array], dtype: str, local: str) -> dict[str, Any]:
        """What a rule reads, and as ``context`` that of programs that give what the layer calls `local`."""
        layer = self.rule.layer
        context = Context(profile_by(self._arithmetic, dtype, self._kind(dtype, local), layer, local))

        def given(name: str, read: Any) -> Any:
            value = inputs[self._called[name]] if isinstance(read, Place) else read
            if isinstance(value, np.ndarray):
                return _read(context, value, str(value.dtype)) if is_real(value) else value
            return context.constant(value) if isinstance(value, float) else value

        return {name: given(name, read) for name, read in self.rule.reads.items()} | {"context": context}

    def _kind(self, dtype: str, local: str) -> str:
        """The format of one result: its own, where the operation has several, which is no narrower than the dtype."""
        own = self._kinds.get(local, dtype)
        return own if dtype != "float64" and FORMATS[own].digits >= FORMATS[dtype].digits else dtype

    def _kept(self, made: Bounded, dtype: str, local: str) -> Bounded:
        """A result in its format, to which what is exact has still to be rounded."""
        kept, kind = made.stored(), self._kind(dtype, local)
        cut = (kept.bound == 0) & (rounded_to(kept.value, kind) != kept.value)
        return kept.widened(np.where(cut, kept.context.rounded(kept.value, 0.0).bound, 0.0)) if cut.any() else kept

    def _outputs(self, inputs: Mapping[str, Array], dtype: str) -> list[Bounded]:
        layer, names = self.rule.layer, as_names(self.rule.layer.gives)
        rules = [layer.forward] if hasattr(layer, "forward") else [getattr(layer, name) for name in names]
        return [
            self._kept(_called(rule, self._given(inputs, dtype, local), as_names(layer.reads)), dtype, local)
            for rule, local in zip(rules, names, strict=True)
        ]


def _read(context: Context, array: Array, kind: str) -> Bounded:
    """What was kept in that format: exact, but where a compiler leaves out its last rounding."""
    exact, unrounded = context.exact(array), context.profile.unrounded
    if not unrounded or kind in WIDE:
        return exact
    return exact.widened(unrounded * np.abs(exact.value) + FORMATS[kind].smallest_subnormal / 2)


def _called(rule: Callable[..., Any], tensors: Mapping[str, Any], several: Sequence[str]) -> Any:
    """A rule on what its parameters name; one that takes any number takes these."""
    takes = signature(rule).parameters.values()
    if any(taken.kind is taken.VAR_POSITIONAL for taken in takes):
        return rule(*(tensors[name] for name in several))
    return rule(*(tensors[taken.name] for taken in takes if taken.name in tensors or taken.default is taken.empty))


def _one(outputs: list[Bounded]) -> Bounded:
    """One output as it is, several in one row."""
    if len(outputs) == 1:
        return outputs[0]
    rows = [output.reshape(-1) for output in outputs]
    joined: Bounded = np.concatenate(rows)  # type: ignore[arg-type, assignment]
    return joined


def _apart(upstream: Array, outputs: list[Bounded]) -> list[Array]:
    if len(outputs) == 1:
        return [upstream]
    ends = np.cumsum([output.size for output in outputs])[:-1]
    return [row.reshape(o.shape) for row, o in zip(np.split(upstream, ends), outputs, strict=True)]
