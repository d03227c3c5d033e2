"""What a single entry of a weight weighs, and which neuron it feeds, for layers that are weighted sums.

Registered by class, because a layer that is derived from one of these may do something else with its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from impls.hand.layers.dense import Dense

Weighed = tuple[int | None, int]
"""The entry of what the layer reads, None for a bias, which weighs 1; and the entry of what the layer gives."""


def _of_dense(local: str, index: tuple[int, ...]) -> Weighed:
    """w_ij weighs x_i and feeds z_j; b_j weighs 1."""
    return (index[0], index[1]) if local == "W" else (None, index[0])


WEIGHED: Mapping[type, Callable[[str, tuple[int, ...]], Weighed]] = {Dense: _of_dense}


def weighed(layer: Any, local: str, index: tuple[int, ...]) -> Weighed | None:
    """What an entry of a layer's weight weighs and feeds; None of a layer that is no weighted sum."""
    found = WEIGHED.get(type(layer))
    return None if found is None else found(local, index)
