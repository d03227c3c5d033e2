"""Mistakes of convolutions: of images, of sequences, and transposed.

    z  = x * W + b            the kernel flipped; the kernels of another group; b left out, subtracted, added twice
    dx = full(dz) * flip(W)   W as it is; outputs and inputs not exchanged; the kernels of another group; the padding
                              not taken off again; dz not spread by the stride, or by the dilation
    dW = windows(x)^T dz      flipped; of another group; of windows that begin without the padding, one beside the
                              other, or of entries that lie together; the mean over the windows, as of db

A transposed convolution has the rule of z where a convolution has that of dx, and the other way round: its dx is of the
windows of dz, with the mistakes that there are in laying windows, and so is its dW, in which x and dz change places.

Formulas as in `impls.hand.layers.convolution` and `impls.hand.layers.other_convolutions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.forward import bias_faults
from harness.faults.place import Place, RuleTable, with_options
from impls.graph import Rule
from impls.hand import Conv2d, ConvTranspose2d
from impls.hand.layers.convolution import with_channels_exchanged


def convolution_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _images(array: Any) -> Any:
    """Sequences as images of one row."""
    return array[:, :, None] if len(array.shape) == 3 else array


def _at_the_front(array: Any, size: tuple[int, ...]) -> Any:
    """Images with zeros behind them, or cut there, so that they have a size."""
    array = array[(slice(None), slice(None), *(slice(n) for n in size))]
    return np.pad(array, ((0, 0), (0, 0), *((0, n - had) for n, had in zip(size, array.shape[2:], strict=True))))


def _flipped(W: Any) -> Any:
    return np.flip(W, tuple(range(2, len(W.shape))))


def _groups_turned(array: Any, groups: int) -> Any:
    """The kernels (axis 0) of the next group in place of each group's own."""
    return array[np.roll(np.arange(len(array)), -(len(array) // groups))]


def _padded(conv: Conv2d, x: Any) -> Any:
    """x within its frame of zeros."""
    padded = conv.windows.padded(_images(x))
    return padded if len(x.shape) == 4 else padded[:, :, 0]


def _conv_of(place: Place) -> Conv2d:
    """The convolution whose windows are meant: of a transposed one, that which goes the other way."""
    conv: Conv2d = getattr(place.layer, "inner", place.layer)
    return conv


def _several(place: Place) -> bool:
    return max(_conv_of(place).windows.kernel) > 1


def _of_output(place: Place) -> Iterator[Fault]:
    right, x, W = place.link, place.names["x"], place.names["W"]
    yield from bias_faults(place, f"{x} * {W}")
    if _several(place):
        text = f"{W} is flipped, where it belongs on the windows as it is (a cross-correlation)"
        yield place.fault("kernel flipped", text, f"{x} * flip({W})", lambda t: right({**t, W: _flipped(t[W])}))
    yield from _of_another_group(place, W)


def _of_another_group(place: Place, W: str) -> Iterator[Fault]:
    if (groups := place.layer.groups) > 1:
        text = f"each group of channels gets the kernels of the next one of {groups}"
        turned = lambda t: place.link({**t, W: _groups_turned(t[W], groups)})  # noqa: E731
        yield place.fault("kernels of another group", text, f"{place.at} with {W} of the next group", turned)


def _of_input(place: Place) -> Iterator[Fault]:
    right, layer, at = place.link, place.layer, place.at
    dz, W, x = (place.names[local] for local in ("dz", "W", "x"))
    if _several(place):
        text = f"{W} is not flipped: {at} takes the last weight of a window where its first belongs"
        unflipped = lambda t: right({**t, W: _flipped(t[W])})  # noqa: E731
        yield place.fault("kernel not flipped", text, f"full({dz}) * {W}", unflipped)
    if layer.inputs == layer.outputs > layer.groups:
        text = f"inputs and outputs of {W} are not exchanged"
        as_is = lambda t: right({**t, W: with_channels_exchanged(t[W], layer.groups)})  # noqa: E731
        yield place.fault("not transposed", text, f"full({dz}) * flip({W}), not transposed", as_is)
    yield from _of_another_group(place, W)
    if _is_padded(place, x):
        bare = with_options(layer, padding=0)
        text = f"the padding is not taken off again: {at} is the first rows and columns of the padded image's gradient"
        whole = lambda t: _at_the_front(bare.dx(t[dz], t[W], _padded(layer, t[x])), t[x].shape[2:])  # noqa: E731
        yield place.fault("padding forgotten", text, f"full({dz}) * flip({W}), not cut", whole)
    for what, dense in _denser(layer):
        text = f"the {what} is ignored: {at} is that of windows with {what} 1"
        rule = lambda t, dense=dense: dense.dx(_laid_out(dense, t[dz], t[x]), t[W], t[x])  # noqa: E731
        yield place.fault(f"{what} ignored", text, f"full({dz}) * flip({W}) with {what} 1", rule)


def _of_transposed_input(place: Place) -> Iterator[Fault]:
    conv, at, (dz, W, x) = _conv_of(place), place.at, (place.names[local] for local in ("dz", "W", "x"))
    if _several(place):
        text = f"{W} is flipped: {at} takes the last weight of a window where its first belongs"
        yield place.fault("kernel flipped", text, f"{dz} * flip({W})", lambda t: place.link({**t, W: _flipped(t[W])}))
    yield from _of_another_group(place, W)
    if _is_padded(place, dz):
        bare = with_options(conv, padding=0)
        text = f"the padding is forgotten: the windows begin at the first row and column of {dz}"
        moved = lambda t: bare.forward(_at_the_front(t[dz], _padded(conv, t[dz]).shape[2:]), t[W])  # noqa: E731
        yield place.fault("padding forgotten", text, f"{at} with the padding behind {dz} only", moved)
    for what, dense in _denser(conv):
        text = f"the {what} is ignored: {at} is that of windows with {what} 1"
        rule = lambda t, dense=dense: _at_the_front(dense.forward(t[dz], t[W]), t[x].shape[2:])  # noqa: E731
        yield place.fault(f"{what} ignored", text, f"{dz} * {W} with {what} 1", rule)


def _of_weights(place: Place) -> Iterator[Fault]:
    right, conv, at = place.link, _conv_of(place), place.at
    of_windows, image = ("dz", "x") if conv is place.layer else ("x", "dz")
    dz, x = place.names[of_windows], place.names[image]
    if _several(place):
        text = f"{at} is flipped: its first entry belongs to the last weight of a kernel"
        yield place.fault("kernel flipped", text, f"flip({at})", lambda t: _flipped(right(t)))
    if (groups := conv.groups) > 1:
        text = f"each group of kernels gets the gradient of the next one of {groups}"
        turned = lambda t: _groups_turned(right(t), groups)  # noqa: E731
        yield place.fault("kernels of another group", text, f"{at} of the next group", turned)
    if _is_padded(place, x):
        bare = with_options(conv, padding=0)
        text = f"the padding is forgotten: the windows begin at the first row and column of {x}"
        moved = lambda t: bare.dW(t[dz], _at_the_front(t[x], _padded(conv, t[x]).shape[2:]))  # noqa: E731
        yield place.fault("padding forgotten", text, f"{at} with the padding behind {x} only", moved)
    for what, dense in _denser(conv):
        text = f"the {what} is ignored: {at} is that of windows with {what} 1"
        rule = lambda t, dense=dense: dense.dW(_laid_out(dense, t[dz], t[x]), t[x])  # noqa: E731
        yield place.fault(f"{what} ignored", text, f"{at} with {what} 1", rule)
    yield from _mean_over(place, dz)


def _of_bias(place: Place) -> Iterator[Fault]:
    yield from _mean_over(place, place.names["dz"])


def _mean_over(place: Place, windows: str) -> Iterator[Fault]:
    """The mean over the windows, for each of which a tensor has an entry."""
    if (count := prod(place.network.tensors[windows].sized(1)[2:])) > 1:
        text = f"{place.at} is the mean over the {count} windows of an image, where their sum belongs"
        mean: Rule = lambda t: place.link(t) / count  # noqa: E731
        yield place.fault("mean over the windows", text, f"{place.at} / {count}", mean)


def _is_padded(place: Place, images: str) -> bool:
    rows, columns = (1, *place.network.tensors[images].sized(1)[2:])[-2:]
    return any(map(any, _conv_of(place).windows.frame((rows, columns))))


def _denser(conv: Conv2d) -> Iterator[tuple[str, Any]]:
    """The layer with stride 1, and with dilation 1, where it has another; padding "same" is another one then."""
    for what in ("stride", "dilation"):
        if max(getattr(conv.windows, what)) > 1 and conv.windows.padding is not None:
            yield what, with_options(conv, **{what: 1})


def _laid_out(dense: Conv2d, dz: Any, x: Any) -> Any:
    """dz as if it were of the first windows of a layer with more of them."""
    rows, columns = dense.windows.count(_images(x).shape[2:])
    return _at_the_front(dz, (rows, columns)[-(len(x.shape) - 2) :])


_CONVOLUTION = {"z": _of_output, "dx": _of_input, "dW": _of_weights, "db": _of_bias}
_FAULTS: RuleTable = {
    Conv2d: _CONVOLUTION,
    ConvTranspose2d: {**_CONVOLUTION, "dx": _of_transposed_input},
}
