"""Rules of LayerNorm: one bound for all formulas that frameworks use, of rows as in `rules.rows`.

In units of u, n entries in a row, X = |x| + E the largest of a member, M that of its mean:

h          xh g + b, (x - m)(r g) + b                two products and a sum more

dx         r (t - mean t - xh mean(t xh))            the hand code; t = dh g
           r t + b x + c,  c = -b m - r mean t,      torch: b (x - m) with both products rounded, 4 |b| (X + M), and b
           b = (m sum t - sum t x) r^3 / n           itself of sums that cancel, (n + 5) mean(|t| (X + M)) r^3
           r t + 2 x v' / n - (sum r t + 2 m v') / n  JAX, differentiating Flax's: v' = -1/2 r^3 sum t (x - m), the same
                                                     products; where the variance may have been cut off at 0 nothing
                                                     goes through it, and the third term may be missing

dg         sum_n dh xh, dh (x - m) r               dh (x - m) may be flushed before r is multiplied: r eta of each row

What is flushed to zero, or is a subnormal number of float16, is off by eta, and what it is multiplied by afterwards
multiplies that: r g by x - m in h, dh (r g) in dx, and every factor of the sums there.

Sources: as of `rules.rows`; the unions are derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, rounded_bound, rule_for
from harness.arithmetic.loops import where
from harness.arithmetic.profile import profile_of
from harness.arithmetic.rules.elementwise import propagated_by_factors
from harness.arithmetic.rules.rows import Rows, entry, mean_of, rows_of, xh_of
from harness.arithmetic.rules.sums import compounded, sum_in
from impls.hand.layers.layer_norm import layer_norm, layer_norm_gain_vjp, layer_norm_vjp, standardised


@rule_for(standardised, terms=2)
def standardised_(x: Bounded, eps: float) -> Bounded:
    rows = rows_of(x, eps)
    value = in_blocks(xh_of, rows.x, rows.m, rows.r)
    return x.context.rounded(value, rows.xh_error, 0.0, underflows=2 * (1 + rows.R))


@rule_for(layer_norm_gain_vjp)
def layer_norm_gain_vjp_(dh: Bounded, x: Bounded, eps: float) -> Bounded:
    rows, context = rows_of(x, eps), x.context
    xh = rows.x, rows.m, rows.r
    value = in_blocks(times_xh, dh.value, *xh)
    bound = in_blocks(
        _bound_of_times_xh, value, dh.value, dh.bound, *xh, rows.xh_error, 2 * (1 + rows.R),
        context.profile.largest / 2, context.rounding(0.0), context.rounding(),
    )  # fmt: skip
    # What rows have for a gain meets there.
    total = sum_in(context.profile.u_met, Bounded(value, bound, context), axis=0)
    return total.widened(2 * context.profile.eta * rows.R.sum(axis=0))


def times_xh(dh: Any, x: Any, m: Any, r: Any) -> Any:
    """What an entry has for its gain."""
    return dh * xh_of(x, m, r)


def _bound_of_times_xh(
    value: Any, dh: Any, dh_bound: Any, x: Any, m: Any, r: Any, xh_error: Any, flushed: Any, most: float,
    of_xh: tuple[Any, ...], rounding: tuple[Any, ...],
) -> Any:  # fmt: skip
    xh = xh_of(x, m, r)
    propagated = propagated_by_factors(dh, xh, dh_bound, rounded_bound(xh, xh_error, flushed, *of_xh))
    # dh (x - m) may overflow, however small r makes it.
    first = (np.abs(dh) + dh_bound) * (np.abs(x - m) + xh_error / r)
    return rounded_bound(value, where(first <= most, propagated, np.inf), 1.0, *rounding)


@rule_for(layer_norm, terms=2)
def layer_norm_(x: Bounded, g: Bounded, b: Bounded, eps: float) -> Bounded:
    return affine(rows_of(x, eps), x, g, b)


def affine(rows: Rows, x: Bounded, g: Bounded, b: Bounded, *, besides: float = 0.0) -> Bounded:
    """xh g + b.

    Args:
        besides: how often more b is rounded, in units of u of a member.
    """
    context, u = x.context, rows.u
    value = in_blocks(_affine, g.value, b.value, rows.x, rows.m, rows.r)
    of_b = b.bound + (u + besides * context.profile.u) * (np.abs(b.value) + b.bound)
    # (x - m) r may be flushed and then multiplied by g, or r g, which may overflow, by x - m, x and m.
    flushed, most = 4 * context.profile.eta, context.profile.largest / rows.R
    bound = in_blocks(
        _bound_of_affine, value, g.value, g.bound, of_b, flushed * rows.several, flushed * rows.m_size, most,
        compounded(u, 3), context.rounding(0.0), *rows.entries,
    )  # fmt: skip
    return Bounded(value, bound, context)


def _affine(g: Any, b: Any, x: Any, m: Any, r: Any) -> Any:
    return xh_of(x, m, r) * g + b


def _bound_of_affine(
    value: Any, g: Any, g_bound: Any, of_b: Any, of_X: float, of_row: Any, most: Any, products: float,
    rounding: tuple[Any, ...], *entries: Any,
) -> Any:  # fmt: skip
    xh, error, X = entry(*entries)
    size, gain = np.abs(xh), np.abs(g) + g_bound
    bound = (error + products * (size + error)) * gain + size * g_bound + of_b + (of_X * X + of_row)
    return rounded_bound(value, where(gain <= most, bound, np.inf), 4 * (1 + gain), *rounding)


@rule_for(layer_norm_vjp, terms=3)
def layer_norm_vjp_(dh: Bounded, x: Bounded, g: Bounded, eps: float) -> Bounded:
    return vjp(rows_of(x, eps), dh, x, g)


def vjp(rows: Rows, dh: Bounded, x: Bounded, g: Bounded) -> Bounded:
    """dx."""
    n, context, profile = x.shape[-1], dh.context, dh.context.profile
    u, w, r, R = rows.u, rows.w, rows.r, rows.R
    divided = max(profile_of("float64").constants["divide"], profile.constants["divide"])
    products, upstream, values = compounded(u, 3), (dh.value, dh.as_summand), (dh.value, g.value, rows.x, rows.m, r)
    size, gain = np.abs(g.value), np.abs(g.value) + g.bound

    def of_error(share: float) -> tuple[Any, Any]:
        """How much of |dh|, and of its bound, the error of t is, and such a share of T."""
        return (1 + share) * ((1 + u) * g.bound + u * size) + share * size, (1 + share) * (1 + u) * gain

    a, b = mean_of(in_blocks(_t, dh.value, g.value)), mean_of(in_blocks(_t_xh, *values))
    a_error = mean_of(in_blocks(_weighted, *upstream, *of_error(compounded(u, 1 + divided, w, n))))
    of_sizes, roundings = compounded(u, 3 + divided, w, n) * R, compounded(u, 6 + divided, w, n)
    of_T = roundings, rows.several * of_sizes, rows.m_size * of_sizes
    b_error = mean_of(in_blocks(_error_of_t_xh, *upstream, size, *of_error(0.0), *of_T, *rows.entries))
    A, B = np.abs(a) + a_error, np.abs(b) + b_error
    # An entry is off by so much of |dh| and of its bound, of |xh|, of its error and of X, and besides.
    of_XH, of_sizes = b_error + (products + rows.cut) * B, compounded(u, 4) * R * B
    of_entry = R * of_XH, R * (of_XH + np.abs(b)), R * of_sizes * rows.several
    of_row = R * (a_error + products * A + of_sizes * rows.m_size)
    # JAX multiplies dh by x - m first, and then by g.
    reach = in_blocks(_weighted, *upstream, np.maximum(gain, 1), np.maximum(gain, 1))
    dh_most, gain_most = (each.max(axis=-1, keepdims=True) for each in (reach, gain))
    powers = (1 + R) * (1 + R) * (1 + R)
    most = np.sqrt(profile.largest / (n * dh_most * powers)) - 1
    most = np.where(np.maximum(gain_most, 1) * powers <= profile.largest, most, -1.0)
    most = (most - rows.m_size) / rows.several  # of X, which makes no difference in rows of one entry
    underflows = (n + 8) * (1 + dh_most) * (1 + gain_most) * (1 + rows.most) ** 2 * powers
    value = in_blocks(_vjp, *values, a, b)
    bound = in_blocks(
        _bound_of_vjp, value, *upstream, g.value, *of_error(products), a, b, R, rows.r_error, *of_entry, of_row, most,
        underflows, context.rounding(2.0, 2.0), *rows.entries,
    )  # fmt: skip
    return Bounded(value, bound, context)


def _t(dh: Any, g: Any) -> Any:
    return dh * g


def _t_xh(dh: Any, g: Any, x: Any, m: Any, r: Any) -> Any:
    return dh * g * xh_of(x, m, r)


def _inner(dh: Any, g: Any, xh: Any, a: Any, b: Any) -> Any:
    return dh * g - a - xh * b


def _vjp(dh: Any, g: Any, x: Any, m: Any, r: Any, a: Any, b: Any) -> Any:
    return r * _inner(dh, g, xh_of(x, m, r), a, b)


def _weighted(dh: Any, dh_bound: Any, of_size: Any, of_bound: Any) -> Any:
    """So much of |dh| and of its bound."""
    return np.abs(dh) * of_size + dh_bound * of_bound


def _error_of_t_xh(
    dh: Any, dh_bound: Any, g_size: Any, of_size: Any, of_bound: Any, roundings: float, of_X: Any, of_row: Any,
    *entries: Any,
) -> Any:  # fmt: skip
    """What an entry adds to that of mean(t xh)."""
    t_error, (xh, error, X) = _weighted(dh, dh_bound, of_size, of_bound), entry(*entries)
    size = np.abs(xh)
    of_T = error + roundings * (size + error) + of_X * X + of_row
    return (np.abs(dh) * g_size + t_error) * of_T + t_error * size


def _bound_of_vjp(
    value: Any, dh: Any, dh_bound: Any, g: Any, of_dh: Any, of_bound: Any, a: Any, b: Any, R: Any, r_error: Any,
    of_xh: Any, of_error: Any, of_X: Any, of_row: Any, most: Any, underflows: Any, rounding: tuple[Any, ...],
    *entries: Any,
) -> Any:  # fmt: skip
    xh, error, X = entry(*entries)
    bound = _weighted(dh, dh_bound, of_dh, of_bound) * R + np.abs(_inner(dh, g, xh, a, b)) * r_error
    bound = bound + np.abs(xh) * of_xh + error * of_error + X * of_X + of_row
    return rounded_bound(value, where(most >= X, bound, np.inf), underflows, *rounding)
