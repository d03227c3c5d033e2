"""Mistakes where one of two tensors is repeated to the shape of the other: its gradient is the sum over the copies.

    dp = sum of copies    only the first copy, only the last; their mean; the sum along another axis, where as many
                          entries are left; the sum over the samples too

Layers as in `impls.hand.layers.broadcasting` and `impls.hand.layers.matrix_product`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place


def broadcasting_faults(place: Place) -> Iterator[Fault]:
    """Mistakes in the sum over the copies of what is repeated."""
    axes = place.repeated
    if not axes:
        return
    at, own, right = place.at, str(place.link.of), place.link
    shape = place.network.tensors[place.names["s"]].sized(1)
    count, where = prod(shape[axis] for axis in axes), f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
    copies = _copies_of(place)
    for which, entry in (("first", slice(None, 1)), ("last", slice(-1, None))):
        cut = tuple(entry if axis in axes else slice(None) for axis in range(len(shape)))
        text = f"only the {which} of the {count} copies of {own} along {where} counts in {at}"
        yield place.fault("one copy only", text, f"{at} of the {which} copy", partial(_taken, copies, cut))
    text = f"{at} is the mean over the {count} copies of {own} along {where}, where their sum belongs"
    yield place.fault("mean for sum", text, f"{at} / {count}", lambda t: right(t) / count)
    for axis in axes:
        for other in set(range(1, len(shape))) - set(axes):
            if shape[other] == shape[axis]:
                wrong = tuple(sorted({*axes, other} - {axis}))
                text = f"{at} is summed along axis {other}, where {own} is repeated along axis {axis}"
                rule = lambda t, wrong=wrong: copies(t).sum(axis=wrong).reshape(*t[own].shape)  # noqa: E731
                yield place.fault("summed along another axis", text, f"sum along axis {other}", rule)
    text = f"{at} is summed over the samples too: every row of it is the same"
    same = lambda t: 0 * right(t) + right(t).sum(axis=0, keepdims=True)  # noqa: E731
    yield place.fault("summed over the samples", text, f"sum of {at} over the samples", same)


def _taken(copies: Callable[[Mapping[str, Any]], Any], cut: tuple[slice, ...], t: Mapping[str, Any]) -> Any:
    return +copies(t)[cut]


def _copies_of(place: Place) -> Callable[[Mapping[str, Any]], Any]:
    """What each copy sends back: the rule, where as many entries are given as there are copies."""
    own, ds = str(place.link.of), place.names["ds"]
    axes = place.repeated

    def copies(t: Mapping[str, Any]) -> Any:
        shape = list(t[own].shape)
        for axis in axes:
            shape[axis] = t[ds].shape[axis]
        return place.link({**t, own: np.broadcast_to(t[own], tuple(shape))})

    return copies
