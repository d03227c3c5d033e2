"""Screening: whether what an edited link gives may be what is shown, by one number or a few of them.

Nearly every edit is refuted by the entry that is furthest from what it should be. Of a link that is shown itself that
entry is read off. Behind a link of the backward pass everything is affine in what the link gives, so that one entry of
the tensor that shows it is

    c + sum_i g_i v_i        v what the link gives, g found by making each v_i 1 in turn, once for all edits of the link

Elsewhere a few entries are computed with the edit planted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np

from harness.diagnosis.hypotheses import Planted, residual
from harness.evaluation.strides import EVERY_ENTRY, Stride
from impls.contract import Array
from impls.graph import Link

NEAR = 1e-3
"""Off by more of the largest entry, an edit does not give the numbers, in whatever dtype."""
FEW = 8
"""Rows, or columns, that are computed where they can be apart."""
MOST_BASIS = 1_000
"""Entries of a link that are made 1 in turn."""


class Screen:
    """One entry, or a few, of a wrong tensor, given what a link gives that leads to it."""

    def __init__(self, link: Link, tensor: str, now: Planted) -> None:
        self.link, self.tensor, self.now = link, tensor, now
        self.actual = now.shown[tensor]
        self.size = float(np.abs(self.actual).max())
        with np.errstate(all="ignore"):
            off = np.abs(self.actual - now.floats.expected[tensor])
        self.worst = np.unravel_index(int(np.argmax(off)), off.shape)

    def passes(self, value: Array) -> bool:
        """Whether the numbers may be those shown."""
        if self.link.output == self.tensor:
            return self._near(float(value[self.worst]))
        if self._affine is not None:
            constant, slopes = self._affine
            return self._near(constant + float(slopes @ np.ravel(value)))
        predicted = self._predicted(value, self._few)
        return predicted is not None and residual(self._part, predicted, self.size) <= NEAR

    def _near(self, number: float) -> bool:
        return bool(abs(number - float(self.actual[self.worst])) <= NEAR * self.size)

    def _predicted(self, value: Array, stride: Stride) -> Any:
        return self.now.floats.predicted(self.link.output, partial(_given, value), [self.tensor], stride).get(
            self.tensor
        )

    @cached_property
    def _affine(self) -> tuple[float, Array] | None:
        """The entry as a constant and its slopes; None where it is not affine, or the link gives too much."""
        right = np.asarray(self.now.floats.expected[self.link.output], np.float64)
        if self.link.of is None or right.size > MOST_BASIS:
            return None

        def entry(value: Array) -> float:
            return float(self._predicted(value, EVERY_ENTRY)[self.worst])

        constant, basis = entry(0 * right), np.eye(right.size)
        slopes = np.array([entry(one.reshape(right.shape)) - constant for one in basis])
        return (constant, slopes) if np.isfinite(slopes).all() else None

    @cached_property
    def _few(self) -> Stride:
        """A few of the entries that a link gives apart, one that is wrong among them."""
        outside, link = self.now.outside(self.tensor), self.now.point.network.link[self.tensor]
        if not link.slices:
            return EVERY_ENTRY
        every = max(1, outside.shape[link.axis] // FEW)
        wrong = np.argwhere(outside)
        return Stride(every, int(wrong[0][link.axis]) % every if len(wrong) else 0)

    @cached_property
    def _part(self) -> Array:
        return self.now.floats.part(self.tensor, self.actual, self._few)


def _given(value: Array, _: Mapping[str, Any]) -> Array:
    return value
