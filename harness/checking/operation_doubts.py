"""Doubts: where an operation is not what its reference says, is it the operation that is off?

The hand layer that the reference is, or turns out to be (`harness.evaluation.references.twins`), is asked first. An
operation that is right by it in every case, in the layer's own form or in another right one of its textbook forms, is
right; and where the reference is not right by it, the reference is the odd one out: a kernel with a constant in
float32, or another function from some argument on. Only what float32 would do may be wrong with such a reference, for a
twin is found no more exactly than that: a reference whose derivative is meant to be another has none.

Where nobody knows the function by hand, a central difference of the reference itself says who is off
(`harness.evaluation.references.voting`). It decides nothing: a derivative may be meant to be another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from msgspec.structs import replace

from harness.arithmetic import Bounded
from harness.arithmetic.threads import every_pool_on_one_thread
from harness.checking.operation_judging import Tried
from harness.comparison.judge import Row, as_convention
from harness.comparison.operation import YOURS, row_by
from harness.diagnosis.forms import forms_at
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import gradient_of
from harness.evaluation.references.measured import MeasuredReference
from harness.evaluation.references.voting import DIFFERENCE, Vote, contradictions
from harness.faults.operations.situation import HandSituation, Situation
from harness.inputs.cases import called
from harness.inputs.outputs import OUTPUT
from impls.contract import Array


def doubted(tried: Sequence[Tried], seed: int) -> tuple[list[Tried], list[Vote]]:
    """The cases as they are to be judged after all, and what there is to say of who is off."""
    if not any(each.read.outside for each in tried):
        return list(tried), []
    with every_pool_on_one_thread():
        right = list[Tried]()
        for each in map(_by_hand, tried):
            if each is None:  # nothing is decided then
                break
            right.append(each)
        if len(right) == len(tried):
            return right, list(_odd_reference(right))
        return list(tried), list(_differences(tried, seed))


def _by_hand(each: Tried) -> Tried | None:
    """A case judged by the hand layer; None where there is none, or by which something is wrong."""
    hand = each.situation.hand
    if hand is None:
        return None
    own = {OUTPUT: OUTPUT, **{gradient: gradient_of(hand.own[name]) for gradient, name in each.at.inputs.items()}}
    if any(row.verdict == "not comparable" or row.gradient not in own for row in each.rows):
        return None
    shown = {own[name]: array for name, array in each.read.shown.items() if name in own}
    rows = []
    for row in each.rows:
        judged = _row(row, hand, own[row.gradient], shown)
        if judged is None:
            return None
        rows.append(judged)
    return each.with_rows(rows)


def _row(row: Row, hand: HandSituation, tensor: str, shown: Mapping[str, Array]) -> Row | None:
    if row.verdict != "FAULT":
        return row
    actual = shown[tensor]
    for right, form in _forms(hand, tensor):
        found = row_by(right, hand.at.dtype, row.gradient, row.against, row.step, actual)
        if found.verdict != "FAULT":
            return replace(found, reason=f"right as {form}") if form else found
    if hand.at.convention(tensor, shown):
        return as_convention(row)
    return None


def _forms(hand: HandSituation, tensor: str) -> Iterator[tuple[Bounded, str]]:
    """What a tensor should be in each right form, with its text: the layer's own, then others of it and its output."""
    reference, at = hand.hand, hand.at
    yield at.tensors[tensor], ""
    tensors = reference.tensors(at.given, at.upstream, at.dtype)
    graph, gives = reference.graph(at.given), reference.gives
    forward = next((link for link in graph.links if link.layer is reference.layer and link.of is None), None)
    if forward is None:
        return
    read = {**tensors, forward.output: tensors[gives]}
    outputs = [("", tensors[gives]), *((form.says, form.beside(forward)(read)) for form in forms_at(forward))]
    if tensor == OUTPUT:
        yield from ((value, says) for says, value in outputs[1:])
        return
    link = graph.link[tensor]
    rules: list[tuple[str, Any]] = [("", link), *((form.says, form.beside(link)) for form in forms_at(link))]
    for (by, rule), (of, output) in product(rules, outputs):
        value = rule({**read, gives: output, forward.output: output})
        yield reference.sent_back(value, tensors), by or of


def _odd_reference(tried: Sequence[Tried]) -> Iterator[Vote]:
    """The first case in which the reference is not what the hand layer is, if there is one."""
    for each in tried:
        at = each.situation
        hand = at.hand
        if hand is None or isinstance(at.reference, HandReference):
            return
        by_hand = hand.at.tensors
        for tensor, theirs in at.at.tensors.items():
            own = tensor if tensor == OUTPUT else gradient_of(hand.own[at.at.inputs[tensor]])
            if by_hand[own].widened(theirs.bound).holds(theirs.value):
                continue
            off = float(np.max(np.abs(theirs.value - by_hand[own].value), where=by_hand[own].bounded, initial=0.0))
            how = "is another function there" if tensor == OUTPUT else "is off"
            yield Vote(
                tensor, each.name, {}, at.reference.name, True,
                f"{tensor} in {called(each.name)}: {at.reference.name} is the odd one out: it {how}, by {off:.1e}; "
                f"{hand.hand.name} agrees with yours in every case",
            )  # fmt: skip
            return


def _differences(tried: Sequence[Tried], seed: int) -> Iterator[Vote]:
    """Of each wrong gradient in the first case in which it is wrong and the output is right."""
    told = set[str]()
    for each in tried:
        at, outputs = each.situation, {row.gradient: row.verdict for row in each.rows}
        if not isinstance(at.reference, MeasuredReference) or outputs.get(OUTPUT, "FAULT") == "FAULT":
            continue
        for name in each.read.wrong:
            actual = at.answered[name]
            if name in told or actual is None or actual.shape != at.expected[name].shape:
                continue
            told.add(name)
            yield _against(at, name, actual, each.name, seed)


def _against(at: Situation, name: str, actual: Array, case: str, seed: int) -> Vote:
    """What the central difference says of the reference and of somebody's gradient."""
    right, reference = at.expected[name], at.reference
    assert isinstance(reference, MeasuredReference)
    voices = {reference.name: right, YOURS: Bounded(np.asarray(actual, np.float64), right.bound, right.context)}
    off = contradictions(reference, at.inputs, at.upstream, name, voices, seed)
    where, against = f"{gradient_of(name)} in {called(case)}", {voice for voice in off if off[voice] > 1}
    if against == {YOURS}:
        return Vote(gradient_of(name), case, off, None, True, f"{where}: {reference.name} and the {DIFFERENCE} agree")
    if against == {reference.name}:
        why = "its derivative is wrong, or meant to be another one"
        says = f"{where}: the {DIFFERENCE} of {reference.name} agrees with yours, not with {reference.name}: {why}"
        return Vote(gradient_of(name), case, off, reference.name, True, says)
    why = "agrees with neither" if against else "cannot tell who is off" if off else "abstains"
    return Vote(gradient_of(name), case, off, DIFFERENCE if against else None, True, f"{where}: the {DIFFERENCE} {why}")
