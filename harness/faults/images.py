"""Mistakes of layers that lay windows on images: convolution and pooling.

    z  = x * W + b            the kernel flipped; the kernels of another group; b left out, subtracted, added twice
    dx = full(dz) * flip(W)   W as it is; outputs and inputs not exchanged; the kernels of another group; the padding
                              not taken off again; dz not spread by the stride, or by the dilation
    dW = windows(x)^T dz      flipped; of another group; of windows that begin without the padding, one beside the
                              other, or of entries that lie together; the mean over the windows, as of db

    s  = max, mean            the mean for the largest and the largest for the mean
    dx = what is put back     all of ds for every entry of a window; of windows that overlap the last one only

Formulas as in `impls.hand.layers.convolution` and `impls.hand.layers.pooling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.forward import bias_faults
from harness.faults.place import Place, RuleTable
from impls.graph import Rule
from impls.hand import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
from impls.hand.layers.convolution import with_channels_exchanged
from impls.hand.layers.windows import put_back


def image_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def with_options(layer: Any, **options: Any) -> Any:
    """The layer with other options."""
    return type(layer)(**{name: getattr(layer, name) for name in signature(type(layer)).parameters} | options)


def _at_the_front(array: Any, size: tuple[int, int]) -> Any:
    """Images with zeros behind them, or cut there, so that they have a size."""
    array = array[:, :, : size[0], : size[1]]
    return np.pad(array, ((0, 0), (0, 0), *((0, n - had) for n, had in zip(size, array.shape[2:], strict=True))))


def groups_turned(array: Any, groups: int) -> Any:
    """The kernels (axis 0) of the next group in place of each group's own."""
    return array[np.roll(np.arange(len(array)), -(len(array) // groups))]


def _of_output(place: Place) -> Iterator[Fault]:
    right, x, W, layer = place.link, place.names["x"], place.names["W"], place.layer
    yield from bias_faults(place, f"{x} * {W}")
    if max(layer.windows.kernel) > 1:
        text = f"{W} is flipped, where it belongs on the windows as it is (a cross-correlation)"
        yield place.fault("kernel flipped", text, f"{x} * flip({W})", lambda t: right({**t, W: np.flip(t[W], (2, 3))}))
    yield from _of_another_group(place, W)


def _of_another_group(place: Place, W: str) -> Iterator[Fault]:
    if (groups := place.layer.groups) > 1:
        text = f"each group of channels gets the kernels of the next one of {groups}"
        turned = lambda t: place.link({**t, W: groups_turned(t[W], groups)})  # noqa: E731
        yield place.fault("kernels of another group", text, f"{place.at} with {W} of the next group", turned)


def _of_input(place: Place) -> Iterator[Fault]:
    right, layer, at = place.link, place.layer, place.at
    dz, W, x = (place.names[local] for local in ("dz", "W", "x"))
    if max(layer.windows.kernel) > 1:
        text = f"{W} is not flipped: {at} takes the last weight of a window where its first belongs"
        unflipped = lambda t: right({**t, W: np.flip(t[W], (2, 3))})  # noqa: E731
        yield place.fault("kernel not flipped", text, f"full({dz}) * {W}", unflipped)
    if layer.inputs == layer.outputs > layer.groups:
        text = f"inputs and outputs of {W} are not exchanged"
        as_is = lambda t: right({**t, W: with_channels_exchanged(t[W], layer.groups)})  # noqa: E731
        yield place.fault("not transposed", text, f"full({dz}) * flip({W}), not transposed", as_is)
    yield from _of_another_group(place, W)
    if _padded(place):
        bare = with_options(layer, padding=0)
        text = f"the padding is not taken off again: {at} is the first rows and columns of the padded image's gradient"
        whole = lambda t: bare.dx(t[dz], t[W], layer.windows.padded(t[x]))[:, :, : t[x].shape[2], : t[x].shape[3]]  # noqa: E731
        yield place.fault("padding forgotten", text, f"full({dz}) * flip({W}), not cut", whole)
    for what, dense in _denser(place):
        text = f"the {what} is ignored: {at} is that of windows with {what} 1"
        rule = lambda t, dense=dense: dense.dx(_laid_out(dense, t[dz], t[x]), t[W], t[x])  # noqa: E731
        yield place.fault(f"{what} ignored", text, f"full({dz}) * flip({W}) with {what} 1", rule)


def _of_weights(place: Place) -> Iterator[Fault]:
    right, layer, at = place.link, place.layer, place.at
    dz, x = place.names["dz"], place.names["x"]
    if max(layer.windows.kernel) > 1:
        text = f"{at} is flipped: its first entry belongs to the last weight of a kernel"
        yield place.fault("kernel flipped", text, f"flip({at})", lambda t: np.flip(right(t), (2, 3)))
    if (groups := layer.groups) > 1:
        text = f"each group of kernels gets the gradient of the next one of {groups}"
        turned = lambda t: groups_turned(right(t), groups)  # noqa: E731
        yield place.fault("kernels of another group", text, f"{at} of the next group", turned)
    if _padded(place):
        bare = with_options(layer, padding=0)

        def moved(t: Mapping[str, Any]) -> Any:
            size = layer.windows.padded(t[x]).shape[2:]
            return bare.dW(t[dz], _at_the_front(t[x], size))

        text = f"the padding is forgotten: the windows begin at the first row and column of {x}"
        yield place.fault("padding forgotten", text, f"{at} with the padding behind {x} only", moved)
    for what, dense in _denser(place):
        text = f"the {what} is ignored: {at} is that of windows with {what} 1"
        rule = lambda t, dense=dense: dense.dW(_laid_out(dense, t[dz], t[x]), t[x])  # noqa: E731
        yield place.fault(f"{what} ignored", text, f"{at} with {what} 1", rule)
    yield from _of_windows(place)


def _of_windows(place: Place) -> Iterator[Fault]:
    z = place.network.tensors[place.names["z"]].sized(1)
    if (count := z[2] * z[3]) > 1:
        text = f"{place.at} is the mean over the {count} windows of an image, where their sum belongs"
        mean: Rule = lambda t: place.link(t) / count  # noqa: E731
        yield place.fault("mean over the windows", text, f"{place.at} / {count}", mean)


def _padded(place: Place) -> bool:
    image = place.network.tensors[place.names["x"]].sized(1)[2:]
    return any(map(any, place.layer.windows.frame(image)))


def _denser(place: Place) -> Iterator[tuple[str, Any]]:
    """The layer with stride 1, and with dilation 1, where it has another; padding "same" is another one then."""
    layer = place.layer
    for what in ("stride", "dilation"):
        if max(getattr(layer.windows, what)) > 1 and layer.windows.padding is not None:
            yield what, with_options(layer, **{what: 1})


def _laid_out(dense: Conv2d, dz: Any, x: Any) -> Any:
    """dz as if it were of the first windows of a layer with more of them."""
    return _at_the_front(dz, dense.windows.count(x.shape[2:]))


def _of_reduction(place: Place) -> Iterator[Fault]:
    x, layer = place.names["x"], place.layer
    if isinstance(layer, GlobalAvgPool2d):
        text = f"the largest entry of each image of {x} is taken, where the network has the mean"
        yield place.fault("another operation", text, f"max of {x}", lambda t: t[x].max(axis=3).max(axis=2))
        return
    largest = isinstance(layer, MaxPool2d)
    other = (AvgPool2d if largest else MaxPool2d)(layer.kernel, layer.stride, layer.padding)
    told, right = ("mean", "largest entry") if largest else ("largest entry", "mean")
    text = f"the {told} of each window of {x} is taken, where the network has the {right}"
    yield place.fault("another operation", text, f"{told} of {x}", lambda t: other.forward(t[x]))


def _of_pooled(place: Place) -> Iterator[Fault]:
    x, ds, at, layer = place.names["x"], place.names["ds"], place.at, place.layer
    text = f"every entry of a window gets all of {ds}"
    if isinstance(layer, GlobalAvgPool2d):
        whole = lambda t: place.link(t) * float(np.prod(t[x].shape[2:]))  # noqa: E731
        yield place.fault("sum for mean", f"{at} is not divided by the number of entries", f"{ds} of its image", whole)
        return
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


_POOLING = {"s": _of_reduction, "dx": _of_pooled}
_FAULTS: RuleTable = {
    Conv2d: {"z": _of_output, "dx": _of_input, "dW": _of_weights, "db": _of_windows},
    MaxPool2d: _POOLING,
    AvgPool2d: _POOLING,
    GlobalAvgPool2d: _POOLING,
}
