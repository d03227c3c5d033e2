"""Edits of a hand rule at an operation: single slips in the spellings of the layer that the reference is.

A slip need not be in the catalogue. Thousands are held against the numbers in plain floats; few come near.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.faults.edits import EditFault, edit_faults
from harness.faults.fault import Fault
from harness.faults.operations.hypothesis import Hypothesis, Situation, within
from harness.faults.pairs import pair_faults
from harness.faults.place import Place
from impls.contract import Array
from impls.graph import TARGET

LARGEST = 2**12
"""Entries of an upstream up to which edits are tried."""


def edited(at: Situation, name: str) -> Iterator[Hypothesis]:
    """Single edits of the rule, then two small ones at once."""
    hand = at.hand
    if hand is None or at.upstream.size > LARGEST:
        return
    reference, own = hand.hand, hand.own[name]
    place = Place(reference.graph(hand.inputs), reference.links(hand.inputs)[own])
    bounded = reference.tensors(hand.inputs, hand.upstream, hand.dtype)
    floats = {name: getattr(tensor, "value", tensor) for name, tensor in bounded.items()}
    answered = at.answered.get(name)

    def near(value: Any) -> bool:
        return answered is not None and within(np.asarray(reference.sent_back(value, floats)), answered)

    single = edit_faults(place, len(floats[TARGET]) if np.ndim(floats[TARGET]) else 1, True)
    for family in (single, pair_faults(place, floats, near)):
        for fault in family:
            if isinstance(fault, EditFault):
                says = f"{fault.formula}: {fault.says}, in d{name}"
                predict = partial(_sent, reference, fault, bounded)
                yield Hypothesis(fault.cause, says, predict, plain=partial(_plain, reference, fault, floats))


def _sent(reference: Any, fault: Fault, tensors: Mapping[str, Any]) -> Any:
    return reference.sent_back(fault.rule(tensors), tensors)


def _plain(reference: Any, fault: Fault, tensors: Mapping[str, Any]) -> Array:
    return np.asarray(reference.sent_back(fault.rule(tensors), tensors), np.float64)
