"""Edits of the rule: every single slip in writing a link down, for causes that the catalogue does not have.

The rule is taken as people spell it (`harness.faults.spellings`), or as the hand code has it where nobody said how, and
each operator of `harness.edits` is applied at each place of it. An edited rule runs on every number type, as a fault's
does. What it gives may have another shape, or be no number: whoever searches finds that out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.edits.numbers import NUMBER, OTHER
from harness.faults.edited_formulas import Edit, edits_of, own_edits
from harness.faults.fault import Fault, with_number
from harness.faults.fitted import Linear
from harness.faults.place import Place
from harness.faults.spellings import entry_spellings_of, parameters_of, spellings_of
from impls.graph import TARGET, Rule
from impls.hand import Dense
from impls.hand.activations.softmax import softmax
from impls.hand.layers.dense import rows_of

CAUSE = "edit of the rule"


@dataclass(frozen=True)
class EditFault(Fault):
    """An edit as a fault.

    Attributes:
        operator: the kind of edit.
        right: the formula as it is right.
        written: the formula by the layer's own names, the same at every link of the kind; empty with another tensor.
        made_at: the rule at another place, a link of the same layer for other sizes; None where it is not kept.
    """

    operator: str = ""
    right: str = ""
    written: str = ""
    made_at: Callable[[Place], Rule] | None = None


def edit_faults(place: Place, rows: int, shown: bool) -> Iterator[Fault]:
    """Every edit of a place's rule, with every tensor in place of another, and with a number of its own.

    Args:
        rows: samples in the batch.
        shown: whether what the link gives is shown, so that it may have been computed after what follows it.
    """
    seen: set[str] = set()
    others = _others(place, shown)
    for edit in edits_at(place, rows):
        for other in others if OTHER in edit.reads else [""]:
            names = Names({**names_at(place), OTHER: other, NUMBER: "{c}"})
            wrong, right = edit.wrong.format_map(names), edit.right.format_map(names)
            if wrong in seen or wrong == right:
                continue
            seen.add(wrong)
            says = f"the right formula is {right}: one edit, {edit.operator}"
            run = partial(run_of, place, edit, others.get(other))
            if NUMBER in edit.reads:
                yield _numbered(place, says, right, wrong, run)
            else:
                written = "" if other else edit.wrong
                yield EditFault(CAUSE, place.at, says, wrong, run, edit.operator, right, written)


def _numbered(place: Place, says: str, right: str, formula: str, run: Callable[..., Any]) -> Numbered:
    def direction(t: Mapping[str, Any]) -> Any:
        return run(t, number=1.0) - run(t, number=0.0)

    base = partial(run, number=0.0)
    meets = any(tensor.through for tensor in place.network.tensors.values())
    usual = with_number(says, 1.0), with_number(formula, 1.0)
    rule = partial(run, number=1.0)
    return Numbered(CAUSE, place.at, *usual, rule, says, formula, base, direction, meets, run=run, right=right)


@dataclass(frozen=True)
class Numbered(Linear):
    """An edit with a number in it, on which what the link gives depends linearly.

    Attributes:
        run: what is computed, from tensors and ``number``.
        right: the formula as it is right.
    """

    run: Callable[..., Any] = field(kw_only=True)
    right: str = field(kw_only=True)

    def rule_with(self, c: Any) -> Rule:
        """As `Fitted.rule_with`."""
        return partial(self.run, number=c)

    def linear(self, t: Mapping[str, Any]) -> bool:
        """Whether what the link gives is linear in the number, given these tensors."""
        with np.errstate(all="ignore"):
            one, two = self.run(t, number=1.0), self.run(t, number=2.0)
            zero = self.run(t, number=0.0)
            return bool(np.all(np.abs((two - one) - (one - zero)) <= LINEAR * np.abs(two - zero).max()))


LINEAR = 1e-10
"""Off by less of its largest change, what a link gives is linear in a number."""
MOST_ENTRIES = 30_000
"""Products that a matrix product may have to be written out one by one."""


def edits_at(place: Place, rows: int) -> Iterator[Edit]:
    """The edits of every spelling of a place's rule, those by entry where there are few products of entries."""
    spelled, by_entry = spellings_of(place), entry_spellings_of(place)
    if by_entry and rows * prod(place.network.weights[place.names["W"]]) > MOST_ENTRIES:
        by_entry = ()
    for text in (*spelled, *by_entry):
        yield from edits_of(text)
    if not spelled and not place.adds:
        yield from own_edits(place.link)


