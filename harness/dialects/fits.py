"""Fits: the factor c and the penalty's slope k in ``c g + k d(w)``, read off one gradient of a weight.

    g      the gradient that the loss has without either
    d(w)   w for an L2 penalty, sign(w) for L1

Each entry is known to within E, and so c and k are to within the sums of the rows of |A^+| E, A^+ the pseudoinverse of
the columns g/E and d/E. Three entries tell both numbers and bear them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.arithmetic import profile_of
from harness.dialects.given import given_forward
from harness.evaluation.point import Point
from harness.faults.penalties import slope_total
from impls.contract import Array

DIRECTIONS: Mapping[str, Callable[[Array], Array]] = {"l2": np.asarray, "l1": np.sign}
"""What a penalty adds to the gradient of a weight, but for its slope."""
OPERATIONS = 6
"""Roundings between a weight and its gradient with a penalty: of c, the product, 1/2, N, the factor and the sum."""
MOST_ENTRIES = 400
"""Entries of a gradient that are asked."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Seen:
    """Entries of a gradient that is shown.

    Attributes:
        actual, bound: the entries, and how far rounding may have taken them.
        weight: of the same entries, where it is the gradient of one.
        every: the step between the entries.
    """

    name: str
    actual: Array
    bound: Array
    weight: Array | None
    every: int

    @property
    def size(self) -> int:
        """How many entries there are."""
        return int(self.actual.size)

    def of(self, tensor: Array) -> Array:
        """The same entries of another tensor of that name."""
        return np.ravel(np.asarray(tensor, np.float64))[:: self.every]


@dataclass(frozen=True)
class Fit:
    """Factor and slope, each with how far it may be off, and how far the worst entry is off, in units of its bound."""

    factor: float
    factor_off: float
    slope: float
    slope_off: float
    off: float


def seen_in(point: Point, shown: Mapping[str, Array]) -> Iterator[Seen]:
    """The gradients that are shown, those nearest to the loss first."""
    network, centre, u = point.network, given_forward(point, shown), profile_of(point.dtype).u
    for link in network.backward_links:
        name = link.output
        if name not in shown:
            continue
        actual, right = np.ravel(np.asarray(shown[name], np.float64)), centre[name]
        every = max(1, actual.size // MOST_ENTRIES)
        bound = 2 * right.bound + OPERATIONS * u * (np.abs(right.value) + np.abs(np.reshape(actual, right.value.shape)))
        weight = point.weights.get(str(link.of))
        of = None if weight is None else np.ravel(np.asarray(weight, np.float64))[::every]
        yield Seen(name, actual[::every], np.ravel(bound)[::every], of, every)


def fitted(seen: Seen, right: Array, kind: str | None) -> Fit | None:
    """Factor and slope with which a gradient is what is shown; None where they are not told, or nothing bears them out.

    Args:
        right: the gradient without either.
        kind: of the penalty; none for a factor alone.
    """
    columns = [seen.of(right)]
    if kind is not None and seen.weight is not None:
        columns.append(DIRECTIONS[kind](seen.weight))
    known = seen.bound > 0
    if np.count_nonzero(known) <= len(columns):
        return None
    with np.errstate(invalid="ignore"):  # what is infinite is so in both
        matrix = np.stack([column[known] / seen.bound[known] for column in columns], axis=1)
        told = seen.actual[known] / seen.bound[known]
    if not (np.isfinite(matrix).all() and np.isfinite(told).all()):
        return None
    inverse = np.linalg.pinv(matrix)
    numbers, offs = inverse @ told, np.abs(inverse).sum(axis=1)
    off = np.abs(matrix @ numbers - told)
    if np.any(offs >= np.abs(numbers)):
        return None
    allowed = 1 + np.abs(matrix) @ offs
    factor, slope = [*numbers, 0.0][:2]
    factor_off, slope_off = [*offs, 0.0][:2]
    return Fit(float(factor), float(factor_off), float(slope), float(slope_off), float(np.max(off / allowed)))


def total_of(point: Point, kind: str, *, biases: bool) -> float:
    """What a penalty of slope 1 adds to the loss: half the squares, or the sizes, of the weights."""
    return slope_total(kind, [w for w in point.weights.values() if biases or w.ndim > 1])
