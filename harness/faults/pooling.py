"""Mistakes of pooling: the largest or the mean of each window of an image.

    s  = max, mean            the mean for the largest and the largest for the mean
    dx = what is put back     all of ds for every entry of a window; of windows that overlap the last one only

Formulas as in `impls.hand.layers.pooling` and `impls.hand.layers.adaptive_pooling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import AdaptiveAvgPool2d, AvgPool2d, GlobalAvgPool2d, MaxPool2d
from impls.hand.layers.indexing import scattered, taken
from impls.hand.layers.windows import put_back


def pooling_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _of_images(place: Place) -> Iterator[Fault]:
    x = place.names["x"]
    text = f"the largest entry of each image of {x} is taken, where the network has the mean"
    yield place.fault("another operation", text, f"max of {x}", lambda t: t[x].max(axis=3).max(axis=2))


def _of_windows(place: Place, right: str, kind: type, told: str) -> Iterator[Fault]:
    x, layer = place.names["x"], place.layer
    other = kind(layer.kernel, layer.stride, layer.padding)
    text = f"the {told} of each window of {x} is taken, where the network has the {right}"
    yield place.fault("another operation", text, f"{told} of {x}", lambda t: other.forward(t[x]))


def _of_mean(place: Place) -> Iterator[Fault]:
    x, ds = place.names["x"], place.names["ds"]
    text, whole = f"{place.at} is not divided by the number of entries", f"{ds} of its image"
    rule = lambda t: place.link(t) * float(np.prod(t[x].shape[2:]))  # noqa: E731
    yield place.fault("sum for mean", text, whole, rule)


def _of_pooled(place: Place) -> Iterator[Fault]:
    x, ds, at, layer = place.names["x"], place.names["ds"], place.at, place.layer
    text = f"every entry of a window gets all of {ds}"
    entries = int(np.prod(layer.windows.kernel))
    every = lambda t: put_back(layer.windows, t[x].shape[2:], 2, *[t[ds]] * entries)  # noqa: E731
    yield place.fault("whole upstream for every entry", text, f"{ds} at every entry of its window", every)
    if any(step < size for step, size in zip(layer.windows.stride, layer.windows.kernel, strict=True)):

        def overwritten(t: Mapping[str, Any]) -> Any:
            image, total = t[x].shape[2:], 0 * t[x]
            there = layer.shares(np.full_like(t[ds], 1), t[x])
            for r, (share, given) in enumerate(zip(layer.shares(t[ds], t[x]), there, strict=True)):
                alone = [np.full_like(share, 0)] * entries
                put = put_back(layer.windows, image, 2, *alone[:r], share, *alone[r + 1 :])
                has = put_back(layer.windows, image, 2, *alone[:r], given, *alone[r + 1 :]) > 0
                total = np.where(has, put, total)
            return total

        text = f"where windows overlap only one counts in {at}: each overwrites the one before"
        yield place.fault("overlapping windows overwritten", text, f"{ds} of one window of each entry", overwritten)


def _of_adaptive(place: Place) -> Iterator[Fault]:
    x, ds = place.names["x"], place.names["ds"]
    windows, entries = place.layer.pairs(place.network.tensors[x].sized(1)[2:])
    if len(entries) > prod(place.layer.made):
        text = f"every entry of a window gets all of {ds}"

        def whole(t: Mapping[str, Any]) -> Any:
            rows = t[ds].reshape(prod(t[ds].shape[:2]), -1)
            return scattered(taken(rows, windows), entries, prod(t[x].shape[2:])).reshape(*t[x].shape)

        yield place.fault("whole upstream for every entry", text, f"{ds} at every entry of its window", whole)


_OF_LARGEST = partial(_of_windows, right="largest entry", kind=AvgPool2d, told="mean")
_OF_MEANS = partial(_of_windows, right="mean", kind=MaxPool2d, told="largest entry")
_FAULTS: RuleTable = {
    MaxPool2d: {"s": _OF_LARGEST, "dx": _of_pooled},
    AvgPool2d: {"s": _OF_MEANS, "dx": _of_pooled},
    GlobalAvgPool2d: {"s": _of_images, "dx": _of_mean},
    AdaptiveAvgPool2d: {"dx": _of_adaptive},
}
