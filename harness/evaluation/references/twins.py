"""Twins: the hand layer that a foreign function turns out to be, found by its numbers.

Whoever gives ``torch.tanh`` as the reference has said what a hand layer says, without the layer's rule. The layer of as
many inputs whose output and gradients are the function's, as far as float32 can tell, at two points, is its twin. Its
rule is then what a slip is made in (`harness.faults.operations`), its textbook forms are right here too, and where the
function itself is off, the twin says so (`harness.evaluation.references.doubted`).

A layer's parameter, a slope, say, may be any number that the function's code names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import Parameter, signature
from itertools import islice
from types import CodeType
from typing import Any

import numpy as np

from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.jumps import Jumps
from harness.evaluation.references.reference import OperationPoint, Reference
from impls.contract import Array, is_real
from impls.hand import Dense
from impls.hand.layers import Add, Embedding, Multiply
from impls.hand.notation import ACTIVATIONS, LOSSES

MOST_NUMBERS = 12
"""Numbers in a function's code that a parameter may be."""
LARGEST = 2**14
"""Entries up to which a twin is looked for."""


class Twin:
    """A hand layer that reads what another reference reads, under the other's names.

    Attributes:
        hand: the layer as a reference.
        own: the layer's names of the inputs, by those of the other reference.
    """

    def __init__(self, hand: HandReference, names: tuple[str, ...]) -> None:
        self.hand, self.own = hand, dict(zip(names, hand.inputs, strict=True))

    def inputs(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """By the layer's own names."""
        return {self.own[name]: array for name, array in inputs.items()}

    def agrees(self, reference: Reference, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> bool:
        """Whether output and gradients are the reference's, as programs of the dtype may give them."""
        own = self.inputs(inputs)
        if {self.own[name] for name in reference.differentiable} != set(self.hand.differentiable):
            return False
        output, right = self.hand.output(own, dtype), reference.output(inputs, "float64")
        if output.shape != upstream.shape or not output.widened(right.bound).holds(right.value):
            return False
        gradients = self.hand.gradients(own, upstream, dtype)
        jumps = Jumps(OperationPoint(self.hand, own, upstream, dtype), gradients)
        for name, foreign in reference.gradients(inputs, upstream, "float64").items():
            both = gradients[self.own[name]].widened(foreign.bound)
            if not both.holds(foreign.value) and not jumps.allow(self.own[name], {self.own[name]: foreign.value}):
                return False
        return True


def twin_of(reference: Reference, inputs: Mapping[str, Array], upstream: Array) -> Twin | None:
    """The hand layer that a reference is, at this point; None if there is none, or if it is one itself.

    Rounding is that of float32: what a function gets wrong further down does not hide its name.
    """
    if isinstance(reference, HandReference) or upstream.size > LARGEST:
        return None
    names = tuple(inputs)
    for layer in _layers(reference, inputs):
        hand = HandReference(layer)
        if len(hand.inputs) != len(names):
            continue
        twin = Twin(hand, names)
        try:
            with np.errstate(all="ignore"):
                if twin.agrees(reference, inputs, upstream, "float32"):
                    return twin
        except Exception:  # shapes or numbers that the layer does not take
            continue
    return None


def _layers(reference: Reference, inputs: Mapping[str, Array]) -> Iterator[Any]:
    numbers = list(islice(numbers_in(getattr(reference, "function", None)), MOST_NUMBERS))
    arrays = list(inputs.values())
    kinds: list[Any] = []
    if len(arrays) == 1 and arrays[0].ndim > 1:
        kinds = list(ACTIVATIONS.values())
    elif len(arrays) == 2:
        kinds = [*LOSSES.values(), Multiply, Add]
        if arrays[0].dtype.kind == "i" or arrays[1].dtype.kind == "i":
            yield from (Embedding(*table.shape) for table in arrays if is_real(table) and table.ndim == 2)
    if len(arrays) in (2, 3) and arrays[1].ndim == 2:
        yield Dense(*arrays[1].shape, bias=len(arrays) == 3)
    for kind in kinds:
        yield kind()
        of_numbers = [p for p in signature(kind).parameters.values() if _is_number(p)]
        if len(of_numbers) == 1:
            for number in numbers:
                try:
                    yield kind(**{of_numbers[0].name: number})
                except ValueError:
                    continue


def _is_number(parameter: Parameter) -> bool:
    default = parameter.default
    return default is None or (isinstance(default, int | float) and not isinstance(default, bool))


def numbers_in(function: Any) -> Iterator[float]:
    """Numbers that a function's code names, or that it closes over."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _filled(cell)]
    defaults = [
        *(getattr(function, "__defaults__", None) or ()),
        *(getattr(function, "__kwdefaults__", None) or {}).values(),
    ]
    for value in (*code.co_consts, *cells, *defaults):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield float(value)


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
