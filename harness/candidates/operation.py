"""The candidate: somebody's forward and backward, called on copies, with everything noted that it did besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from harness.candidates.isolated import OverdueError, deadline
from harness.comparison.finding import Finding, Kind
from harness.inputs.frameworks import host_of, kind_of
from harness.usage import UsageError, told, visible
from impls.abilities import Hosts
from impls.contract import Array

Layout = Literal["contiguous", "transposed", "strided"]
LAYOUTS: tuple[Layout, ...] = ("transposed", "strided")


@dataclass
class Answer:
    """One call of forward and backward.

    Attributes:
        findings: what is to be said besides the answer.
        output, gradients: NumPy copies, by the name of the input; None, or without it, where none came.
        own: what was returned, in the candidate's own arrays, by the name of the tensor.
        before: gradients of the last call before that gave one of the same shape.
    """

    output: Array | None = None
    gradients: dict[str, Array | None] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    own: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Array] = field(default_factory=dict)


class Candidate:
    """A pair of functions on one framework's arrays.

    Attributes:
        name: of the forward function, for people.
        host: of the arrays that it takes.
    """

    def __init__(
        self,
        forward: Any,
        backward: Any,
        inputs: Mapping[str, Array],
        wanted: Sequence[str],
        dtype: str,
        timeout: float | None = None,
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
        self.wanted, self.timeout = tuple(wanted), timeout
        self._answered: dict[tuple[str, tuple[int, ...]], Array] = {}
        self.host = self._host(forward, backward, list(inputs.values()), dtype)
        if backward is None:
            self.forward, self.backward = self.host.pair(forward)
        else:
            self.forward, self.backward = forward, backward

    @staticmethod
    def _host(forward: Any, backward: Any, inputs: Sequence[Array], dtype: str) -> Hosts:
        host = host_of(forward, inputs, dtype, autograd=backward is None)
        if backward is not None and host.brings_backward(forward):
            raise UsageError(
                f"Cannot use backward with {forward.__name__!r}, because it brings its own backward; leave it out."
            )
        return host

    def __call__(
        self, inputs: Mapping[str, Array], upstream: Array, layout: Layout = "contiguous", *, step: int = 1
    ) -> Answer:
        """Forward, then backward, on copies of their own in the layout asked for."""
        answer, self._step = Answer(), step
        host = self.host
        with host.running(), np.errstate(all="ignore"):
            own = {name: laid_out(host, array, layout) for name, array in inputs.items()}
            dy = laid_out(host, upstream, layout)
            output = self._called(answer, "forward", "output", self.forward, list(own.values()))
            answer.output = self._taken(answer, "output", output)
            self._note_changes(answer, "forward", {**inputs}, own)
            returned = self._called(answer, "backward", "gradients", self.backward, [dy, *own.values()])
            self._note_changes(answer, "backward", {**inputs, "upstream": upstream}, {**own, "upstream": dy})
            for name, gradient in self._by_name(answer, returned, list(inputs)).items():
                answer.gradients[name] = self._taken(answer, f"d{name}", gradient)
            self._note_alias(answer, own)
        self._remember(answer)
        return answer

    def _remember(self, answer: Answer) -> None:
        for name, gradient in answer.gradients.items():
            if gradient is not None:
                earlier = self._answered.get((name, gradient.shape))
                answer.before |= {} if earlier is None else {name: earlier}
                self._answered[name, gradient.shape] = gradient

    def _finding(self, kind: Kind, tensor: str, message: str, *, fails: bool = True) -> Finding:
        return Finding(self.name, self._step, kind, message, tensor, fails)

    def overdue(self, answer: Answer) -> bool:
        """Whether a call took longer than it may: then so would the next."""
        return any(finding.kind == "timeout" for finding in answer.findings)

    def overwritten(self, answer: Answer) -> list[str]:
        """Tensors of an earlier answer that no longer are what they were."""
        return [
            name
            for name, own in answer.own.items()
            if not _same(self.host.take(own), answer.output if name == "output" else answer.gradients[name[1:]])
        ]

    def _called(
        self, answer: Answer, what: str, tensor: str, function: Callable[..., Any], arguments: Sequence[Any]
    ) -> Any:
        try:
            with deadline(self.timeout):
                return function(*arguments)
        except OverdueError:
            answer.findings.append(self._finding("timeout", tensor, f"{what} did not answer within {self.timeout:g} s"))
            return None
        except (Exception, SystemExit) as error:  # who leaves by sys.exit(0) would end the caller's tests as passed
            answer.findings.append(self._finding("raised", tensor, f"{what} raises {told(error)}"))
            return None

    def _taken(self, answer: Answer, name: str, own: Any) -> Array | None:
        """A NumPy copy of what came, None where nothing did, or something else."""
        if own is None:
            return None
        if not self.host.owns(own):
            message = f"{name} is {kind_of(own)} instead of an array of {self.host.package}"
            answer.findings.append(self._finding("not an array", name, message))
            return None
        answer.own[name] = own
        return self.host.take(own)

    def _by_name(self, answer: Answer, returned: Any, names: list[str]) -> dict[str, Any]:
        """Gradients by the name of the input: from a dictionary, a sequence in their order, or one array."""
        if any(finding.kind in ("raised", "timeout") and finding.tensor == "gradients" for finding in answer.findings):
            return {}
        if isinstance(returned, Mapping):
            short = {str(key).removeprefix("d") if str(key) not in names else key: g for key, g in returned.items()}
            unknown = [str(key) for key in returned if key not in names and str(key).removeprefix("d") not in names]
            if unknown:
                message = f"backward returns gradients of {', '.join(unknown)}; the inputs are {', '.join(names)}"
                answer.findings.append(self._finding("names", "gradients", visible(message)))
            return {name: short[name] for name in names if name in short}
        if isinstance(returned, tuple | list):
            if len(returned) != len(names):
                message = (
                    f"backward returns {len(returned)} gradients for {len(names)} inputs; in their order "
                    f"({', '.join(names)}), None for an input without one"
                )
                answer.findings.append(self._finding("number of gradients", "gradients", message))
                return {}
            return dict(zip(names, returned, strict=True))
        if len(self.wanted) == 1:
            return {self.wanted[0]: returned}
        message = f"backward returns {kind_of(returned)} for {len(names)} inputs instead of a tuple or a dictionary"
        answer.findings.append(self._finding("number of gradients", "gradients", message))
        return {}

    def _note_changes(self, answer: Answer, what: str, before: Mapping[str, Array], own: Mapping[str, Any]) -> None:
        for name, array in before.items():
            known = any(b.kind == "changed its input" and b.tensor == name for b in answer.findings)
            if not known and not _same(self.host.take(own[name]), array):
                answer.findings.append(self._finding("changed its input", name, f"{what} modifies {name} in place"))

    def _note_alias(self, answer: Answer, own: Mapping[str, Any]) -> None:
        """Write into each input once all is over; an output that changes shares its memory."""
        for name, array in own.items():
            if answer.output is None or not answer.output.size or answer.output.dtype.kind != "f":
                return
            try:
                array[...] = 0 * array - 1
            except (TypeError, ValueError):  # arrays of this framework cannot be written to
                return
            if not _same(self.host.take(answer.own["output"]), answer.output):
                answer.findings.append(
                    self._finding("aliasing", "output", f"the output shares its memory with {name}", fails=False)
                )
                answer.own.pop("output")
                return


def laid_out(host: Hosts, array: Array, layout: Layout) -> Any:
    """An own array of these numbers, whose memory is in another order or has gaps."""
    if layout == "contiguous" or not array.ndim:
        return host.give(array)
    if layout == "transposed" and array.ndim > 1:
        return host.give(np.ascontiguousarray(array.swapaxes(-1, -2))).swapaxes(-1, -2)
    return host.give(np.repeat(array, 2, axis=-1))[..., ::2]


def _same(one: Array, other: Array | None) -> bool:
    """The same numbers; whole numbers may have been narrowed by the framework."""
    return other is not None and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
