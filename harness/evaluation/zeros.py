"""Gradients that are 0 in exact numbers, as that of a bias before a batch norm, so that what is there is rounding.

At points near by it is rounded otherwise, and such a number changes by as much as it is. A gradient that is not 0
changes by its condition times the distance, a share of itself however small it is and however wide its allowance. Of
each entry the smaller of the changes to both sides counts, since an argument on a kink leaves it to one side only.

Where every neuron is saturated float64 holds no digit of a gradient either. That is no 0 but a point at which nothing
can be seen; so it must be the same at another point, where no number is larger than 1.

Source: Parker, "Monte Carlo arithmetic" (1997), on telling digits from rounding by points near by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from impls.contract import Array, is_real

ULPS = 4
"""Largest number of ulp by which a number is moved."""
SHARE = 4
"""So many times the largest change is still rounding: at a few points it may be small by chance."""
PAIRS = 4
"""Points to both sides."""


class Move(NamedTuple):
    """To a point near by: reals are multiplied by 1 plus a few `ulp`, in directions by the number of the pair.

    Attributes:
        elsewhere: whether from the point itself, or from another one, where reals are of the same signs and at most 1.
    """

    pair: int
    ulp: float
    elsewhere: bool

    def each(self) -> Callable[[Array], Array]:
        """What moves one array after the other, of every kind of number, in the order in which they come."""
        rng, away = np.random.default_rng([self.pair, 0]), np.random.default_rng([0, 1])

        def moved(array: Array) -> Array:
            if not is_real(array):
                return array
            begin = array.astype(np.float64)
            if self.elsewhere:
                begin = begin / max(1.0, np.abs(begin).max(initial=0.0)) * away.uniform(0.5, 1.0, array.shape)
            return begin * (1 + self.ulp * rng.integers(-ULPS, ULPS + 1, array.shape))

        return moved


def vanishes(at: Callable[[Move], Array], u: float) -> bool:
    """Whether a gradient, in float64, is 0 but for rounding, where what it is made from has this unit roundoff."""
    with np.errstate(all="ignore"):
        return all(_rounding_only(at, u, elsewhere) for elsewhere in (False, True))


def _rounding_only(at: Callable[[Move], Array], u: float, elsewhere: bool) -> bool:
    value, changed = at(Move(0, 0.0, elsewhere)), 0.0
    for pair in range(PAIRS):
        least = np.minimum(*(np.abs(at(Move(pair, way * 2 * u, elsewhere)) - value) for way in (1, -1)))
        changed = max(changed, float(np.max(least, initial=0.0)))
        if np.all(np.abs(value) <= SHARE * changed):  # NaN is not
            return True
    return False
