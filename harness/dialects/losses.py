"""Another loss: the network's times a constant, in the loss and in every gradient.

    L' = c L        da' = c da        c = L' / L, read off the loss that is shown

A program that does so consistently is right for its own loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import wraps
from typing import Any

import numpy as np

from harness.diagnosis.patterns import ratio
from harness.dialects.dialect import Dialect
from harness.dialects.factors import Factor, factors_of, named_at
from harness.evaluation.point import Point
from impls.contract import Array
from impls.graph import LOSS, TARGET, Graph, Link
from impls.hand import MeanSquaredError, Penalised, Scaled, SumSquaredError
from impls.hand.losses.scaled import bare
from impls.hand.notation import name_of


class Rescaled(Scaled):
    """A loss times a factor that may depend on the number of samples."""

    def __init__(self, loss: Any, factor: Factor, rows: int) -> None:
        super().__init__(bare(loss), factor.at(rows))
        self.loss, self.factor, self.rows = loss, factor, rows

    def times(self, inner: Any, a: Any) -> Any:
        """As `Scaled.times`."""
        return self.factor.times(inner, len(a))


def scaled_losses(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """Dialects in which the loss that is shown is the network's, times a constant."""
    if LOSS not in shown or not np.all(np.isfinite(shown[LOSS])):
        return
    for factor in factors_in(point, shown, [LOSS]):
        network = with_factor(point.network, factor, point.rows)
        option = option_of(point.network, factor)
        yield Dialect(says=f"for {factor.text} times that loss", network=network, of_loss=True, option=option)


def ambiguous(point: Point, number: float) -> str | None:
    """What would make it right that every gradient is so many times the network's, if another loss is meant.

    Nothing where the number is negative: no loss is meant to grow.
    """
    outputs = point.network.outputs
    known = number, 4 * float(np.finfo(point.dtype).eps) * abs(number), point.rows, outputs
    factors = named_at(*known) or factors_of(*known)
    return next((option for factor in factors if (option := option_of(point.network, factor))), None)


def with_factor(network: Graph, factor: Factor, rows: int, *, moved: bool = False) -> Graph:
    """The network with its loss, and so all gradients, times a factor; of the gradients only where it is `moved`."""
    loss = Rescaled(network.loss, factor, rows)
    of_loss = (network.loss,) if moved else (network.loss, getattr(network.loss, "penalty", None))
    links = {}
    for link in network.links:
        if link.layer in of_loss and not (moved and link.of is None):
            layer = loss if link.layer is network.loss else link.layer
            links[link.output] = replace(link, layer=layer, rule=_times(link, factor))
    return network.with_links(links, loss)


def _times(link: Link, factor: Factor) -> Callable[..., Any]:
    @wraps(link.rule)
    def rule(*reads: Any) -> Any:
        return factor.times(link.rule(*reads), len(reads[link.inputs.index(TARGET)]))

    return rule


def factors_in(
    point: Point, shown: Mapping[str, Array], names: Iterable[str], *, negated: bool = False
) -> Iterator[Factor]:
    """What the first of these tensors that is shown as a multiple of the network's own is multiplied by.

    Args:
        negated: whether it may have the wrong sign besides, which is left to be told by itself.
    """
    centre = point.centre(point.dtype).tensors
    for name in names:
        if name in shown and (
            found := ratio(np.asarray(shown[name], np.float64), centre[name].value, centre[name].bound)
        ):
            number, off = found
            yield from factors_of(abs(number) if negated else number, off, point.rows, point.network.outputs)
            return


def option_of(network: Graph, factor: Factor, **penalty: Any) -> str | None:
    """What says on the command line that the loss is meant to be multiplied; None where nothing does.

    A sum of squares and its mean over all entries are one another's multiples, whatever the batch.
    """
    loss = bare(network.loss)
    by = factor.constant * Fraction(getattr(network.loss, "by", 1))
    for kind, power in _SQUARES.items():
        moved = power - _SQUARES.get(type(loss), 0)
        if moved == factor.samples and (moved == 0 or type(loss) in _SQUARES):
            other = loss if moved == 0 else kind()
            return _option(other, by / Fraction(network.outputs) ** moved, penalty)
    return None


_SQUARES: dict[type, int] = {SumSquaredError: 0, MeanSquaredError: -1}
"""Losses that are one another's multiples, and the power of N and of K in each."""


def _option(loss: Any, by: Fraction, penalty: Mapping[str, Any]) -> str:
    loss = loss if by == 1 else Scaled(loss, float(by))
    return option_for(Penalised(loss, **penalty) if penalty else loss)


def option_for(loss: Any) -> str:
    """What says on the command line that this is the loss."""
    text = name_of(loss)
    return f'--loss "{text}"' if "(" in text else f"--loss {text}"
