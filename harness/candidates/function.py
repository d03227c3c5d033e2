"""A backward pass as a function: somebody's ``backward(weights, x, y)``, called with arrays of its own kind.

It is given arrays of the framework whose names its code uses, or NumPy's; if it cannot work with these, NumPy's again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from harness.arithmetic import Bounded, enclosure
from harness.candidates.answers import Answer, OneByOne, answer_of, read_again
from harness.candidates.arrays import in_one_memory
from harness.candidates.guarded import guarded
from harness.candidates.handed import Handed, Strides
from harness.candidates.layout import Layout
from harness.candidates.leaves import copied_leaves
from harness.candidates.printing import Printed
from harness.candidates.probes import probes
from harness.comparison.judge import Finding
from harness.diagnosis.location import located
from harness.dialects import Recognised, recognised
from harness.evaluation.point import Point
from harness.inputs.devices import OF_THE_CPU, Stated, placed, stated_by
from harness.inputs.frameworks import named_in
from harness.usage import UsageError, did_you_mean
from impls import registry
from impls.abilities import Hosts
from impls.contract import CPU, Array, CannotCompareError, Inputs, network_of_example

NUMPY = "numpy"


class BackwardPass:
    """A function ``backward(weights, x, y)``; of several inputs, and buffers, x is a dictionary of arrays by name.

    Args:
        name: what findings and messages call it.
        function: it.
        arrays: the kind that it is given: numpy, torch, jax, ...; found in its code if None.
        timeout: seconds that one call may take, or None.
        layout: in which it is given its arrays, and returns others; in rows if None.
        strict: whether an answer fails that has to be read as something else.
        flat: whether it is given targets without axes of size 1.
        device: where its arrays are; NumPy's are on the CPU.

    Attributes:
        printed: what it has printed.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        arrays: str | None,
        timeout: float | None,
        *,
        layout: Layout | None = None,
        strict: bool = False,
        flat: bool = False,
        device: str = CPU,
    ) -> None:
        self.name, self.function, self.timeout, self.layout, self.strict = name, function, timeout, layout, strict
        self.printed, self.flat, self.device = Printed(), flat, device
        likely = [kind_of(function), NUMPY] if device == CPU else [kind_of(function)]
        self.kinds = [_known(arrays)] if arrays is not None else list(dict.fromkeys(likely))
        self._parameters = _parameters(function)
        self._hosts: dict[tuple[str, str], Hosts] = {}
        self._read: Recognised | None = None

    def readings(self, at: Point, answer: Answer) -> list[Recognised]:
        """The ways to read an answer, judged, all of them equally good."""
        return recognised(at, answer.shown, at.profile, self.name, strict=self.strict)

    def said(self, at: Point, answer: Answer) -> Iterator[Finding]:  # noqa: ARG002
        """Of tensors in one memory."""
        for one, other in in_one_memory(answer.held):
            message = f"returned {one} and {other} in the same memory: what is written to one changes the other"
            yield Finding(self.name, 1, "aliasing", message, other, fails=False)

    def read_as(self, read: Recognised) -> Self:
        """The same function, all of whose answers are read in the dialect in which the first was."""
        other = copy(self)
        other._read = read
        return other

    @property
    def layouts(self) -> tuple[Strides, ...]:
        """In which a function of NumPy arrays must be right too."""
        return ("strided",) if self.kinds == [NUMPY] else ()

    def stated(self, dtype: str) -> Stated:
        """How the framework that it is written in computes on its device."""
        return OF_THE_CPU if self.device == CPU else stated_by(self._host(self.kinds[0], dtype), self.device)

    def answer(
        self, at: Point, layout: Strides = "contiguous", keys: Mapping[str, Any] = MappingProxyType({})
    ) -> Answer:
        """One call at a point, on copies, or one for each sample where they are alone; without tensors if it fails.

        Args:
            at: the point.
            layout: in which it is given its arrays.
            keys: where only these tensors are wanted, the keys of an answer before under which they stood.

        Raises:
            KeyboardInterrupt, MemoryError: they are nobody's fault.
        """
        first: Answer | None = None
        for kind in list(self.kinds):
            answer, failed = self._answer_with(kind, at, layout, keys)
            if not failed:
                self.kinds = [kind]  # the next calls need not try
                return answer
            first = first or answer
        assert first is not None
        return first

    def wrong(self, at: Point, answer: Answer) -> list[str]:
        """Tensors of an answer whose link is wrong, in order."""
        read = self.doubted(at, answer)
        return read.located.faulty if read else []

    def elsewhere(self, at: Point) -> Iterator[tuple[str, Point]]:
        """Other points, in words and by themselves; last the same again."""
        for when, other in probes(at):
            rows = self.layout.rows(other.rows) if self.layout else other.rows
            yield when, other if rows == other.rows else other.elsewhere(other.weights, slice(0, rows))
        yield "the third time", at

    def why(self, at: Point, answer: Answer) -> str:
        """The likeliest cause of what is wrong, in words, or nothing."""
        read = self.doubted(at, answer)
        causes = read.diagnoses[0].causes if read else ()
        return causes[0].says if causes else ""

    def reads(self, at: Point, answer: Answer) -> tuple[Point, Mapping[str, Array]]:
        """An answer in the dialect of the first: the point that is meant, and what is shown there."""
        return self._read.elsewhere(at, answer.shown) if self._read else (at, answer.shown)

    def doubted(self, at: Point, answer: Answer) -> Recognised | None:
        """An answer, read in the dialect of the first, and judged link by link; None where it is plainly right.

        That is where every tensor is inside its float64 bound end to end, and half of it would not be. It takes one
        pass on bounded arrays; to judge each link apart takes three, and the numbers of every row.
        """
        point, shown = self.reads(at, answer)
        if at.dtype == "float64":
            right = point.centre(at.dtype).tensors
            if all(right[name].holds(array) and _sharp(right[name]) for name, array in shown.items()):
                return None
        judged = located(point, shown, point.profile, self.name)
        dialects = self._read.dialects if self._read else ()
        return Recognised(dialects=dialects, point=point, shown=shown, located=judged)

    def _answer_with(self, kind: str, at: Point, strides: Strides, keys: Mapping[str, Any]) -> tuple[Answer, bool]:
        """The answer, and whether a call failed."""
        alone = self.layout is not None and self.layout.alone
        asked = self.layout.asked(at.x, at.y) if self.layout is not None and alone else [(at.x, at.y)]
        each, findings = list[Any](), dict[str, Finding]()
        for x, y in asked:
            returned, found, failed = self._called(kind, at, x, y, strides)
            if failed:
                return Answer({}, findings=found), True
            each.append(returned)
            findings |= {finding.message: finding for finding in found}
        answered = OneByOne(each) if alone else each[0]
        if (again := read_again(answered, keys, at, self.layout or Layout(at.network))) is not None:
            return Answer(again, findings=[*findings.values()]), False

        def read() -> Answer:
            return answer_of(answered, at, self.name, self._parameters, layout=self.layout, strict=self.strict)

        answer, failure = guarded(read, self.timeout, self.printed, reading=True)
        if failure:
            message = f"returned what cannot be read: it {'raises ' if failure.error else ''}{failure.message}"
            return Answer({}, findings=[Finding(self.name, 1, failure.kind, message)]), True
        return replace(answer, findings=[*findings.values(), *answer.findings]), False

    def _called(
        self, kind: str, at: Point, x: Array | Inputs, y: Array, strides: Strides
    ) -> tuple[Any, list[Finding], bool]:
        """What one call returns, what is to be said of it, and whether it failed."""
        inputs = x if isinstance(x, Inputs) else {"x": x}
        given = {**at.weights, **inputs, "y": y}
        if self.layout is not None:
            given = {name: self.layout.laid(name, array) for name, array in given.items()}
        if self.flat:
            given["y"] = given["y"].ravel()
        host = self._host(kind, at.dtype)
        handed = Handed(host, given, strides)
        weights, fed = ({name: handed.own[name] for name in names} for names in (at.weights, inputs))

        def call() -> Any:
            with host.running():
                returned = self.function(weights, fed if isinstance(x, Inputs) else handed.own["x"], handed.own["y"])
            # Of one sample after the other: a copy, before the next call writes to the same memory.
            return copied_leaves(returned) if self.layout is not None and self.layout.alone else returned

        returned, failure = guarded(call, self.timeout, self.printed)
        if failure:
            message = f"raised {failure.message}{failure.where(self.function)}" if failure.error else failure.message
            if isinstance(failure.error, AttributeError) and isinstance(failure.error.obj, np.ndarray):
                message += "; if it takes arrays of torch or jax, --arrays says so"
            return None, [Finding(self.name, 1, failure.kind, message)], True
        # What it took out of a dictionary is gone, and what it put there is in its place.
        changed = handed.changed({**handed.own, **dict.fromkeys(at.weights), **dict.fromkeys(inputs), **weights, **fed})
        message = f"changed {', '.join(changed)}, which it was given to read"
        return returned, [Finding(self.name, 1, "changed its input", message, changed[0])] if changed else [], False

    def _host(self, kind: str, dtype: str) -> Hosts:
        if (kind, dtype) not in self._hosts:
            self._hosts[kind, dtype] = _host(kind, dtype, self.device)
        return self._hosts[kind, dtype]


