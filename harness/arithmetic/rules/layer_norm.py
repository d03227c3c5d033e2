"""Rules of LayerNorm: one bound for all formulas that frameworks use, the row's mean and variance among them.

In units of u, n entries in a row, X = |x| + E the largest of a member, M that of its mean, e the error of the mean. All
is told to first order and computed without leaving an order out (`sums.compounded`): u may be 2^-8 and n large.

mean       sum / n                                   (n - 1) mean X + c_div M
           running, m += (x - m) / k (torch)         (n/2 + 8) max X: the k-th update is off by u (|m| + 6 |x - m| / k)
                                                     at most, and later ones shrink that to k/n of it; no x - m is
                                                     larger than 2 X + e: e <= K X / (1 - K), K = (n/2 + 8) u (1 + u)^2,
                                                     and unbounded where K is 1
variance   mean (x - m)^2, two passes                2 sigma e + e^2 + (n + 5) v; plain composition
           running, v += (x - m)(x - m') (Welford)   2 sqrt(2) sigma e + 2 e^2 + (n + 5) v, since the squares of all
                                                     x_k - m_(k-1) add up to 2 n v at most
           max(mean x^2 - m^2, 0) (Flax)             (n + 3) mean X^2 + 2 e M + e^2 + 2 M^2, absolute
rstd       1 / sqrt(s), rsqrt(s), s = v + eps        sqrt(s / (s - E_s)) - 1, s - E_s no less than eps, because no
                                                     variance is below 0; 1 - sqrt(s / (s + E_s)); and
                                                     max(c_rsqrt, c_sqrt + c_div) itself
xh         (x - m) r                                 |x - m| E_r + E_m r + 2 |xh|
           x r - m r  (torch's dg)                   2 (X + M) r more

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

In a row of one entry x - m, and with it xh, is exactly 0, whatever the mean is computed by. A form that multiplies x
and m by r first, or by b, cancels there what it should not have made: it is admitted of rows of two entries or more.

The float64 centre is one of these programs too: u stands for that of the dtype plus 2^-53, for every bound here grows
at least in proportion to it. What n is multiplied with above is the unit roundoff of what is summed, which may be less.
Where mean and rstd are kept for the gradients in fewer digits than they were computed in, both are rounded once more.

Sources: torch's aten/src/ATen/native/cpu/layer_norm_kernel.cpp and moments_utils.h (2.13); flax/linen/normalization.py
(use_fast_variance); error of running variances: Chan, Golub and LeVeque, "Algorithms for computing the sample variance"
(1983); the unions are derived here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.bounded import Bounded, Floats, rule_for
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, Profile, profile_of
from harness.arithmetic.rules.sums import compounded, sum_in
from impls.hand.layers.layer_norm import layer_norm, layer_norm_gain_vjp, layer_norm_vjp, standardised


class Rows(NamedTuple):
    """Rows in float64, with what a member may have instead; (N, ..., K), or (N, ..., 1) of what is one per row."""

    u: float  # unit roundoff of a member and of the centre together
    w: float  # the same, of what is summed
    xh: Floats
    xh_error: Floats
    r: Floats
    r_error: Floats
    sizes: Floats  # X + M, what x r - m r consists of; 0 in rows of one entry
    v: Floats
    v_error: Floats
    spread: Floats  # what the bounds of x do to x - m
    m_error: Floats  # what a member's mean may be off besides

    @property
    def cut(self) -> NDArray[np.bool_]:
        """Whether a member's variance may have been cut off at 0."""
        return self.v <= self.v_error


def _mean(values: Floats) -> Floats:
    return values.mean(axis=-1, keepdims=True)


