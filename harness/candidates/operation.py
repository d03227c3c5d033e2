"""An operation: somebody's forward and backward, called on copies, with everything noted that they did besides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Self

import numpy as np

from harness.candidates.answers import Answer
from harness.candidates.arrays import as_array, in_one_memory
from harness.candidates.gradients import UnreadableError, gradients_of
from harness.candidates.guarded import guarded
from harness.candidates.handed import STRIDES, Handed, Strides
from harness.candidates.leaves import MOST
from harness.candidates.printing import Printed
from harness.comparison.judge import Finding, Kind
from harness.comparison.operation import JudgedAnswer, judged_answer, mismatches
from harness.evaluation.references.expected import Expected, gradient_of
from harness.inputs.calls import Call, Settings
from harness.inputs.devices import stated_by
from harness.inputs.frameworks import host_of, kind_of
from harness.inputs.outputs import GRADIENTS, OUTPUT, flat, parted, reals_of
from harness.inputs.signature import Signature
from harness.inputs.trees import Leaf, put_together, taken_apart
from harness.usage import UsageError, visible
from impls.abilities import Hosts
from impls.contract import CPU, Array, is_number, is_real

Note = Callable[..., None]
"""Takes the kind of a finding, its tensor and its message."""
FAILED = object()
"""What a call gives that raises or overruns."""
MICRO_BATCHES = "micro-batches"
"""What can be left out by that name."""


class Operation:
    """A pair of functions on one framework's arrays, or one that the framework differentiates.

    Attributes:
        name: of the forward function, for people.
        host: of the arrays that it takes.
        layouts: in which it must be right too.
        in_micro_batches: whether it must be right for rows by groups.
        own: somebody's functions by what they do, ``forward`` and ``backward``.
        printed: what forward and backward have printed.
        stated: how its framework computes on its device.
    """

    def __init__(
        self,
        forward: Any,
        backward: Any,
        signature: Signature,
        inputs: Mapping[str, Array],
        dtype: str,
        timeout: float | None = None,
        left_out: Collection[str] = (),
        device: str = CPU,
    ) -> None:
        if backward is not None and not callable(backward):
            raise UsageError(
                f"Cannot use backward={backward!r}, because it is no function; give backward(upstream, *inputs), or "
                f"leave it out where forward brings its own."
            )
        if not callable(forward):
            raise UsageError(
                f"Cannot use forward={forward!r}, because it is no function; give forward(*inputs), a "
                f"torch.autograd.Function or a jax.custom_vjp function."
            )
        self.name = visible(str(getattr(forward, "__name__", type(forward).__name__)))
        self.forward, self.backward, self.signature = forward, backward, signature
        self.own = {"forward": _method(forward, "forward"), "backward": _method(backward or forward, "backward")}
        self.timeout, self.printed = timeout, {"forward": Printed()}
        self._answered: dict[tuple[str, tuple[int, ...]], Array] = {}
        self._sizes = _shapes(inputs)
        with self.printed["forward"].redirected():  # which runs it
            self.host = self._host(inputs, dtype, device)
        if backward is None:
            self.forward = self.host.pair(forward)[0]
        self.layouts = tuple(name for name in STRIDES if name not in left_out) if self.host.strided else ()
        self.stated = stated_by(self.host, device)
        self.in_micro_batches = MICRO_BATCHES not in left_out

    def _host(self, inputs: Mapping[str, Array], dtype: str, device: str) -> Hosts:
        call = Call(self.forward, self.signature, self.signature.settings()[0])
        host = host_of(call, list(inputs.values()), dtype, autograd=self.backward is None, device=device)
        if self.backward is not None and host.brings_backward(self.forward):
            raise UsageError(
                f"Cannot use backward with {self.forward.__name__!r}, because it brings its own backward; leave it out."
            )
        return host

    def answer(self, at: Expected, layout: Strides = "contiguous") -> Answer:
        """Forward, then backward, on copies of their own; at other sizes than the first at once, which costs less."""
        findings = list[Finding]()
        note = partial(_note, findings, self.name, at.step)
        given = Handed(self.host, at.given, layout)
        upstream = Handed(self.host, parted(at.upstream, at.parts), layout)
        forward, backward = self._pair(at.settings, list(at.given))
        if _shapes(at.given) != self._sizes:
            forward, backward = self.host.at_once(forward), self.host.at_once(backward)
        output = self._called(note, "forward", OUTPUT, forward, *given.own.values())
        named, template = self._by_part(note, output, at)
        held = self._taken(note, named, at.dtype)
        shown = self._copied(held)
        modified = given.changed()
        for name in modified:
            note("changed its input", name, f"forward modifies {name} in place")
        sent = put_together(template, upstream.own.get)
        returned = self._called(note, "backward", GRADIENTS, backward, sent, *given.own.values())
        changed = [name for name in given.changed() if name not in modified]
        for name in [*changed, *(["upstream"] if upstream.changed() else [])]:
            note("changed its input", name, f"backward modifies {name} in place")
        gradients = self._taken(note, self._by_name(note, returned, at), at.dtype)
        _note_alias(note, given.own, named)
        copied = self._copied(gradients)
        return Answer(
            shown | copied, held=held | gradients, copies=shown | copied, findings=findings, before=self._before(copied)
        )

    def readings(self, at: Expected, answer: Answer) -> list[JudgedAnswer]:
        """An answer as it is judged."""
        return [judged_answer(at, answer.shown, answer.findings)]

    def read_as(self, read: JudgedAnswer) -> Self:  # noqa: ARG002
        """The same: there is one way to read it."""
        return self

    def said(self, at: Expected, answer: Answer) -> Iterator[Finding]:
        """What is missing, or has another shape or dtype."""
        return mismatches(at, answer.shown, answer.findings)

    def wrong(self, at: Expected, answer: Answer) -> list[str]:
        """Tensors of the reference that an answer does not have, or not right."""
        return [name for name in at.tensors if name not in answer.shown or not at.right(name, answer.shown)]

    def elsewhere(self, at: Expected) -> Iterator[tuple[str, Expected]]:  # noqa: ARG002
        """No other points: every case is one."""
        return iter(())

    def why(self, at: Expected, answer: Answer) -> str:  # noqa: ARG002
        """Nothing: causes are looked for in every case together."""
        return ""

    def _pair(self, settings: Settings, names: list[str]) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Forward and backward as functions of the tensors."""
        call = Call(self.forward, self.signature, settings)
        if self.backward is None:
            constant = [name in self.signature.constant for name in names]
            return call, self.host.pair(flat(call, self.host, constant))[1]

        def backward(upstream: Any, *own: Any) -> Any:
            return self.backward(upstream, *self.signature.placed(dict(zip(names, own, strict=True)), settings))

        return call, backward

    def _before(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """The gradients of earlier calls, in whose place these are kept."""
        known = {(name, gradient.shape): gradient for name, gradient in gradients.items()}
        before = {key[0]: self._answered[key] for key in known if key in self._answered}
        self._answered |= known
        return before

    def _called(self, note: Note, what: str, tensor: str, function: Callable[..., Any], *arguments: Any) -> Any:
        def call() -> Any:
            with self.host.running():
                returned = function(*arguments)
            # A mapping of somebody's own is read while there is a deadline.
            return dict(islice(returned.items(), MOST)) if isinstance(returned, Mapping) else returned

        returned, failure = guarded(call, self.timeout, self.printed.setdefault(what, Printed()))
        if failure:
            raised, where = "raises " if failure.error else "", failure.where(self.own[what])
            note(failure.kind, tensor, f"{what} {raised}{failure.message}{where}")
            return FAILED
        return returned

    def _by_part(self, note: Note, output: Any, at: Expected) -> tuple[dict[str, Any], Any]:
        """The outputs by the reference's names for them; and in what containers backward is given their gradients.

        They are forward's own; a host's backward takes a tuple.
        """
        names = list(at.parts)
        together = Leaf(names[0]) if len(names) == 1 else tuple(map(Leaf, names))
        if output is FAILED:
            return dict.fromkeys(names, FAILED), together
        template, leaves = taken_apart(output, OUTPUT)
        if len(leaves) > 1:
            leaves = {name: leaf for name, leaf in leaves.items() if isinstance(leaf, float) or reals_of(leaf)}
        if len(leaves) != len(names):
            told = f"forward returns {len(leaves)} arrays of reals instead of {len(names)}, {', '.join(names)}"
            note("not an array", names[0], told)
            return dict.fromkeys(names, FAILED), together
        meant = {name: name for name in names} if set(names) == set(leaves) else dict(zip(leaves, names, strict=True))
        if self.backward is not None:
            together = put_together(template, lambda name: Leaf(meant.get(name, name)))
        return {meant[name]: leaf for name, leaf in leaves.items()}, together

    def _taken(self, note: Note, returned: Mapping[str, Any], dtype: str) -> dict[str, Any]:
        """What came of it, in own arrays; a number of Python's is one."""
        taken = {}
        for name, own in returned.items():
            if self.host.owns(own) and _holds_numbers(self.host.take(own)):
                taken[name] = own
            elif isinstance(own, float):
                with self.host.running():
                    taken[name] = self.host.give(np.asarray(own, dtype))
            elif own is not None and own is not FAILED:
                note("not an array", name, f"{name} is {kind_of(own)} instead of an array of {self.host.package}")
        return taken

    def _copied(self, held: Mapping[str, Any]) -> dict[str, Array]:
        return {name: self.host.take(own) for name, own in held.items()}

    def _by_name(self, note: Note, returned: Any, at: Expected) -> dict[str, Any]:
        """Gradients by their names; None is 0 where 0 is right."""
        if returned is FAILED:
            return {}
        if self.backward is None:
            found = dict(zip(map(gradient_of, at.given), returned, strict=True))
        else:
            try:
                found, unknown = gradients_of(returned, self.signature)
            except UnreadableError as error:
                note("number of gradients", GRADIENTS, f"backward {error}")
                return {}
            if unknown:
                names = ", ".join(self.signature.arguments)
                message = f"backward returns gradients of {', '.join(unknown)}; the inputs are {names}"
                note("names", GRADIENTS, message)
        none = [name for name in at.inputs if name in found and found[name] is None]
        zero = [name for name in none if not at.tensors[name].value.any()]
        found |= {name: self.host.give(np.zeros(at.tensors[name].shape, at.dtype)) for name in zero}
        return {name: found[name] for name in at.inputs if name in found}


def _method(function: Any, name: str) -> Any:
    """That of a class that brings it; else the function itself."""
    return getattr(function, name, function) if isinstance(function, type) else function


def _shapes(inputs: Mapping[str, Array]) -> list[tuple[int, ...]]:
    return [array.shape for array in inputs.values()]


def _note(
    findings: list[Finding], name: str, step: int, kind: Kind, tensor: str, message: str, *, fails: bool = True
) -> None:
    findings.append(Finding(name, step, kind, message, tensor, fails))


def _note_alias(note: Note, own: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    for name, output in outputs.items():
        array = as_array(output)
        if array is None or not is_real(array) or not array.flags.writeable:  # nobody can write to the input by it
            continue
        shared = [one for one, other in in_one_memory({**own, name: output}) if other == name]
        if shared:
            note("aliasing", name, f"the {name} shares its memory with {shared[0]}", fails=False)


def _holds_numbers(array: Array) -> bool:
    """Complex ones too; an array of objects holds none."""
    return is_number(array) or array.dtype.kind == "c"