def _sharp(right: Bounded) -> bool:
    """Whether half of a tensor, or twice it, is outside its bound, or the tensor is 0."""
    return bool(not right.value.any() or enclosure.telling(right.value, right.bound).any())


def kind_of(function: Callable[..., Any]) -> str:
    """The framework whose names a function's code uses, directly or in functions of its own module; NumPy's if none."""
    named = named_in(function)
    return next((name for name in registry.names() if name in named and name != registry.REFERENCE), NUMPY)


def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()


def _known(kind: str) -> str:
    kinds = [NUMPY, *(name for name in registry.names() if name != registry.REFERENCE)]
    if kind not in kinds:
        raise UsageError(
            f"Cannot give arrays of {kind!r}, because there is no framework of that "
            f"name{did_you_mean(str(kind), kinds)}; choose from {', '.join(kinds)}."
        )
    return kind


def _host(kind: str, dtype: str, device: str) -> Hosts:
    try:
        made = registry.load(registry.REFERENCE if kind == NUMPY else kind)(network_of_example(), dtype)
        host = placed(kind, made, device)
    except (ImportError, CannotCompareError) as error:
        raise UsageError(str(error)) from None
    if not isinstance(host, Hosts):
        raise UsageError(f"Cannot give arrays of {kind}, because it does not say how; give arrays of numpy.")
    return host
