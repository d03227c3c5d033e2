"""Rules of the cross-entropies on logits: one bound for all formulas that frameworks use.

cross-entropy'   (p sum y - y)/N, p sum y/N - y/N, and the frameworks' g - exp(log p) sum g with g = -y/N.

weighted         q and D are sums and products of weights, in any order: 5 u q, n u D of n rows

Sources: formulas as in torch's derivatives.yaml and ATen kernels, jax.lax and jax.nn; the unions are derived here.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, rounded_bound, rule_for
from harness.arithmetic.loops import where
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from harness.arithmetic.rules.softmax import bound_of_softmax, softmax_and_errors
from impls.hand.losses.cross_entropy import one_hot_cross_entropy_vjp, softmax_cross_entropy_vjp
from impls.hand.losses.weighted import over_weights, soft_targets


@rule_for(soft_targets)
def soft_targets_(a: Bounded, q: Any) -> Bounded:
    return a.context.constant(q).widened(5 * a.context.profile.u * np.abs(q))


@rule_for(over_weights)
def over_weights_(total: Bounded, weight: float, rows: int) -> Bounded:
    return total / total.context.constant(weight).widened(rows * total.context.profile.u_sum * weight)


@rule_for(softmax_cross_entropy_vjp)
def softmax_cross_entropy_vjp_(a: Bounded, y: Any) -> Bounded:
    target = in_blocks(_one_hot, np.arange(a.shape[-1]), np.expand_dims(y, -1))
    return _cross_entropy_vjp(a, target, 0.0, (1.0, 1.0, 0.0))


@rule_for(one_hot_cross_entropy_vjp)
def one_hot_cross_entropy_vjp_(a: Bounded, y: Bounded) -> Bounded:
    sums = (each.sum(axis=-1, keepdims=True) for each in (y.value, np.abs(y.value) + y.bound, y.bound))
    return _cross_entropy_vjp(a, y.value, y.bound, sums)


def _one_hot(column: Any, label: Any) -> Any:
    return where(column == label, 1.0, 0.0)


def _cross_entropy_vjp(a: Bounded, y: Any, y_bound: Any, sums: Iterable[Any]) -> Bounded:
    """`sums` are those of y, of its magnitude in any member, and of its bound."""
    *rows_along, classes = a.shape
    rows, u, context = prod(rows_along), a.context.profile.u, a.context
    of_y, total, of_bound = sums
    p, *others = softmax_and_errors(a)
    value = in_blocks(_over_rows, p, y, of_y, rows)
    # In units of u: p/N takes part in sum g (n - 1), in exp(log p) * sum g, a division and a product; y's
    # share is rounded once or divided by a reciprocal; the difference is rounded, and divided where the
    # division comes last.
    centre = UNIT_ROUNDOFF_64 * (profile_of("float64").constants["exp"] + classes)
    constants = rows, (classes + 4) * u, 4 * u, centre
    bound = in_blocks(
        _bound_of_cross_entropy_vjp, value, y, y_bound, total, of_bound, constants, context.rounding(0.0), p, *others
    )
    return Bounded(value, bound, context)


def _over_rows(p: Any, y: Any, of_y: Any, rows: float) -> Any:
    return (p * of_y - y) / rows


def _bound_of_cross_entropy_vjp(
    value: Any,
    y: Any,
    y_bound: Any,
    total: Any,
    of_bound: Any,
    constants: tuple[float, float, float, float],
    rounding: tuple[Any, ...],
    p: Any,
    *others: Any,
) -> Any:
    rows, of_p, four, centre = constants
    bound, target = bound_of_softmax(p, *others), np.abs(y) + y_bound
    largest = p + bound
    propagated = (bound * total + largest * of_bound + y_bound) / rows
    local = (of_p * largest * total + four * target) / rows + four * (np.abs(value) + propagated)
    own = centre * (p * total + target) / rows
    return rounded_bound(value, propagated + local + own, 4.0, *rounding)
