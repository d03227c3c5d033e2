"""Answers: from what somebody's function returns to tensors of the network, by name, in rows.

A function may return any of dW1, db1, dz1, da1, ..., the forward tensors z1, a1, ... and the loss, in NumPy, torch or
JAX arrays or as lists and numbers; ``return locals()`` is fine. Of a graph the names are fc1.dW, fc1.dz, fc1.z. What
has other names, or another layout, is read as `harness.candidates.names` and `harness.candidates.layout` say.

Shape and dtype are compared before values, and nothing broadcasts. As many numbers in another shape are read where no
axis is permuted; that is said, and fails only where everything has to be as it is asked for (`strict`). Whatever stands
under a tensor's name is judged, or refused by that name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.candidates.arrays import as_array, few, in_one_memory, reshaped
from harness.candidates.conformance import shapes_of
from harness.candidates.layout import Layout
from harness.candidates.names import Named, named
from harness.comparison.judge import Finding
from harness.evaluation.point import Point
from harness.usage import told
from impls.contract import Array, is_number
from impls.graph import Graph


@dataclass(frozen=True)
class Answer:
    """What one call gave.

    Attributes:
        shown: tensors of the network by name, in the right shape and dtype, in the order of the links.
        held: the arrays as they were returned, not copied.
        copies: the numbers that these held when they were read.
        ignored: names that mean nothing here.
        returned: whatever it was.
        findings: what is wrong with names, shapes and dtypes, and how what is not as it was asked for was read.
        before: of an operation, the gradients of the last call before that gave one of the same shape.
    """

    shown: dict[str, Array]
    held: dict[str, Any] = field(default_factory=dict)
    copies: dict[str, Array] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    returned: Any = None
    before: Mapping[str, Array] = field(default_factory=dict)

    def keys(self, names: Collection[str]) -> dict[str, Any]:
        """Under which key of a dictionary each of these tensors was returned; empty where they were not all."""
        top = self.returned if type(self.returned) is dict else {}
        found = {name: key for key, value in top.items() for name in names if self.held.get(name) is value}
        return found if found.keys() == set(names) else {}


@dataclass(frozen=True)
class OneByOne:
    """What a function returned that was called for one sample after the other."""

    answers: Sequence[Any]


def answer_of(
    returned: Any,
    point: Point,
    against: str,
    parameters: frozenset[str] = frozenset(),
    *,
    layout: Layout | None = None,
    strict: bool = False,
) -> Answer:
    """Read what a function returned when it was called at a point.

    Args:
        returned: whatever it is.
        point: network, weights and batch; its dtype is the one expected.
        against: what findings call the function.
        parameters: names that ``locals()`` holds anyway, not worth listing.
        layout: in which it was called, and answers; in rows if None.
        strict: whether what has to be read as something else fails.
    """
    layout = layout or Layout(point.network)
    if not isinstance(returned, OneByOne):
        return _Reading(point, against, layout, strict=strict).answer(returned, parameters)
    answers = [
        _Reading(sample, against, layout, strict=strict).answer(each, parameters)
        for sample, each in zip(layout.samples(point), returned.answers, strict=True)
    ]
    findings = {finding.message: finding for answer in answers for finding in answer.findings}
    shown = layout.together([answer.shown for answer in answers])
    return Answer(shown, ignored=answers[0].ignored, findings=list(findings.values()))


def read_again(returned: Any, keys: Mapping[str, Any], point: Point, layout: Layout) -> dict[str, Array] | None:
    """The tensors that stood under these keys of an answer before, if they stand there as they should; else None.

    It takes a quarter of reading an answer of which nothing is known.
    """
    if type(returned) is not dict or not keys:
        return None
    shown = {}
    for name, key in keys.items():
        array = returned.get(key)
        if type(array) is not np.ndarray or array.dtype != point.dtype or array.shape != layout.shape(name, point.rows):
            return None
        shown[name] = layout.back(name, array, point.rows)
    return shown


class _Reading:
    """Reading one answer, and what there is to say of it."""

    def __init__(self, point: Point, against: str, layout: Layout, *, strict: bool) -> None:
        self.point, self.against, self.layout, self.strict = point, against, layout, strict
        self.findings: list[Finding] = []
        rows = shapes_of(point.network, point.rows)
        self.shapes = {name: layout.shape(name, point.rows) for name in rows}

    def answer(self, returned: Any, parameters: Iterable[str]) -> Answer:
        """The tensors that were returned."""
        try:
            found = self._named(returned, parameters)
        except MemoryError:
            raise
        except Exception as error:  # a mapping of somebody's own
            message = f"returned a mapping that cannot be read: it raises {told(error)}"
            self._say("not a pass", message)
            found = None
        if found is None:
            return Answer({}, findings=self.findings, returned=returned)
        arrays = {name: as_array(value) for name, value in found.held.items() if value is not None}
        self._say_shapes(found, arrays)
        shown = {name: shown for name, array in arrays.items() if (shown := self._shown(name, array)) is not None}
        self._say_names(found, returned)
        # Memory that was used again for a later tensor holds the later one's numbers under both names; but of the
        # gradients that training needs each has to be there.
        for one, other in in_one_memory(found.held):
            spare = one in shown and other in shown and one not in self.point.network.gradients
            if spare and np.array_equal(shown[one], shown[other], equal_nan=True):
                del shown[one]
        copies = {name: np.array(array) for name, array in arrays.items() if name in shown and array is not None}
        held = {name: _kept(value, arrays.get(name)) for name, value in found.held.items()}
        return Answer(shown, held, copies, found.ignored, self.findings, returned)

    def _named(self, returned: Any, parameters: Iterable[str]) -> Named | None:
        """What was returned, by the network's names; None where it is nothing of the kind."""
        if not isinstance(returned, Mapping | list | tuple):
            what = "nothing" if returned is None else _article(type(returned).__name__)
            such = ", ".join(self.point.network.gradients[-2:])
            self._say("not a pass", f"returned {what} instead of a dictionary of gradients such as {such}")
            return None
        return named(returned, self.point.network, self.shapes, self._given, parameters)

    def _given(self) -> Mapping[str, Array]:
        """Weights and the only input, as the function was given them."""
        given = {name: self.layout.laid(name, array) for name, array in self.point.weights.items()}
        return given if isinstance(self.point.x, Mapping) else {**given, "x": self.layout.laid("x", self.point.x)}

    def _say_names(self, found: Named, returned: Any) -> None:
        """Whatever there is to say of names."""
        gradients = self.point.network.gradients
        if found.called:
            names = self._in_order(found.called)
            read = f"returned {few([found.called[name] for name in names])}: read as {few(names)}"
            self._say("names", read, fails=self.strict)
        for said in found.said:
            self._say("names", said, fails=False)
        for name, both in found.doubted.items():
            self._say("names", f"returned {both}, which differ though either may be {name}; return {name}", name)
        unread = [f"{said} {array.shape}" for said, array in found.unread.items()]
        missing = [name for name in gradients if name not in found.held and name not in found.doubted]
        expected = ", ".join(f"{name} {self.shapes[name]}" for name in missing[:6])
        expected += f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        if not found.held and not found.doubted:
            got = f"only {', '.join((unread or found.ignored or ['what it was given'])[:6])}"
            kind = "dictionary" if isinstance(returned, Mapping) else type(returned).__name__
            got = got if found.any else f"{_article(kind)} without arrays" if len(returned) else f"an empty {kind}"
            self._say("names", f"returned {got}, none of which is a gradient of this network; expected {expected}")
        elif any(reshaped(array.shape, self.shapes[name]) for array in found.unread.values() for name in missing):
            self._say("names", f"returned {', '.join(unread[:6])} too; expected {expected}", fails=False)
        else:
            self.findings += not_trained(self.point.network, found.held, self.against, strict=self.strict)

    def _say_shapes(self, found: Named, arrays: Mapping[str, Array | None]) -> None:
        """What is wrong with tensors before their numbers are looked at, those with the same said together."""
        problems, otherwise = dict[tuple[str, str], list[str]](), dict[str, tuple[int, ...]]()
        for name, array in arrays.items():
            if array is not None and array.shape != self.shapes[name] and reshaped(array.shape, self.shapes[name]):
                otherwise[name] = array.shape
            if problem := self._problem(name, found.held[name], array):
                problems.setdefault(problem, []).append(name)
        for (kind, what), names in problems.items():
            called = [f"{found.called[name]}, read as {name}," if name in found.called else name for name in names]
            fails = self.strict or not all(self._widened(arrays[name]) for name in names)
            self._say(kind, f"returned {few(called)} {what}", names[0], fails=fails)
        if otherwise:
            names = self._in_order(otherwise)
            shapes, right = few([str(otherwise[name]) for name in names]), few([str(self.shapes[n]) for n in names])
            self._say("shape", f"returned {few(names)} of shape {shapes}: read as {right}", names[0], fails=self.strict)

    def _problem(self, name: str, value: Any, array: Array | None) -> tuple[str, str] | None:
        """Kind of what is wrong, and words that follow the name."""
        shape = self.shapes[name]
        if array is None or not is_number(array):
            of = f" of {value.dtype}" if hasattr(value, "dtype") else ""
            return "dtype", f"as {type(value).__name__}{of}, which cannot be read as an array of real numbers"
        if array.shape != shape and not reshaped(array.shape, shape):
            hint = ""
            if array.shape == shape[::-1]:
                w = "(n_out, n_in)" if self.layout.columns else "(n_in, n_out)"
                hint = f"; that is the shape of its transpose: W has shape {w} here"
            elif array.size == int(np.prod(shape)):
                hint = "; as many numbers in another shape: nothing broadcasts here"
            elif array.size == self.point.rows * int(np.prod(shape)) and self.point.rows in array.shape:
                hint = f"; it is not summed over the {self.point.rows} samples"
            return "shape", f"of shape {array.shape} instead of {shape}{hint}"
        dtype = self.point.dtype
        if array.dtype != np.dtype(dtype) and not isinstance(value, int | float | list | tuple):
            read = ", in which NumPy multiplies it: judged as they are" if self._widened(array) else ""
            return "dtype", f"as {array.dtype}, though it was given {dtype}{read}"
        return None

    def _widened(self, array: Array | None) -> bool:
        """Whether it holds float32 where bfloat16 was given: so NumPy promotes products of ml_dtypes' arrays."""
        return array is not None and self.point.dtype == "bfloat16" and array.dtype == np.float32

    def _shown(self, name: str, array: Array | None) -> Array | None:
        """The numbers in rows, where there is no doubt which number belongs where; they are judged all the same."""
        shape = self.shapes[name]
        if array is None or not is_number(array):
            return None
        if array.shape == shape[::-1] and not reshaped(array.shape, shape):
            array = array.T
        elif not reshaped(array.shape, shape):
            return None
        with np.errstate(all="ignore"):  # numbers that the dtype does not hold are not right either
            dtype = array.dtype if self._widened(array) else self.point.dtype
            return np.array(self.layout.back(name, array.reshape(shape), self.point.rows), dtype)

    def _in_order(self, names: Mapping[str, Any]) -> list[str]:
        """Names in the order in which people write them: the gradients of the weights as the weights stand."""
        return list(dict.fromkeys(name for name in (*self.point.network.gradients, *names) if name in names))

    def _say(self, kind: Any, message: str, tensor: str | None = None, *, fails: bool = True) -> None:
        self.findings.append(Finding(self.against, 1, kind, message, tensor, fails))


def _kept(value: Any, array: Array | None) -> Any:
    """What was returned, or, of a class that makes an array when it is asked for one, the array that it has made."""
    known = array is None or isinstance(value, np.ndarray | list | tuple) or hasattr(value, "detach")
    return value if known else array


def untrained(network: Graph, shown: Collection[str]) -> list[str]:
    """The gradients of the biases, where none of them is shown and every other weight's is."""
    missing = [name for name in network.gradients if name not in shown]
    biases = [network.gradient[name] for name in network.weights if network.tensors[name].local == "b"]
    return missing if missing and missing == [name for name in network.gradients if name in biases] else []


def not_trained(network: Graph, shown: Collection[str], against: str, *, strict: bool) -> list[Finding]:
    """What there is to say where no gradient of a bias is shown and every other is."""
    without = untrained(network, shown)
    message = f"returned no {', '.join(without)}: read as biases that are not trained"
    return [Finding(against, 1, "not trained", message, without[0], strict)] if without else []


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
