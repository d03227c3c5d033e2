"""Rules of dot products and matrix products, valid for any order of summation.

    dot product     M - N + u M + (n - 1) u P + 2 n eta         M = A(X) A(Y), N = |X| |Y|, matrix products

with u that of the accumulation, u_acc, and P the largest magnitude that a partial sum can have, as in `rules.sums`: n u
for dot products in any order (Jeannerod and Rump, "Improved error bounds for inner products in floating-point
arithmetic", SIAM J. Matrix Anal. Appl. 34 (2013)). M - N = |X| E_Y + E_X A(Y) is what the operands' bounds can do. The
float64 centre is such a sum too: 2^-53 N + (n - 1) 2^-53 P.

A product with a single number c may be regrouped by a compiler: it reads what a program shows as fl(a b) as
a (b c), before its last rounding, and rounds b c instead (XLA's algebraic simplifier makes one factor of two
broadcast scalars). One rounding of the operand and one of the product more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import INFLATION, TINY_64, Bounded, Context, Floats, rule_for
from harness.arithmetic.loops import most, where
from harness.arithmetic.operands import Operands
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, Profile
from harness.arithmetic.tensor_cores import BlockDot
from harness.arithmetic.threads import threads_for
from harness.formats import FORMATS
from impls.hand.layers.convolution import transposed_convolution

Product = Callable[[Any, Any], Any]


class ProductSums(NamedTuple):
    """Sums of products, and all that `summed_bound` is told of them."""

    value: Floats
    exact: Any
    of_y: Any
    of_x: Any
    scales: tuple[float, ...]
    rooms: tuple[float, ...]
    coefficients: tuple[float, ...]


@rule_for(np.matmul)
def matmul(x: Bounded, y: Bounded) -> Bounded:
    return _as_bounded(matrix_product(x, y), x.context, x.shape[-1])


def matrix_product(x: Bounded, y: Bounded) -> ProductSums:
    """What its bound is made of, for those that go on with it."""
    with threads_for(x.size * y.shape[-1]):
        return _of_products(x.context.matmul, np.matmul, x.shape[-1], x, y, single=1 in (x.size, y.size))


@rule_for(transposed_convolution)
def transposed_convolution_(dz: Bounded, W: Bounded, windows: Any, image: Any, groups: int) -> Bounded:
    """One sum for each entry of the image, of as many products as windows and outputs have for it."""
    terms = windows.overlap * len(W.value) // groups

    def product(x: Floats, y: Floats) -> Floats:
        return transposed_convolution.body(x, y, windows, image, groups)  # type: ignore[attr-defined]

    with threads_for(dz.size * W.size // len(W.value)):
        return _as_bounded(_of_products(product, product, terms, dz, W, single=False), dz.context, terms)


def _as_bounded(products: ProductSums, context: Context, terms: int) -> Bounded:
    bound = in_blocks(summed_bound, *products)
    return Bounded(products.value, bound, context, _times_rounded(context.profile, terms))


def _of_products(
    of_values: Product, product: Product, terms: int, x: Bounded, y: Bounded, *, single: bool
) -> ProductSums:
    """Sums of so many products of an entry of x and one of y; of a single one times all others, it may be regrouped.

    `of_values` may know products of values and magnitudes, which do not depend on bounds.
    """
    context, p = x.context, x.context.profile
    context.products += 1
    value = of_values(x.value, y.value)
    summed = terms, value.size
    sizes = [_from_above(of_values, summed, x.value, y.value, context.operands), NOTHING, NOTHING]
    x_bound, y_bound = x.as_factor, y.as_factor
    regrouped = (x.contracted or y.contracted) and single
    if regrouped:
        x_bound, y_bound = x.as_summand, y.as_summand
    if p.block:
        x_bound, y_bound = x_bound + p.block.read(x.value, x_bound), y_bound + p.block.read(y.value, y_bound)
        sizes[0] = _raised(p.block, product, summed, sizes[0], (np.abs(x.value), x_bound), (np.abs(y.value), y_bound))
    # |X| E_Y + E_X A(Y): products of what is not negative, so that nothing cancels.
    if any(y_bound.strides) and y_bound.any():
        sizes[1] = _from_above(product, summed, x.value, y_bound, context.operands)
    if any(x_bound.strides) and x_bound.any():
        sizes[2] = _from_above(product, summed, x_bound, np.abs(y.value) + y_bound)
    products, scales, rooms = zip(*sizes, strict=True)
    coefficients = _coefficients(p, terms, 2 if regrouped else 1)
    exact, of_y, of_x = products
    return ProductSums(value, exact, of_y, of_x, scales, rooms, coefficients)


def _raised(
    block: BlockDot, product: Product, summed: tuple[int, int], exact: Scaled, *factors: tuple[Floats, Any]
) -> Scaled:
    """M, where the exponents of some factors are larger than they are.

    A term may then count for more than it is, by D of them all. It is no larger than (M + |V|) / 2 + D, which is what P
    is with M + 2 D in place of M.
    """
    counted = [block.raised(size, bound) for size, bound in factors]
    if all(each is size for each, (size, _) in zip(counted, factors, strict=True)):
        return exact
    x, y = counted
    return Scaled(2 * _from_above(product, summed, x, y).back - exact.back)


def _times_rounded(profile: Profile, terms: int) -> int:
    """How often what such a sum begins with is rounded, in units of u of the accumulation."""
    block = profile.block
    return terms if block is None else math.ceil(block.rounding(terms) * block.growth(terms) / profile.u_acc)


@lru_cache(maxsize=1024)
def _coefficients(profile: Profile, terms: int, roundings: int) -> tuple[float, ...]:
    """Of `summed_bound`.

    Twice P is at most M + |V| + 2 n u M, of the centre, whose whole sum is known to n roundings only, 3 n 2^-53 M
    instead; and at most 2 M. M of a member is that of the centre and `propagated`. On tensor cores a product is exact,
    and (n - 1) u stands for what `tensor_cores` says; a partial sum may then be a little larger than M.
    """
    u, own, block = profile.u_acc, UNIT_ROUNDOFF_64, profile.block
    product, added, growth = (u, (terms - 1) * u, 1.0)
    if block is not None:
        product, added, growth = 0.0, block.rounding(terms), block.growth(terms)
    slack, each = 1 + 2 * terms * own, (added + (terms - 1) * own) / 2
    spread = 1 + min(2 * max((product + added) * growth, 1.5 * terms * own), 2 * growth - 1)
    products = product + (roundings - 1) * profile.u  # what is regrouped is rounded to the dtype on the way
    of_magnitude = INFLATION * slack * (products + own + each * spread)
    of_value = INFLATION * (slack * each + own)
    of_propagated = INFLATION * slack * (slack * (products + own + each * spread) + each + 1)
    underflows = INFLATION * (2 * terms * profile.eta + TINY_64)
    last = INFLATION * profile.roundings_after(u) * profile.u
    # M, |V| and what is propagated are no larger than the bound by their factors.
    certain = profile.largest / 8 * min(of_magnitude, of_value, of_propagated, 1.0)
    return of_magnitude, of_value, of_propagated, underflows, last, slack, spread, profile.largest, certain


class Scaled(NamedTuple):
    """A product of magnitudes, no entry of which is too small once it is scaled back; None is 0."""

    product: NDArray[Any] | None
    scale: float = 1.0
    room: float = 0.0

    @property
    def back(self) -> Any:
        """Its entries, in float64."""
        return 0.0 if self.product is None else in_blocks(scaled_back, self.product, self.scale, self.room)


NOTHING = Scaled(None)


def scaled_back(product: Any, scale: float, room: float) -> Any:
    """Nothing was scaled where there is no room."""
    return product * scale + room if room else product


def carried_by(of_y: Any, of_x: Any, scales: tuple[float, ...], rooms: tuple[float, ...]) -> Any:
    """What is propagated, entry by entry: |X| E_Y + E_X A(Y)."""
    carried = 0.0
    if of_y is not None:
        carried = scaled_back(of_y, scales[1], rooms[1])
    if of_x is not None:
        carried = carried + scaled_back(of_x, scales[2], rooms[2])
    return carried


def summed_bound(
    value: Any,
    exact: Any,
    of_y: Any,
    of_x: Any,
    scales: tuple[float, ...],
    rooms: tuple[float, ...],
    coefficients: tuple[float, ...],
) -> Any:
    """The bound of such a sum, entry by entry: linear in M, `exact`, |V| and M - N of members, what is propagated.

    Args:
        of_y, of_x: |X| E_Y and E_X A(Y), which are propagated; these and `exact` as `Scaled`, in this order.
    """
    of_magnitude, of_value, of_propagated, underflows, last, slack, spread, largest, certain = coefficients
    magnitude = scaled_back(exact, scales[0], rooms[0])
    size, bound = np.abs(value), magnitude * of_magnitude
    bound += of_value * size
    carried = carried_by(of_y, of_x, scales, rooms)
    bound += of_propagated * carried
    bound += underflows
    if last:
        bound += last * (size + bound)
    if most(bound) <= certain:
        return bound
    partial = ((magnitude + carried * slack) * spread + size + carried) / 2
    return where((partial <= largest) & (size + bound <= largest), bound, np.inf)


OWN = Operands()
"""Of arrays that nobody else reads."""

WORTH_SINGLE, MOST_PER_ENTRY = 2**22, 32
"""Multiply-adds, and so many for each entry of the operands, from which on a product of magnitudes is computed in
float32: to scale an entry takes as long as to multiply and add a few dozen times."""


def _from_above(product: Product, summed: tuple[int, int], x: Floats, y: Floats, operands: Operands = OWN) -> Scaled:
    """A product of magnitudes, no entry too small: where it is large, in float32, at half the price.

    With both operands scaled by powers of two to at most 1, what is rounded to float32 is off by u of itself, or by
    the smallest normal number where that is flushed, and the product by n u of itself and n such numbers, or by two
    roundings more, see `Products.near`. `summed` are the terms of each sum, and how many sums there are.
    """
    terms, sums = summed
    if terms * sums < max(WORTH_SINGLE, MOST_PER_ENTRY * (x.size + y.size)):
        return Scaled(product(operands.magnitude(x), operands.magnitude(y)))
    single = FORMATS["float32"]
    x_single, y_single = operands.single(x), operands.single(y)
    if not all(1e-100 < each.largest < 1e100 for each in (x_single, y_single)):
        return Scaled(product(np.abs(x), np.abs(y)))
    back = 2.0 ** (x_single.power + y_single.power)
    scale = back * (1 + 2 * (terms + 4) * single.u)
    return Scaled(product(x_single.scaled, y_single.scaled), scale, back * 4 * terms * single.smallest_normal)