def deviation(profile: Profile, v: Floats, v_error: Floats, eps: float) -> tuple[Floats, Floats]:
    """r = 1 / sqrt(v + eps), of a v that is not below 0, and how far that of a member may be from it."""
    u = profile.u + UNIT_ROUNDOFF_64
    root = max(max(c["rsqrt"], c["sqrt"] + c["divide"]) for c in (profile.constants, profile_of("float64").constants))
    s = v + eps
    # eps, and the sum, are rounded, and either may be a subnormal number.
    s_error = v_error + compounded(u, 2) * (s + v_error) + 3 * profile.eta
    least = np.maximum(s - s_error, eps * (1 - 4 * u) - 3 * profile.eta)  # an eps below eta may be 0
    r = 1 / np.sqrt(s)
    r_error = r * np.maximum(np.sqrt(s / np.maximum(least, 0)) - 1, 1 - np.sqrt(s / (s + s_error)))
    return r, r_error + compounded(u / (1 - 2 * u), root) * (r + r_error)


def rows_of(x: Bounded, eps: float, *, running: bool = True) -> Rows:
    """Mean, variance and normalised entries of each row, with what a member may have instead.

    Args:
        running: whether a member may compute the mean as a running one.
    """
    # The rules of a layer read the same rows, some of them as a matrix.
    flat = x.reshape(-1, x.shape[-1])
    rows = x.context.once(("rows", eps, running), flat, lambda matrix: _rows_of(matrix, eps, running=running))
    if x.ndim == 2:
        return rows
    entries = {name: each for name, each in rows._asdict().items() if isinstance(each, np.ndarray)}
    shaped: dict[str, Any] = {name: each.reshape(*x.shape[:-1], each.shape[-1]) for name, each in entries.items()}
    return rows._replace(**shaped)


def _rows_of(x: Bounded, eps: float, *, running: bool) -> Rows:
    profile, n = x.context.profile, x.shape[-1]
    u, w = profile.u + UNIT_ROUNDOFF_64, profile.u_sum + UNIT_ROUNDOFF_64
    quotient = max(profile.constants["divide"], profile_of("float64").constants["divide"])
    several = float(n > 1)
    bound = x.as_summand
    m, size = _mean(x.value), np.abs(x.value) + bound
    d, M = x.value - m, np.abs(m) + _mean(bound)
    largest = size.max(axis=-1, keepdims=True)
    # The mean of a member, beyond what the bounds of x do to x - m.
    e, divided = w * (n - 1) * _mean(size), compounded(u, quotient + float(w < u))
    e = several * (e + divided * (M + e) + 2 * profile.eta)
    if running:
        updates = (n / 2 + 8) * w * (1 + w) ** 2
        run = largest * updates / (1 - updates) if updates < 1 else np.full_like(largest, np.inf)
        e = np.maximum(e, several * (run + (u - w) * (M + run)))
    e = e + profile.u_kept * (M + e)
    spread = bound * (1 - 1 / n) + (n * _mean(bound) - bound) / n
    d_error = (spread + e) * (1 + u) + u * np.abs(d) + several * profile.eta
    v = _mean(np.square(d))
    moved = _mean(spread * (2 * np.abs(d) + spread))
    welford = np.sqrt(8 * (v + moved)) * e + 2 * np.square(e)
    welford = welford + compounded(u, 4 + quotient, w, n) * (v + moved + welford)
    fast = compounded(u, 2 + quotient, w, n) * _mean(np.square(size))
    fast = fast + 2 * M * e + np.square(e) + u * np.square(M + e)
    fast = fast + u * (v + moved + fast)
    v_error = moved + np.maximum(welford, fast) + 5 * profile.eta  # squares, their sum and what is made of it
    r, r_error = deviation(profile, v, v_error, eps)
    if profile.u_kept and profile.stored is not None:
        r_error = np.where(r + r_error <= profile.stored[-1], r_error + profile.u_kept * (r + r_error), np.inf)
    r_error = np.where(n * np.square(largest) <= profile.largest, r_error, np.inf)  # where a square may overflow
    sizes, xh = several * (size + M), d * r
    xh_error = np.abs(d) * r_error + (d_error + 2 * u * sizes) * (r + r_error)
    xh_error = xh_error + u * (np.abs(xh) + xh_error)
    return Rows(u, w, xh, xh_error, r, r_error, sizes, v, v_error, spread, e)


@rule_for(standardised, terms=2)
def standardised_(x: Bounded, eps: float) -> Bounded:
    return _standardised(rows_of(x, eps), x)


