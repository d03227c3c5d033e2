"""Recomputed: a compiler may compute once more what a link reads, for that link alone, and by other roundings.

A kernel that reads a normalisation, say, may hold a copy of it, whose sums run in another order and whose products are
contracted otherwise. The tensor that is shown and the one that was read are then two members of one bound, apart by
twice that at most. So are the tensors that these were computed from, back to what is given and to matrix products,
which are computed once, by a library.

Source: XLA's instruction fusion duplicates what is cheaper to compute again than to write and read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, Profile
from impls.contract import Array
from impls.graph import Graph, Link


def recomputed(network: Graph, link: Link, tensors: Mapping[str, Array], profile: Profile) -> Bounded:
    """What a link may give where each tensor that it reads may have been computed once more from those before."""
    context, found = Context(profile), dict[str, Any]()

    def read(name: str) -> Any:
        if name not in found:
            found[name] = again(name) if tensors[name].dtype.kind not in "iu" else tensors[name]
        return found[name]

    def again(name: str) -> Bounded:
        shown, before = context.shown(tensors[name]), network.link.get(name)
        if before is None or not all(each in tensors for each in before.inputs):
            return shown
        reads = [read(each) for each in before.inputs]
        products = context.products
        made = before.rule(*reads)
        return shown.widened(2 * made.bound) if context.products == products else shown

    with np.errstate(all="ignore"):
        return link.read(link.rule(*map(read, link.inputs)), tensors)
