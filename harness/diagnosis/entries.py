"""The worst entry of a tensor, with what its link reads there: the lines that a person can follow with a pencil."""

from __future__ import annotations

import numpy as np

from harness.diagnosis.diagnosis import Entry
from harness.evaluation.incremental import Replay
from harness.faults.place import Place
from impls.contract import Array


def worst_entry(place: Place, actual: Array, expected: Array, floats: Replay) -> Entry:
    """The entry furthest from what it should be; NaN is furthest of all.

    At an activation and at the loss it comes with the pre-activation, the activation, the target and the upstream
    gradient there, each of them where it has the shape of the tensor.
    """
    tensor = place.at
    with np.errstate(all="ignore"):
        off = np.abs(actual - expected)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))  # argmax gives the first NaN
    around = [place.names[local] for local in ("z", "a", "y", "da") if local in place.names]
    names = dict.fromkeys([*around, *place.link.inputs]) if place.kind in ("dz", "da") else {}
    read = {name: floats.tensors[name] for name in names if name != tensor}
    reads = {name: float(value[index]) for name, value in read.items() if np.shape(value) == actual.shape}
    return Entry(tensor, index, float(actual[index]), float(expected[index]), reads)