def _standardised(rows: Rows, x: Bounded) -> Bounded:
    return x.context.rounded(rows.xh, rows.xh_error, 0.0, underflows=2 * (1 + rows.r + rows.r_error))


@rule_for(layer_norm_gain_vjp)
def layer_norm_gain_vjp_(dh: Bounded, x: Bounded, eps: float) -> Bounded:
    rows = rows_of(x, eps)
    flushed = x.context.profile.eta * (rows.r + rows.r_error).sum(axis=0)
    # What rows have for a gain meets there.
    return sum_in(x.context.profile.u_met, dh * _standardised(rows, x), axis=0).widened(2 * flushed)


@rule_for(layer_norm, terms=2)
def layer_norm_(x: Bounded, g: Bounded, b: Bounded, eps: float) -> Bounded:
    return affine(rows_of(x, eps), x, g, b)


def affine(rows: Rows, x: Bounded, g: Bounded, b: Bounded) -> Bounded:
    """xh g + b."""
    value = rows.xh * g.value + b.value
    gain, shift = np.abs(g.value) + g.bound, np.abs(b.value) + b.bound
    propagated = rows.xh_error * gain + np.abs(rows.xh) * g.bound + b.bound
    local = compounded(rows.u, 3) * (np.abs(rows.xh) + rows.xh_error) * gain + rows.u * shift
    # (x - m) r may be flushed and then multiplied by g, or r g, which may overflow, by x - m, x and m.
    local = np.where((rows.r + rows.r_error) * gain <= x.context.profile.largest, local, np.inf)
    underflows = 4 * (1 + gain + rows.sizes)
    return x.context.rounded(value, propagated + local, 0.0, underflows=underflows)


@rule_for(layer_norm_vjp, terms=3)
def layer_norm_vjp_(dh: Bounded, x: Bounded, g: Bounded, eps: float) -> Bounded:
    return vjp(rows_of(x, eps), dh, x, g)


def vjp(rows: Rows, dh: Bounded, x: Bounded, g: Bounded) -> Bounded:
    """dx."""
    n = x.shape[-1]
    u, r, XH, R = rows.u, rows.r, np.abs(rows.xh) + rows.xh_error, rows.r + rows.r_error
    divided = max(profile_of("float64").constants["divide"], dh.context.profile.constants["divide"])
    t, gain = dh.value * g.value, np.abs(g.value) + g.bound
    t_error = np.abs(dh.value) * g.bound + dh.as_summand * gain
    t_error = t_error + u * (np.abs(t) + t_error)
    T = np.abs(t) + t_error
    a, b = _mean(t), _mean(t * rows.xh)
    a_error = _mean(t_error) + compounded(u, 1 + divided, rows.w, n) * _mean(T)
    b_error = _mean(T * rows.xh_error + t_error * np.abs(rows.xh))
    b_error = b_error + compounded(u, 6 + divided, rows.w, n) * _mean(T * XH)
    b_error = b_error + compounded(u, 3 + divided, rows.w, n) * _mean(T * rows.sizes) * R
    A, B = np.abs(a) + a_error, np.abs(b) + b_error
    inner = t - a - rows.xh * b
    error = t_error + a_error + XH * b_error + rows.xh_error * np.abs(b)
    error = error + compounded(u, 3) * (T + A + XH * B) + compounded(u, 4) * rows.sizes * R * B
    error = error + np.where(rows.cut, XH * B, 0.0)
    bound = error * R + np.abs(inner) * rows.r_error
    # JAX multiplies dh by x - m first, and then by g.
    upstream = (np.abs(dh.value) + dh.as_summand) * np.maximum(gain, 1)
    dh_most, gain_most, most = (each.max(axis=-1, keepdims=True) for each in (upstream, gain, rows.sizes))
    reach = np.maximum(n * dh_most * (1 + rows.sizes) ** 2, np.maximum(gain_most, 1)) * (1 + R) ** 3
    bound = np.where(reach <= dh.context.profile.largest, bound, np.inf)
    underflows = (n + 8) * (1 + dh_most) * (1 + gain_most) * (1 + most) ** 2 * (1 + R) ** 3
    return dh.context.rounded(r * inner, bound, 2.0, centre=2.0, underflows=underflows)
