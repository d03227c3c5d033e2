"""Another loss by more than a factor: a guard in its logarithm, a penalty, and a factor beside them.

A penalty adds k w or k sign(w) to the gradient of each weight w, and the factor c multiplies what was there: both are
read off each gradient of a weight (`fits`), and are what most of these gradients agree on. What the penalty adds to
the loss then tells whether biases have it, and leaves nothing open but how people write it: with or without 1/2, over N
or not. Where a mistake is in every gradient, k is read off the loss alone, and a gradient that it makes right bears it
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.dialects.dialect import Dialect
from harness.dialects.factors import Factor, factors_of
from harness.dialects.fits import DIRECTIONS, Fit, Interval, fitted, seen_in, total_of
from harness.dialects.given import given_forward
from harness.dialects.guards import guarded_losses
from harness.dialects.losses import Rescaled, factors_in, option_for, option_of
from harness.evaluation.point import Point
from harness.faults.penalties import penalty_text, written
from impls.contract import Array
from impls.graph import LOSS
from impls.hand import Penalised, Penalty
from impls.hand.losses.scaled import bare


def other_losses(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """Losses with a penalty, with a guard, or with both, times a constant or not."""
    network = point.network
    if LOSS not in shown or not np.isfinite(shown[LOSS]).all() or network.loss_link.layer is not network.loss:
        return
    said = network.loss.penalty
    yield from _penalised(replace(point, network=network.without_penalty()), shown, "", said)
    for loss in guarded_losses(point, shown):
        at = replace(point, network=network.with_loss(loss))
        says = _guarded(loss)
        right = given_forward(at, shown)[LOSS]
        factors = [None] if right.holds(shown[LOSS]) else list(factors_in(at, shown, [LOSS]))
        for factor in factors:
            yield _dialect(at, factor, {}, says)
        yield from _penalised(replace(at, network=at.network.without_penalty()), shown, says, said)


def _guarded(loss: Any) -> str:
    inner = bare(loss)
    if inner.clip:
        return f"with its probabilities clipped to [{inner.clip:g}, 1 − {inner.clip:g}]"
    return f"with {inner.epsilon:g} added inside the logarithm"


def _penalised(point: Point, shown: Mapping[str, Array], says: str, said: Penalty | None) -> Iterator[Dialect]:
    """Dialects with a penalty, and with a factor or without, where the loss has none; one may have been `said`."""
    right = given_forward(point, shown)
    loss = float(shown[LOSS])
    for kind, number, factors, slope in _read_off(point, shown):
        rest = loss - number * float(right[LOSS].value)
        biases = min((False, True), key=lambda b: abs(rest - sum(slope) / 2 * total_of(point, kind, biases=b)))
        for factor in factors:
            ways = written(kind, slope, point.rows)
            for penalty in sorted(ways, key=lambda way: way[kind] != getattr(said, kind, None)):
                yield _dialect(point, factor, {**penalty, "biases": biases}, says, said)
            if factor and not says:
                yield from _of_the_loss(point, shown, factor, said)
    if not says:
        yield from _of_the_loss(point, shown, None, said)


def unshown_losses(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """Losses with a penalty that the gradients may be of, where no loss is shown that tells."""
    if LOSS in shown or point.network.loss.penalised(point.network.weights):
        return
    for kind, _, factors, slope in _read_off(point, shown):
        for factor in factors:
            for penalty in written(kind, slope, point.rows)[:1]:
                for biases in (False, True):
                    yield _dialect(point, factor, {**penalty, "biases": biases}, "")


def _read_off(point: Point, shown: Mapping[str, Array]) -> Iterator[tuple[str, float, list[Factor | None], Interval]]:
    """Kind and slope of the penalty, and the factor as a number and as what it may be, that the gradients agree on."""
    right, seen = given_forward(point, shown), list(seen_in(point, shown))

    def fits(kind: str | None) -> list[Fit]:
        tried = (fitted(each, right[each.name].value, kind) for each in seen if kind is None or each.weight is not None)
        return [fit for fit in tried if fit and fit.off <= 1 and fit.factor > 0 and fit.slope >= 0]

    plain = fits(None)
    for kind in DIRECTIONS:
        agreed = _agreed([fit for fit in fits(kind) if fit.slope], plain)
        if agreed is None:
            continue
        (least, most), slope = agreed
        number, off = (least + most) / 2, (most - least) / 2
        factors = factors_of(number, off, point.rows, point.network.outputs)
        yield kind, number, [None] if least <= 1 <= most else list(factors), slope


def _agreed(fits: list[Fit], plain: list[Fit]) -> tuple[Interval, Interval] | None:
    """Between which numbers factor and slope lie that most of the fits agree on; None if there are none.

    Args:
        plain: fits of a factor alone, which agree on that.
    """
    best: list[Fit] = []
    most = 0
    for one in sorted(fits, key=lambda fit: fit.slope_off):
        with_it = [f for f in fits if _one_factor(one, f) and abs(one.slope - f.slope) <= one.slope_off + f.slope_off]
        if (count := len(with_it) + sum(_one_factor(one, f) for f in plain)) > most:
            best, most = with_it, count
    if not best:
        return None
    factor = max(f.factor - f.factor_off for f in best), min(f.factor + f.factor_off for f in best)
    slope = max(f.slope - f.slope_off for f in best), min(f.slope + f.slope_off for f in best)
    return (factor, slope) if factor[0] <= factor[1] and slope[0] <= slope[1] else None


def _one_factor(one: Fit, other: Fit) -> bool:
    return abs(one.factor - other.factor) <= one.factor_off + other.factor_off


def _dialect(
    point: Point, factor: Factor | None, penalty: Mapping[str, Any], says: str, said: Penalty | None = None
) -> Dialect:
    """The network's loss, which `says` tells the guard of, times a factor and with a penalty."""
    network, loss = point.network, point.network.loss
    told = [f"for {factor.text} times that loss"] if factor else []
    told += [says] if says else []
    if penalty:
        instead = "in place of the one that was said" if said else f"added to {'it' if told else 'the loss'}"
        told.append(f"with the {penalty_text(**penalty)} {instead}")
    loss = loss if factor is None else Rescaled(loss, factor, point.rows)
    loss = Penalised(loss, **penalty) if penalty else loss
    option = option_for(loss) if factor is None else option_of(network, factor, **penalty)
    return Dialect(says=", ".join(told), network=network.with_loss(loss), of_loss=True, option=option)


def _of_the_loss(
    point: Point, shown: Mapping[str, Array], factor: Factor | None, said: Penalty | None
) -> Iterator[Dialect]:
    """Penalties read off the loss alone, where the gradients do not show one and the same: some may be mistaken."""
    right = given_forward(point, shown)[LOSS]
    by = factor.at(point.rows) if factor else 1.0
    added, off = float(shown[LOSS]) - by * float(right.value), 2 * by * float(right.bound)
    small = any(w.ndim < 2 for w in point.weights.values())
    for kind in DIRECTIONS if added > off else ():
        for biases in (False, True) if small else (False,):
            total = total_of(point, kind, biases=biases)
            slope = ((added - off) / total, (added + off) / total) if total else (0.0, 0.0)
            for penalty in written(kind, slope, point.rows)[:1]:
                yield _dialect(point, factor, {**penalty, "biases": biases}, "", said)
