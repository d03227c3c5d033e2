"""Products of matrices that were computed before: of the very same entries none is computed twice.

The centre of a point is wanted for several dtypes. Its values are the same for all of them, and so are products of
magnitudes; only what is multiplied with bounds is not.

What implementations multiply is not the same, but apart by roundings only. Of magnitudes, of which no more is wanted
than a number that is not too small, one product will do for all of them:

    |x| |y| <= |X| |Y| + max |x - X| sum |y| + sum |X| max |y - Y|     the largest of a row of x, of a column of y
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.operands import Operands

PROBE = 61
"""So many entries, spread over a matrix, tell most of them apart: what is kept is found by them, however much it is."""

NEAR = 2.0**-10
"""How far magnitudes of at most 1 may be apart for the product of the ones to serve the others."""

SINGLE = np.dtype(np.float32)


class Products:
    """Products of matrices, kept with what was multiplied, none of which may be written to.

    Those in float32 are of magnitudes of at most 1, and wanted from above, see `rules.dot_products`.
    """

    def __init__(self, operands: Operands | None = None) -> None:
        self._operands = operands or Operands()
        self._kept: dict[Any, list[tuple[Any, Any, Any]]] = {}

    def kept(self, x: Any, y: Any) -> Any:
        """A product that is asked for again."""
        return self._product(x, y, keep=True)

    def recalled(self, x: Any, y: Any) -> Any:
        """A product that was asked for before, or else is computed, and kept only where others have both operands."""
        return self._product(x, y, keep=self._shared(x, y))

    def near(self, x: Any, y: Any) -> Any:
        """A product that is recalled; of magnitudes one that is not too small, by what is known of others near by.

        Two roundings of float32 may be missing.
        """
        if x.dtype != SINGLE or x.ndim != 2:
            return self.recalled(x, y)
        for known_x, known_y, result in self._alike(x, y):
            x_apart, y_apart = _apart(known_x, x, along=1), _apart(known_y, y, along=0)
            if max(x_apart.max(), y_apart.max()) <= NEAR:
                return in_blocks(_raised, result, x_apart, _sums(y, 0), _sums(known_x, 1), y_apart, dtype=SINGLE)
        return self.recalled(x, y)

    def forget(self) -> None:
        """Keep those only of which others have both operands, and of magnitudes."""
        for key, products in list(self._kept.items()):
            self._kept[key] = [each for each in products if each[0].dtype == SINGLE or self._shared(*each[:2])]

    def _alike(self, x: Any, y: Any) -> Iterator[tuple[Any, Any, Any]]:
        """What is kept of magnitudes, of these shapes, that may be near."""
        probes = [np.frombuffer(probe, SINGLE) for _, probe in _key(x, y)[1:]]
        for (dtype, *operands), products in self._kept.items():
            if dtype == SINGLE and [shape for shape, _ in operands] == [x.shape, y.shape]:
                known = [np.frombuffer(probe, SINGLE) for _, probe in operands]
                if all(np.abs(one - other).max() <= NEAR for one, other in zip(known, probes, strict=True)):
                    yield from products

    def _product(self, x: Any, y: Any, *, keep: bool) -> Any:
        known = self._kept.get(key := _key(x, y), ())
        for known_x, known_y, result in known:
            if _same(known_x, x) and _same(known_y, y):
                return result
        result = x @ y
        if keep:
            self._kept.setdefault(key, []).append((x, y, result))
        return result

    def _shared(self, x: Any, y: Any) -> bool:
        return self._operands.shares(x) and self._operands.shares(y)


def _key(x: Any, y: Any) -> Any:
    return x.dtype, *((each.shape, each.flat[:: each.size // PROBE + 1].tobytes()) for each in (x, y))


def _same(known: Any, other: Any) -> bool:
    return known is other or bool(np.array_equal(known, other))


def _apart(known: Any, other: Any, along: int) -> Any:
    """How far magnitudes are apart, at most, along an axis, but for a rounding."""
    return np.abs(known - other).max(axis=along, keepdims=True)


def _sums(magnitudes: Any, along: int) -> Any:
    return magnitudes.sum(axis=along, keepdims=True, dtype=np.float64)


def _raised(product: Any, x_apart: Any, y_sum: Any, x_sum: Any, y_apart: Any) -> Any:
    """The product of others that are so far apart, from above, entry by entry: see above."""
    return product + (1 + 2.0**-20) * (x_apart * y_sum + x_sum * y_apart)
