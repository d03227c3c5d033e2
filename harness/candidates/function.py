"""A candidate: somebody's backward pass, called under guard with arrays of its own kind.

The function gets copies it may write to; whatever it raises, changes or prints is about it. It is given arrays of
the framework whose names its code uses, or NumPy's; if it cannot work with these, NumPy's again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from harness.candidates.answers import Answer, OneByOne, answer_of
from harness.candidates.arrays import as_array
from harness.candidates.guarded import guarded
from harness.candidates.layout import Layout
from harness.candidates.leaves import copied_leaves
from harness.candidates.printing import Printed
from harness.comparison.judge import Finding
from harness.evaluation.point import Point
from harness.inputs.frameworks import names_in
from harness.usage import UsageError, did_you_mean
from impls import registry
from impls.abilities import Hosts
from impls.contract import Array, CannotCompareError, Inputs, network_of_example

NUMPY = "numpy"
Copy = Callable[[Array], Array]


@dataclass(frozen=True)
class Call:
    """One call: what was returned, and what is wrong with how."""

    returned: Any
    findings: list[Finding]
    failed: bool = False


class Candidate:
    """A function ``backward(weights, x, y)``; of several inputs, and buffers, x is a dictionary of arrays by name.

    Args:
        name: what findings and messages call it.
        function: it.
        arrays: the kind that it is given: numpy, torch, jax, ...; found in its code if None.
        timeout: seconds that one call may take, or None.
        layout: in which it is given its arrays, and returns others; in rows if None.
        strict: whether an answer fails that has to be read as something else.

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
    ) -> None:
        self.name, self.function, self.timeout, self.layout, self.strict = name, function, timeout, layout, strict
        self.printed = Printed()
        self.kinds = [_known(arrays)] if arrays else list(dict.fromkeys([kind_of(function), NUMPY]))
        self._hosts: dict[tuple[str, str], Hosts] = {}

    def call(self, weights: Mapping[str, Array], x: Array | Inputs, y: Array, copied: Copy = np.array) -> Call:
        """One call on copies of these arrays; `copied` makes NumPy's, other frameworks have their own way.

        Raises:
            KeyboardInterrupt, MemoryError: they are nobody's fault.
        """
        first: Call | None = None
        for kind in list(self.kinds):
            made = self._call_with(kind, weights, x, y, copied)
            if not made.failed:
                self.kinds = [kind]  # the next calls need not try
                return made
            first = first or made
        assert first is not None
        return first

    def answer(self, call: Call, point: Point, parameters: frozenset[str] = frozenset()) -> Answer:
        """What a call at a point returned, read."""
        return answer_of(call.returned, point, self.name, parameters, layout=self.layout, strict=self.strict)

    def _call_with(self, kind: str, weights: Mapping[str, Array], x: Array | Inputs, y: Array, copied: Copy) -> Call:
        """One call, or one for each sample where they are alone."""
        if self.layout is None or not self.layout.alone:
            return self._called(kind, weights, x, y, copied)
        answers, findings = [], dict[str, Finding]()
        for own_x, own_y in self.layout.asked(x, y):
            call = self._called(kind, weights, own_x, own_y, copied)
            if call.failed:
                return call
            answers.append(copied_leaves(call.returned))  # before the next call writes to the same memory
            findings |= {finding.message: finding for finding in call.findings}
        return Call(OneByOne(answers), list(findings.values()))

    def _called(self, kind: str, weights: Mapping[str, Array], x: Array | Inputs, y: Array, copied: Copy) -> Call:
        inputs = x if isinstance(x, Inputs) else {"x": x}
        given = {**weights, **inputs, "y": y}
        if self.layout is not None:
            given = {name: self.layout.laid(name, array) for name, array in given.items()}
        own, handed, fed = dict[str, Any](), dict[str, Any](), dict[str, Any]()

        def call() -> Any:
            running, arrays = self._own(kind, given, copied)
            own.update(arrays)
            handed.update({name: own[name] for name in weights})
            fed.update({name: own[name] for name in inputs})
            with running:
                return self.function(handed, fed if isinstance(x, Inputs) else own["x"], own["y"])

        returned, failure = guarded(call, self.timeout, self.printed)
        if failure:
            where = _where(failure.error, self.function) if failure.error else ""
            message = f"raised {failure.message}{where}" if failure.error else failure.message
            return Call(None, [Finding(self.name, 1, failure.kind, message)], failed=True)
        # What it took out of a dictionary is gone, and what it put there is in its place.
        kept = {**own, **dict.fromkeys(weights), **dict.fromkeys(inputs), **handed, **fed}
        return Call(returned, self._changed(given, kept))

    def _own(
        self, kind: str, given: Mapping[str, Array], copied: Copy
    ) -> tuple[AbstractContextManager[Any], dict[str, Any]]:
        """Copies as arrays of a kind, and the settings under which functions on these run."""
        if kind == NUMPY:
            return nullcontext(), {name: copied(a) if a.ndim else np.array(a) for name, a in given.items()}
        dtype = next(str(array.dtype) for array in given.values() if array.dtype.kind == "f")
        if (kind, dtype) not in self._hosts:
            self._hosts[kind, dtype] = _host(kind, dtype)
        host = self._hosts[kind, dtype]
        with host.running():
            return host.running(), {name: host.give(array) for name, array in given.items()}

    def _changed(self, given: Mapping[str, Array], own: Mapping[str, Any]) -> list[Finding]:
        changed = [name for name, array in given.items() if not _equal(own[name], array)]
        message = f"changed {', '.join(changed)}, which it was given to read"
        return [Finding(self.name, 1, "changed its input", message, changed[0])] if changed else []


def _equal(own: Any, given: Array) -> bool:
    array = as_array(own)
    return array is not None and np.array_equal(array, given)


def kind_of(function: Callable[..., Any]) -> str:
    """The framework whose names a function's code uses, directly or in functions of its own module; NumPy's if none."""
    names, seen, todo = set(registry.names()), set[Any](), [function]
    while todo:
        each = inspect.unwrap(todo.pop())
        code = getattr(each, "__code__", None)
        if not isinstance(code, CodeType) or code in seen:
            continue
        seen.add(code)
        for name in names_in(code):
            value = each.__globals__.get(name)
            root = (value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)) or name
            if str(root).partition(".")[0] in names:
                return str(root).partition(".")[0]
            if callable(value) and getattr(value, "__module__", None) == each.__module__:
                todo.append(value)
    return NUMPY


def _known(kind: str) -> str:
    kinds = [NUMPY, *(name for name in registry.names() if name != registry.REFERENCE)]
    if kind not in kinds:
        raise UsageError(
            f"Cannot give arrays of {kind!r}, because there is no framework of that "
            f"name{did_you_mean(str(kind), kinds)}; choose from {', '.join(kinds)}."
        )
    return kind


def _host(kind: str, dtype: str) -> Hosts:
    try:
        host = registry.load(kind)(network_of_example(), dtype)
    except (ImportError, CannotCompareError) as error:
        raise UsageError(str(error)) from None
    if not isinstance(host, Hosts):
        raise UsageError(f"Cannot give arrays of {kind}, because it does not say how; give arrays of numpy.")
    return host


def _where(error: BaseException, function: Callable[..., Any]) -> str:
    """The line of the function's own file that was running, in words."""
    file = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
    traceback, line = error.__traceback__, None
    while traceback:
        if traceback.tb_frame.f_code.co_filename == file:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f" (line {line})" if line else ""
