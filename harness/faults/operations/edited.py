"""Edits of a hand rule at an operation: single slips in the spellings of the layer that the reference is.

A slip need not be in the catalogue. Thousands are held against the numbers in plain floats; few come near.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.evaluation.references.expected import gradient_of
from harness.faults.edits import EditFault, edit_faults
from harness.faults.fault import Fault
from harness.faults.operations.operation_fault import OperationFault
from harness.faults.operations.situation import HandSituation, Situation, within
from harness.faults.pairs import pair_faults
from harness.faults.place import Place
from impls.contract import Array
from impls.graph import TARGET, Rule

LARGEST = 2**12
"""Entries of an upstream up to which edits are tried."""


def edited(at: Situation, name: str) -> Iterator[OperationFault]:
    """Single edits of the rule."""
    if at.hand is None or at.upstream.size > LARGEST:
        return
    place, tensors, floats = _read(at.hand, name)
    for fault in edit_faults(place, len(floats[TARGET]) if np.ndim(floats[TARGET]) else 1, True):
        if isinstance(fault, EditFault):
            plain = partial(_plain, fault.rule, at.hand, floats)
            yield OperationFault(
                fault.cause, _says(fault, name), partial(_sent, fault.rule, at.hand, tensors), plain=plain
            )


def edited_twice(at: Situation, name: str) -> Iterator[OperationFault]:
    """Two small edits of the rule at once; those that come near are kept for other cases."""
    if at.hand is None or at.upstream.size > LARGEST:
        return
    place, _, floats = _read(at.hand, name)
    hand, answered = at.hand.hand, at.answered.get(name)

    def near(value: Any) -> bool:
        return answered is not None and within(np.asarray(hand.sent_back(value, floats)), answered)

    for fault in pair_faults(place, floats, near):
        if isinstance(fault, EditFault):
            again = partial(_made_anew, fault, name)
            yield OperationFault(fault.cause, _says(fault, name), partial(again, at), again=again)


def _read(hand: HandSituation, name: str) -> tuple[Place, dict[str, Any], dict[str, Any]]:
    """The link that gives a gradient, and what it reads: bounded, and in plain floats."""
    reference, own, at = hand
    place = Place(reference.graph(at.given), reference.links(at.given)[own[name]])
    tensors = reference.tensors(at.given, at.upstream, at.dtype)
    return place, tensors, {read: getattr(tensor, "value", tensor) for read, tensor in tensors.items()}


def _says(fault: Fault, name: str) -> str:
    dx = gradient_of(name)
    return f"{fault.formula}: {fault.says}, in {dx}"


def _sent(rule: Rule, hand: HandSituation, tensors: Mapping[str, Any]) -> Any:
    return hand.hand.sent_back(rule(tensors), tensors)


def _plain(rule: Rule, hand: HandSituation, tensors: Mapping[str, Any]) -> Array:
    return np.asarray(_sent(rule, hand, tensors), np.float64)


def _made_anew(fault: EditFault, name: str, at: Situation) -> Any:
    """What an edit gives in another case."""
    assert at.hand is not None
    assert fault.made_at is not None
    place, tensors, _ = _read(at.hand, name)
    return _sent(fault.made_at(place), at.hand, tensors)
