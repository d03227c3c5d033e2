"""Recomputed: a compiler may compute once more what a link reads, for that link alone, and by other roundings.

A kernel that reads a normalisation, say, may hold a copy of it, whose sums run in another order and whose products are
contracted otherwise. The tensor that is shown and the one that was read are then two members of one bound, apart by
twice that at most. So are the tensors that these were computed from, back to what is given and to matrix products,
which are computed once, by a library.

Source: XLA's instruction fusion duplicates what is cheaper to compute again than to write and read.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, Profile
from harness.arithmetic.bounded import adds_terms
from harness.evaluation.centre import alone, parts_of
from impls.contract import Array
from impls.graph import Graph, Link


class Sums:
    """Of each tensor that is a sum and is read, what may be rounded in it besides itself, added up.

    A compiler that computes such a sum once more for whoever reads it need not contract it alike: not the products in
    it, nor what a part is made of. Two members of a sum differ by twice its bound at most. It is known where all that
    the sum is made of is, and found when it is asked for.

    Args:
        shown: of all tensors those that one program made and shows.
    """

    def __init__(self, network: Graph, tensors: Mapping[str, Array], shown: Container[str], profile: Profile) -> None:
        self._network, self._tensors, self._shown, self._profile = network, tensors, shown, profile
        self._found: dict[str, Array | None] = {}

    def get(self, name: str, /) -> Array | None:
        """Of one tensor; None where it is not known, or the tensor is no sum."""
        if name not in self._found:
            link = self._network.link.get(name)
            self._found[name] = None if link is None else self._of(link, None)
        return self._found[name]

    def take(self, link: Link, whole: Bounded) -> None:
        """Take in what a link gives, which need not be made again."""
        self._found[link.output] = self._of(link, whole)

    def _of(self, link: Link, whole: Bounded | None) -> Array | None:
        if link.output not in self._network.readers:
            return None
        parts = parts_of(self._network, link, self._tensors)
        reads = [name for part in (*parts.values(), link) for name in part.inputs if name not in parts]
        if not all(name in self._tensors for name in (link.output, *reads)):
            return None
        with np.errstate(all="ignore"):
            if parts:
                made = [self._made_by(part) for part in parts.values()]
                return np.asarray(np.sum([np.abs(part.value) + self._within(part) for part in made], axis=0))
            if adds_terms(link.rule):
                return self._within(self._made_by(link) if whole is None else whole)
            if link.of and all(self.get(name) is not None for name in link.inputs):
                passed = self._made_by(link) if whole is None else whole
                return None if passed.parts is None else self._within(passed)  # moved only, or passed on as it is
        return None

    def _made_by(self, link: Link) -> Bounded:
        return alone(link, self._tensors, self._profile, self._shown, sums=self)

    def _within(self, made: Bounded) -> Array:
        if made.parts is None:
            return 2 * made.bound / self._profile.u
        return np.broadcast_to(made.parts, made.shape)


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
