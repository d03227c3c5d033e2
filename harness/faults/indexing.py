"""Mistakes of layers that take entries and put them back.

    slice         one entry beside, forward and back; the step ignored going back
    pad           before and behind exchanged, forward and back; the frame's front not cut off going back
    gather        the number one off; going back a number that occurs twice overwritten, or averaged
    scatter-add   the same, the other way round

Formulas as in `impls.hand.layers.indexing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import Gather, Pad, ScatterAdd, Slice
from impls.hand.layers.indexing import along


def indexing_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _with(place: Place, layer: Any) -> Any:
    """The rule of another layer."""
    return lambda t: getattr(layer, place.link.rule.__name__)(*(t[name] for name in place.link.inputs))


def _slice(place: Place) -> Iterator[Fault]:
    layer, x = place.layer, place.names["x"]
    size = place.network.tensors[x].sized(1)[layer.axis]
    at = range(size)[layer.cut[-1]]
    first, last = at[0], at[-1]
    step = 1 if last + 1 < size else -1 if first else 0
    if step:
        beside = Slice(layer.axis, first + step, last + step + 1, layer.step)
        text = (
            f"{place.at} begins at entry {first + step + 1} of axis {layer.axis} of {x}, where it begins at {first + 1}"
        )
        yield place.fault("cut one neuron beside", text, f"{place.at} one entry beside", _with(place, beside))
    if layer.step > 1 and len(at) > 1 and not place.forward:
        dense = Slice(layer.axis, first, first + len(at))
        text = f"the step {layer.step} is ignored: what was taken is put back one entry beside the other"
        yield place.fault("stride ignored", text, f"{place.at} with step 1", _with(place, dense))


def _pad(place: Place) -> Iterator[Fault]:
    layer = place.layer
    if any(before != behind for before, behind in layer.widths):
        other = Pad([[behind, before] for before, behind in layer.widths], layer.value)
        text = "what stands before an axis and what stands behind it are exchanged"
        yield place.fault("padding turned round", text, f"{place.at} with the widths exchanged", _with(place, other))


def _of_padded(place: Place) -> Iterator[Fault]:
    yield from _pad(place)
    layer, x, ds = place.layer, place.names["x"], place.names["ds"]
    if any(before for before, _ in layer.widths):
        text = f"the padding is forgotten: {place.at} is cut from the first entries of {ds}"
        front = lambda t: +t[ds][tuple(slice(size) for size in t[x].shape)]  # noqa: E731
        yield place.fault("padding forgotten", text, f"the first entries of {ds}", front)


def _numbers(place: Place) -> Iterator[Fault]:
    i, entries = place.names["i"], place.layer.entries
    for step, told in ((1, "1 is added to"), (-1, "1 is subtracted from"))[: 1 + (entries > 2)]:
        rule = lambda t, step=step: place.link({**t, i: (t[i] + step) % entries})  # noqa: E731
        text = f"{told} the numbers of {i}, which are counted from 0"
        yield place.fault("index off by one", text, f"{place.at} from {i} {'+' if step > 0 else '−'} 1", rule)


def _sums(place: Place) -> Iterator[Fault]:
    """Of the rule that adds up what belongs to one place."""
    i, layer = place.names["i"], place.layer
    read = place.names["x" if place.forward else "ds"]

    def repeated(index: Any) -> list[Any]:
        """For each number how many of its sample belong to the same place, before it and behind it."""
        places = along(index, layer.axis, layer.entries)
        alike = places[:, :, None] == places[:, None, :]
        order = np.arange(places.shape[1])
        ways = order[:, None] > order, order[:, None] < order
        return [(alike & way).sum(axis=-1).reshape(index.shape) for way in ways]

    for which, why in (("last", "each overwrites the one before"), ("first", "later ones are not added")):

        def once(t: Mapping[str, Any], which: str = which) -> Any:
            before, behind = repeated(t[i])
            kept = (behind if which == "last" else before) == 0
            return place.link({**t, read: np.where(kept, t[read], np.full_like(t[read], 0))})

        text = f"where a number of {i} occurs more than once, only the {which} counts in {place.at}: {why}"
        formula = f"{read} of the {which} place of each number of {i}"
        yield place.fault("repeated index overwritten", text, formula, once)

    def averaged(t: Mapping[str, Any]) -> Any:
        return place.link({**t, read: t[read] / (1.0 + sum(repeated(t[i])))})

    text = f"where a number of {i} occurs more than once, the mean is taken, where the sum belongs"
    yield place.fault("mean over a repeated index", text, f"mean of {read} over each number of {i}", averaged)
    yield from _numbers(place)


_FAULTS: RuleTable = {
    Slice: {"s": _slice, "dx": _slice},
    Pad: {"s": _pad, "dx": _of_padded},
    Gather: {"s": _numbers, "dx": _sums},
    ScatterAdd: {"s": _sums, "dx": _numbers},
}