def run_of(
    place: Place, edit: Edit, other: Callable[[Mapping[str, Any]], Any] | None, t: Mapping[str, Any], number: Any = None
) -> Any:
    """What an edited rule gives."""
    given = {}
    for name in edit.reads:
        if name == NUMBER:
            given[name] = number
        else:
            given[name] = _by_row(place, other(t)) if name == OTHER and other else value_of(place, name, t)
    return sized(place, edit.function(**given), t)


def value_of(place: Place, name: str, t: Mapping[str, Any]) -> Any:
    """What a spelling reads by one of its names."""
    if name == "y" or name in place.names:
        return _by_row(place, t[place.names.get(name, TARGET)])
    if name == "Y":
        return _one_hot(place, t)
    return float(len(t[TARGET])) if name == "N" else parameters_of(place)[name]


def _by_row(place: Place, tensor: Any) -> Any:
    summed = place.link.local in ROW_SUMS.get(type(place.layer), ())
    return rows_of(tensor) if summed and getattr(tensor, "ndim", 0) > 2 else tensor


ROW_SUMS: Mapping[type, tuple[str, ...]] = {Dense: ("dW", "db")}
"""What is summed over every row of an array of any number of axes, by the class of the layer."""


def sized(place: Place, result: Any, t: Mapping[str, Any]) -> Any:
    """What an edited rule gives, of the tensors' number type, in the shape of the link if NumPy repeats it for that."""
    shape = place.tensor.sized(len(t[TARGET]))
    result = result if hasattr(result, "shape") else np.asarray(result)
    context = next((tensor.context for tensor in t.values() if isinstance(tensor, Bounded)), None)
    if context and not isinstance(result, Bounded):
        result = context.constant(result)
    return result if getattr(result, "shape", ()) == shape else _as_large(result, shape)


def _as_large(result: Any, shape: tuple[int, ...]) -> Any:
    """A result that NumPy repeats where it is assigned to the entries of an array of that shape, sample by sample."""
    by_sample = len(shape) > 1 and result.shape == shape[:1] != shape[-1:]

    def repeated(array: Any) -> Any:
        return np.broadcast_to(array[:, None] if by_sample else array, shape)

    return result.moved(repeated) if isinstance(result, Bounded) else repeated(result)


def names_at(place: Place) -> Mapping[str, str]:
    """What a spelling's names stand for: tensors, and the labels as rows of 0 and 1."""
    return {"y": TARGET, "Y": f"onehot({TARGET})", **place.names}


class Names(dict[str, str]):
    """Names of tensors, and everything else by its own."""

    def __missing__(self, name: str) -> str:
        return name


def _one_hot(place: Place, t: Mapping[str, Any]) -> Any:
    return np.eye(place.network.outputs)[t[TARGET]]


def _width(width: int, _: Mapping[str, Any]) -> float:
    return float(width)


def _shifted(a: Any) -> Any:
    return a - a.max(axis=-1, keepdims=True)


def _others(place: Place, shown: bool) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
    """What may be read in place of a tensor: given, computed before the link, or not from it; by its text."""
    network, behind = place.network, {place.at}
    for link in network.links:
        if not behind.isdisjoint(link.inputs):
            behind.add(link.output)
    found: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    for tensor in network.tensors.values():
        there = tensor.name not in network.link or (tensor.name not in behind if shown else place.earlier(tensor.name))
        if there and tensor.role != "state" and not tensor.whole:
            found[tensor.name] = itemgetter(tensor.name)
    found["N"] = lambda t: float(len(t[TARGET]))
    found["n"] = lambda t: np.arange(len(t[TARGET]), dtype=float)[:, None]
    for width in sorted({tensor.width for tensor in network.tensors.values() if tensor.shape} - {1}):
        found[str(width)] = partial(_width, width)
    if network.loss.labels:
        found[f"onehot({TARGET})"] = partial(_one_hot, place)
    if network.loss.applies == "softmax" and network.output not in behind:
        found[f"softmax({network.output})"] = lambda t: softmax(t[network.output])
        found[f"np.exp({network.output} - max)"] = lambda t: np.exp(_shifted(t[network.output]))
    return found
