"""Mistakes of a Conv1d, a ConvTranspose2d, an adaptive average pooling, and of an einsum.

    any rule with W    the kernel flipped; the kernels of another group; b left out, subtracted, added twice
    dW                 flipped; of another group
    dW, db             the mean over the windows
    adaptive dx        not divided by the entries of a window
    einsum             two axes of one operand exchanged, where they have as many entries

Formulas as in `impls.hand.layers.other_convolutions`, `impls.hand.layers.adaptive_pooling`, `impls.hand.layers.einsum`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.forward import bias_faults
from harness.faults.images import groups_turned
from harness.faults.place import Place, RuleTable
from impls.hand import AdaptiveAvgPool2d, Conv1d, ConvTranspose2d, Einsum
from impls.hand.layers.indexing import scattered, taken


def other_convolution_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _with_kernels(place: Place) -> Iterator[Fault]:
    """At a rule that reads W."""
    W, layer, right = place.names["W"], place.layer, place.link
    along = tuple(range(2, len(layer.kernels)))
    if prod(layer.kernels[2:]) > 1:
        text = f"{W} is flipped: {place.at} takes the last weight of a window where its first belongs"
        flipped = lambda t: right({**t, W: np.flip(t[W], along)})  # noqa: E731
        yield place.fault("kernel flipped", text, f"{place.at} with flip({W})", flipped)
    if (groups := layer.groups) > 1:
        text = f"each group of channels gets the kernels of the next one of {groups}"
        turned = lambda t: right({**t, W: groups_turned(t[W], groups)})  # noqa: E731
        yield place.fault("kernels of another group", text, f"{place.at} with {W} of the next group", turned)


def _of_output(place: Place) -> Iterator[Fault]:
    yield from bias_faults(place, f"{place.names['x']} * {place.names['W']}")
    yield from _with_kernels(place)


def _of_weights(place: Place) -> Iterator[Fault]:
    layer, right, at = place.layer, place.link, place.at
    along = tuple(range(2, len(layer.kernels)))
    if prod(layer.kernels[2:]) > 1:
        text = f"{at} is flipped: its first entry belongs to the last weight of a kernel"
        yield place.fault("kernel flipped", text, f"flip({at})", lambda t: np.flip(right(t), along))
    if (groups := layer.groups) > 1:
        text = f"each group of kernels gets the gradient of the next one of {groups}"
        turned = lambda t: groups_turned(right(t), groups)  # noqa: E731
        yield place.fault("kernels of another group", text, f"{at} of the next group", turned)
    yield from _over_windows(place)


def _over_windows(place: Place) -> Iterator[Fault]:
    """At a sum over places: of the windows, which are the entries of x where the convolution is transposed."""
    transposed = isinstance(place.layer, ConvTranspose2d) and place.link.local == "dW"
    places = prod(place.network.tensors[place.names["x" if transposed else "z"]].sized(1)[2:])
    if places > 1:
        text = f"{place.at} is the mean over {places} places of an input, where their sum belongs"
        yield place.fault("mean over the windows", text, f"{place.at} / {places}", lambda t: place.link(t) / places)


def _of_pooled(place: Place) -> Iterator[Fault]:
    x, ds = place.names["x"], place.names["ds"]
    windows, entries = place.layer.pairs(place.network.tensors[x].sized(1)[2:])
    if len(entries) > prod(place.layer.made):
        text = f"every entry of a window gets all of {ds}"

        def whole(t: Mapping[str, Any]) -> Any:
            rows = t[ds].reshape(prod(t[ds].shape[:2]), -1)
            return scattered(taken(rows, windows), entries, prod(t[x].shape[2:])).reshape(*t[x].shape)

        yield place.fault("whole upstream for every entry", text, f"{ds} at every entry of its window", whole)


def _exchanged(place: Place) -> Iterator[Fault]:
    for name in place.link.inputs:
        shape = place.network.tensors[name].shape
        for i, j in combinations(range(1, len(shape)), 2):
            if shape[i] == shape[j] != 1:
                order = list(range(len(shape)))
                order[i], order[j] = j, i
                text = f"axes {i} and {j} of {name} are exchanged"
                turned = lambda t, name=name, order=order: place.link({**t, name: np.transpose(t[name], order)})  # noqa: E731
                yield place.fault("not transposed", text, f"{place.at} with {name} transposed", turned)


_CONVOLUTION = {"z": _of_output, "dx": _with_kernels, "dW": _of_weights, "db": _over_windows}
_FAULTS: RuleTable = {
    Conv1d: _CONVOLUTION,
    ConvTranspose2d: _CONVOLUTION,
    AdaptiveAvgPool2d: {"dx": _of_pooled},
    Einsum: {"s": _exchanged, "dp": _exchanged, "dq": _exchanged},
}
