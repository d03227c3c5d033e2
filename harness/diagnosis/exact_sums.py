"""Exact sums: where a layer that sums rounds nothing, in whatever order it sums, as on whole numbers.

Let every product of a weighted sum be a multiple of 2^g. If the magnitudes of products and bias add up to less than
2^(g + p), with p digits, then every partial sum is a multiple of 2^g below that, and so a number of the dtype: no
program rounds. The largest such g is the sum of the exponents of the lowest digits of both factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import Bounded
from harness.arithmetic.bounded import Floats
from impls.graph import Link
from impls.hand import Add, Dense
from impls.hand.layers.dense import rows_of

NO_DIGIT = 5000
"""The exponent of the lowest digit of 0: above every other, so that 0 restricts no grid."""


def exact_where_nothing_rounds(link: Link, tensors: Mapping[str, Any]) -> Any:
    """What a Dense layer's forward link gives, without a bound where no program rounds; plain arrays have none."""
    value = link(tensors)
    if not isinstance(value, Bounded):
        return value
    x, W, *bias = (tensors[name] for name in link.inputs)
    b = bias[0] if bias else Bounded(np.zeros(W.shape[1]), np.zeros(W.shape[1]), value.context)
    x, z = rows_of(x), rows_of(value.value)
    exact = _by_rows_and_columns(x, W, b)
    for column in np.unique(np.nonzero((z == 0) & ~exact)[1]):
        rows = np.nonzero((z[:, column] == 0) & ~exact[:, column])[0]
        exact[rows, column] = _by_terms(x[rows], W[:, column], b[column])
    return Bounded(value.value, np.where(exact.reshape(value.shape), 0.0, value.bound), value.context)


def _sum_of_two(link: Link, tensors: Mapping[str, Any]) -> Bounded:
    """What an Add gives, likewise."""
    value: Bounded = link(tensors)
    p, q = (tensors[name] for name in link.inputs)
    grid = np.minimum(_lowest_digit(p.value), _lowest_digit(q.value))
    exact = (p.bound == 0) & (q.bound == 0) & _fits(np.abs(p.value) + np.abs(q.value), grid, p)
    return Bounded(value.value, np.where(exact, 0.0, value.bound), value.context)


EXACT: Mapping[type, Callable[[Link, Mapping[str, Any]], Bounded]] = {
    Dense: exact_where_nothing_rounds,
    Add: _sum_of_two,
}
"""By class of layer: what its forward link gives, without a bound where no program rounds."""


def _by_rows_and_columns(x: Bounded, W: Bounded, b: Bounded) -> NDArray[np.bool_]:
    """One grid for a row of x and a column of W."""
    grid = np.minimum(
        _lowest_digit(x.value).min(axis=1)[:, None] + _lowest_digit(W.value).min(axis=0), _lowest_digit(b.value)
    )
    known = (x.bound == 0).all(axis=1)[:, None] & (W.bound == 0).all(axis=0) & (b.bound == 0)
    return known & _fits(np.abs(x.value) @ np.abs(W.value) + np.abs(b.value), grid, x)


def _by_terms(x: Bounded, w: Bounded, b: Bounded) -> NDArray[np.bool_]:
    """A grid of its own for each sum: what is multiplied by 0 plays no part in it."""
    used = (w.value != 0) & ((x.value != 0) | (x.bound != 0))
    known = ~(used & ((x.bound != 0) | (w.bound != 0))).any(axis=1) & (w.bound == 0).all() & (b.bound == 0)
    digits = np.where(used, _lowest_digit(x.value) + _lowest_digit(w.value), NO_DIGIT)
    grid = np.minimum(digits.min(axis=1), _lowest_digit(b.value))
    return known & _fits((np.abs(x.value) * np.abs(w.value)).sum(axis=1) + np.abs(b.value), grid, x)


def _fits(total: Floats, grid: NDArray[np.int_], like: Bounded) -> NDArray[np.bool_]:
    profile = like.context.profile
    normal = np.ldexp(1.0, np.minimum(grid, 0)) >= profile.eta
    with np.errstate(over="ignore"):
        return np.asarray((total < np.ldexp(1.0, np.minimum(grid, NO_DIGIT) + profile.digits)) & normal)


def _lowest_digit(values: Floats) -> NDArray[np.int_]:
    """Exponent of the lowest binary digit that is not 0."""
    finite = np.where(np.isfinite(values), values, 0.0)
    mantissa, exponent = np.frexp(np.abs(finite))
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    _, lowest = np.frexp((whole & -whole).astype(np.float64))
    return np.where(finite != 0, exponent - 53 + lowest - 1, NO_DIGIT)
