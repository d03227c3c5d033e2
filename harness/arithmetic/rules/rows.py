"""Rows of mean 0 and variance 1, which every norm is made of: one bound for all formulas that frameworks use.

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

In a row of one entry x - m, and with it xh, is exactly 0, whatever the mean is computed by. A form that multiplies x
and m by r first, or by b, cancels there what it should not have made: it is admitted of rows of two entries or more.

The float64 centre is one of these programs too: u stands for that of the dtype plus 2^-53, for every bound here grows
at least in proportion to it. What n is multiplied with above is the unit roundoff of what is summed, which may be less.
Where mean and rstd are kept for the gradients in fewer digits than they were computed in, both are rounded once more.

All that is not one number for each row is made where it is needed, of x: to read that once more takes less time than to
write another array of its size and to read it. A sum along a row is NumPy's, of one array that a formula filled.

Sources: torch's aten/src/ATen/native/cpu/layer_norm_kernel.cpp and moments_utils.h (2.13); flax/linen/normalization.py
(use_fast_variance); error of running variances: Chan, Golub and LeVeque, "Algorithms for computing the sample variance"
(1983); the unions are derived here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, Floats
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, Profile, profile_of
from harness.arithmetic.rules.sums import compounded


class Rows(NamedTuple):
    """Rows in float64, with what a member may have instead; (N, ..., K), or (N, ..., 1) of what is one per row."""

    u: float  # unit roundoff of a member and of the centre together
    w: float  # the same, of what is summed
    several: float  # 0 in rows of one entry, else 1
    x: Floats
    bound: Floats  # of what a sum reads
    m: Floats
    m_error: Floats  # what a member's mean may be off besides what the bounds of x do to x - m
    r: Floats
    r_error: Floats
    v: Floats
    v_error: Floats
    most: Floats  # the largest X + M of the row; 0 in rows of one entry
    own: float  # of the bound of x, and
    moved: Floats | float  # besides, what moves x - m: see `spread_of`
    xh_error: Floats
    m_size: Floats  # M; 0 in rows of one entry

    @property
    def cut(self) -> NDArray[np.bool_]:
        """Whether a member's variance may have been cut off at 0."""
        return self.v <= self.v_error

    @property
    def R(self) -> Floats:
        """The largest r of a member."""
        return self.r + self.r_error

    @property
    def spread(self) -> Floats:
        """What the bounds of x do to x - m."""
        return in_blocks(spread_of, self.bound, self.own, self.moved)

    @property
    def sizes(self) -> Floats:
        """X + M, what x r - m r consists of; 0 in rows of one entry."""
        return self.several * in_blocks(size_of, self.x, self.bound) + self.m_size

    @property
    def entries(self) -> tuple[Any, ...]:
        """What formulas make `entry` of."""
        return self.x, self.bound, self.m, self.r, self.xh_error


def xh_of(x: Any, m: Any, r: Any) -> Any:
    """A normalised entry."""
    return (x - m) * r


def entry(x: Any, x_bound: Any, m: Any, r: Any, xh_error: Any) -> tuple[Any, Any, Any]:
    """xh, how far that of a member may be from it, and X."""
    return xh_of(x, m, r), xh_error, size_of(x, x_bound)


def _xh_error(x: Any, x_bound: Any, m: Any, of_distance: Any, of_size: Any, of_bound: Any, besides: Any) -> Any:
    return of_distance * np.abs(x - m) + of_size * size_of(x, x_bound) + (of_bound * x_bound + besides)


def spread_of(x_bound: Any, own: float, moved: Any) -> Any:
    """What bounds do to x - m: (1 - 1/n) E and 1/n of all others, which is (1 - 2/n) E + mean E; 0 where n is 1."""
    return own * x_bound + moved


def size_of(x: Any, x_bound: Any) -> Any:
    """The largest magnitude of a member."""
    return np.abs(x) + x_bound


def _squared_distance(x: Any, m: Any) -> Any:
    return (x - m) * (x - m)


def _moved_square(x: Any, x_bound: Any, m: Any, own: float, moved: Any) -> Any:
    """What bounds do to (x - m)^2."""
    spread = spread_of(x_bound, own, moved)
    return spread * (2 * np.abs(x - m) + spread)


def mean_of(values: Floats) -> Floats:
    """Of each row, as numpy.mean."""
    mean: Floats = np.add.reduce(values, axis=-1, keepdims=True) / values.shape[-1]
    return mean


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
    several, bound, exact = float(n > 1), x.as_summand, x.known_unrounded
    m, size = mean_of(x.value), in_blocks(size_of, x.value, bound)
    mean_bound = 0.0 if exact else mean_of(bound)
    own, moved = several * (1 - 2 / n), several * mean_bound
    M, largest = np.abs(m) + mean_bound, size.max(axis=-1, keepdims=True)
    # The mean of a member, beyond what the bounds of x do to x - m.
    e, divided = w * (n - 1) * mean_of(size), compounded(u, quotient + float(w < u))
    e = several * (e + divided * (M + e) + 2 * profile.eta)
    if running:
        updates = (n / 2 + 8) * w * (1 + w) ** 2
        run = largest * updates / (1 - updates) if updates < 1 else np.full_like(largest, np.inf)
        e = np.maximum(e, several * (run + (u - w) * (M + run)))
    e = e + profile.u_kept * (M + e)
    v = mean_of(in_blocks(_squared_distance, x.value, m))
    v_moved = 0.0 if exact else mean_of(in_blocks(_moved_square, x.value, bound, m, own, moved))
    welford = np.sqrt(8 * (v + v_moved)) * e + 2 * np.square(e)
    welford = welford + compounded(u, 4 + quotient, w, n) * (v + v_moved + welford)
    fast = compounded(u, 2 + quotient, w, n) * np.einsum("ij,ij->i", size, size)[:, None] / n
    fast = fast + 2 * M * e + np.square(e) + u * np.square(M + e)
    fast = fast + u * (v + v_moved + fast)
    v_error = v_moved + np.maximum(welford, fast) + 5 * profile.eta  # squares, their sum and what is made of it
    r, r_error = deviation(profile, v, v_error, eps)
    if profile.u_kept and profile.stored is not None:
        r_error = np.where(r + r_error <= profile.stored[-1], r_error + profile.u_kept * (r + r_error), np.inf)
    r_error = np.where(n * np.square(largest) <= profile.largest, r_error, np.inf)  # where a square may overflow
    m_size, most = several * M, several * (largest + M)
    # x - m is off by (spread + e) (1 + u) + u |x - m| + eta, and by 2 u (X + M) where it is of products with r.
    off, R = (1 + u) * (moved + e) + several * profile.eta + 2 * u * m_size, (1 + u) * (r + r_error)
    shares = (1 + u) * r_error + u * R + u * r, 2 * u * several * R, (1 + u) * own * R, off * R
    xh_error = in_blocks(_xh_error, x.value, bound, m, *shares)
    return Rows(u, w, several, x.value, bound, m, e, r, r_error, v, v_error, most, own, moved, xh_error, m_size)
