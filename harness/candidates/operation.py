"""An operation: somebody's forward and backward, called on copies, with everything noted that they did besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from harness.candidates.answers import Answer
from harness.candidates.arrays import as_array, in_one_memory
from harness.candidates.guarded import guarded
from harness.candidates.handed import STRIDES, Handed, Strides
from harness.candidates.leaves import MOST
from harness.candidates.printing import Printed
from harness.comparison.judge import Finding, Kind
from harness.evaluation.references.expected import OUTPUT, Expected, gradient_of
from harness.inputs.frameworks import host_of, kind_of
from harness.usage import UsageError, visible
from impls.abilities import Hosts
from impls.contract import Array

Note = Callable[..., None]
"""Takes the kind of a finding, its tensor and its message."""
FAILED = object()
"""What a call gives that raises or overruns."""
GRADIENTS = "gradients"
"""What a finding about the whole backward call is of."""


class Operation:
    """A pair of functions on one framework's arrays.

    Attributes:
        name: of the forward function, for people.
        host: of the arrays that it takes.
        before: gradients of the last call before the last that gave one of the same shape, by the tensor's name.
        printed: what forward and backward have printed.
    """

    layouts = STRIDES

    def __init__(
        self, forward: Any, backward: Any, inputs: Mapping[str, Array], dtype: str, timeout: float | None = None
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
        self.timeout, self.before, self.printed = timeout, dict[str, Array](), {"forward": Printed()}
        self._answered: dict[tuple[str, tuple[int, ...]], Array] = {}
        with self.printed["forward"].redirected():  # which runs it
            self.host = self._host(forward, backward, list(inputs.values()), dtype)
        pair: tuple[Any, Any] = (forward, backward) if backward is not None else self.host.pair(forward)
        self.forward, self.backward = pair

    @staticmethod
    def _host(forward: Any, backward: Any, inputs: Sequence[Array], dtype: str) -> Hosts:
        host = host_of(forward, inputs, dtype, autograd=backward is None)
        if backward is not None and host.brings_backward(forward):
            raise UsageError(
                f"Cannot use backward with {forward.__name__!r}, because it brings its own backward; leave it out."
            )
        return host

    def answer(self, at: Expected, layout: Strides = "contiguous") -> Answer:
        """Forward, then backward, on copies of their own."""
        findings = list[Finding]()
        note = partial(_note, findings, self.name)
        given = Handed(self.host, at.given, layout)
        upstream = Handed(self.host, {"upstream": at.upstream}, layout)
        output = self._called(note, "forward", OUTPUT, self.forward, *given.own.values())
        held = self._taken(note, {OUTPUT: output})
        shown = self._copied(held)
        modified = given.changed()
        for name in modified:
            note("changed its input", name, f"forward modifies {name} in place")
        returned = self._called(note, "backward", GRADIENTS, self.backward, *upstream.own.values(), *given.own.values())
        for name in [*given.changed(), *upstream.changed()]:
            if name not in modified:
                note("changed its input", name, f"backward modifies {name} in place")
        gradients = self._taken(note, self._by_name(note, returned, at))
        _note_alias(note, given.own, output)
        copied = self._copied(gradients)
        self._remember(copied)
        return Answer(shown | copied, held=held | gradients, copies=shown | copied, findings=findings)

    def wrong(self, at: Expected, answer: Answer) -> list[str]:
        """Tensors of the reference that an answer does not have, or not right."""
        return [name for name in at.tensors if name not in answer.shown or not at.right(name, answer.shown[name])]

    def elsewhere(self, at: Expected) -> Iterator[tuple[str, Expected]]:  # noqa: ARG002
        """No other points: every case is one."""
        return iter(())

    def why(self, at: Expected, answer: Answer) -> str:  # noqa: ARG002
        """Nothing: causes are looked for in every case together."""
        return ""

    def _remember(self, gradients: Mapping[str, Array]) -> None:
        known = {(name, gradient.shape): gradient for name, gradient in gradients.items()}
        self.before = {key[0]: self._answered[key] for key in known if key in self._answered}
        self._answered |= known

    def _called(self, note: Note, what: str, tensor: str, function: Callable[..., Any], *arguments: Any) -> Any:
        def call() -> Any:
            with self.host.running():
                returned = function(*arguments)
            # A mapping of somebody's own is read while there is a deadline.
            return dict(islice(returned.items(), MOST)) if isinstance(returned, Mapping) else returned

        returned, failure = guarded(call, self.timeout, self.printed.setdefault(what, Printed()))
        if failure:
            note(failure.kind, tensor, f"{what} {'raises ' if failure.error else ''}{failure.message}")
            return FAILED
        return returned

    def _taken(self, note: Note, returned: Mapping[str, Any]) -> dict[str, Any]:
        """What came of it, in own arrays."""
        for name, own in returned.items():
            if own is not None and own is not FAILED and not self.host.owns(own):
                note("not an array", name, f"{name} is {kind_of(own)} instead of an array of {self.host.package}")
        return {name: own for name, own in returned.items() if self.host.owns(own)}

    def _copied(self, held: Mapping[str, Any]) -> dict[str, Array]:
        return {name: self.host.take(own) for name, own in held.items()}

    def _by_name(self, note: Note, returned: Any, at: Expected) -> dict[str, Any]:
        """Gradients by their names: from a dictionary, a sequence in the order of the inputs, or one array."""
        names = list(at.given)
        if returned is FAILED:
            return {}
        if isinstance(returned, Mapping):
            meant = {**{gradient_of(name): gradient_of(name) for name in names}, **{n: gradient_of(n) for n in names}}
            unknown = [str(key) for key in returned if str(key) not in meant]
            if unknown:
                message = f"backward returns gradients of {', '.join(unknown)}; the inputs are {', '.join(names)}"
                note("names", GRADIENTS, message)
            known = {meant[str(key)]: gradient for key, gradient in returned.items() if str(key) in meant}
            return {gradient_of(name): known[gradient_of(name)] for name in names if gradient_of(name) in known}
        if isinstance(returned, tuple | list) and len(returned) == len(names):
            return dict(zip(map(gradient_of, names), returned, strict=True))
        if isinstance(returned, tuple | list):
            note(
                "number of gradients", GRADIENTS,
                f"backward returns {len(returned)} gradients for {len(names)} inputs; in their order "
                f"({', '.join(names)}), None for an input without one",
            )  # fmt: skip
        elif len(at.inputs) == 1:
            return dict.fromkeys(at.inputs, returned)
        else:
            message = f"backward returns {kind_of(returned)} for {len(names)} inputs instead of a tuple or a dictionary"
            note("number of gradients", GRADIENTS, message)
        return {}


def _note(findings: list[Finding], name: str, kind: Kind, tensor: str, message: str, *, fails: bool = True) -> None:
    findings.append(Finding(name, 1, kind, message, tensor, fails))


def _note_alias(note: Note, own: Mapping[str, Any], output: Any) -> None:
    array = as_array(output)
    if array is None or array.dtype.kind != "f" or not array.flags.writeable:  # nobody can write to the input by it
        return
    shared = [name for name, other in in_one_memory({**own, OUTPUT: output}) if other == OUTPUT]
    for name in shared[:1]:
        note("aliasing", OUTPUT, f"the output shares its memory with {name}", fails=False)
