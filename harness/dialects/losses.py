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

from harness.arithmetic import Bounded
from harness.diagnosis.patterns import ratio
from harness.dialects.dialect import Dialect
from harness.dialects.factors import Factor, factors_of, fraction_text, named_at
from harness.dialects.given import given_forward
from harness.evaluation.point import Point
from harness.formats import FORMATS
from impls.contract import Array
from impls.graph import LOSS, TARGET, Graph, Link
from impls.hand import MeanSquaredError, Penalised, Scaled, SumSquaredError
from impls.hand.losses.scaled import bare, constant_at, power_in
from impls.hand.notation import name_of

MOST_FACTORS = 2
"""Different multiples that are asked for: one tensor may be mistaken."""


class Rescaled(Scaled):
    """A loss times a factor that may depend on the number of samples.

    Attributes:
        divides: what the gradients of the weights are divided by, as text, where it is a factor of the others only.
    """

    def __init__(self, loss: Any, factor: Factor, rows: int, divides: str = "") -> None:
        super().__init__(bare(loss), factor.at(rows))
        self.loss, self.factor, self.rows, self.divides = loss, factor, rows, divides
        self.derivative = loss.derivative and f"{factor.text}·{loss.derivative}"

    def times(self, inner: Any, a: Any) -> Any:
        """As `Scaled.times`."""
        return self.factor.times(inner, len(a))

    def formula(self, output: str, outputs: int) -> str:
        """As `Scaled.formula`."""
        return f"{self.loss.formula(output, outputs)}, times {self.factor.text}"


def scaled_losses(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """Dialects in which the loss that is shown is the network's, times a constant.

    Or it is not, being mistaken, and the gradients are.
    """
    if LOSS not in shown or not np.all(np.isfinite(shown[LOSS])):
        return
    factors = list(factors_in(point, shown, [LOSS]))
    gradients = [link.output for link in point.network.backward_links]
    for factor in dict.fromkeys([*factors, *factors_in(point, shown, gradients)]):
        yield Dialect(
            says=f"for {factor.text} times that loss",
            network=with_factor(point.network, factor, point.rows),
            of_loss=True,
            of_gradients=factor not in factors,
            option=option_of(point.network, factor),
        )


def ambiguous(point: Point, number: float) -> Iterator[Any]:
    """Losses that would make it right that every gradient is so many times the network's, if one of them is meant.

    None where the number is negative: no loss is meant to grow.
    """
    known = number, 8 * FORMATS[point.dtype].u * abs(number), point.rows, point.network.outputs
    named = named_at(*known)
    for factor in [*named, *(factor for factor in factors_of(*known) if factor not in named)]:
        yield _meant(point.network, factor, {})


def with_factor(network: Graph, factor: Factor, rows: int, *, moved: bool = False) -> Graph:
    """The network with its loss, and so all gradients, times a factor; of the gradients only where it is `moved`."""
    loss = Rescaled(network.loss, factor, rows, factor.text if moved else "")
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
    point: Point, shown: Mapping[str, Array], names: Iterable[str], right: Mapping[str, Bounded] | None = None, *,
    negated: bool = False, inverse: bool = False,
) -> Iterator[Factor]:  # fmt: skip
    """What those of these tensors are multiplied by that are shown as multiples of the right ones, in order.

    Args:
        right: given the forward pass that is shown if None.
        negated: whether it may have the wrong sign besides, which is left to be told by itself.
        inverse: whether it is divided by it.
    """
    right = given_forward(point, shown) if right is None else right
    known = list[tuple[float, float]]()
    for name in names:
        if name in shown and (
            found := ratio(np.asarray(shown[name], np.float64), right[name].value, right[name].bound)
        ):
            number, off = found
            number = abs(number) if negated else number
            number, off = (1 / number, off / number**2) if inverse and number else (number, off)
            if any(abs(number - other) <= off + room for other, room in known):
                continue
            known.append((number, off))
            yield from factors_of(number, off, point.rows, point.network.outputs)
            if len(known) == MOST_FACTORS:
                return


def option_of(network: Graph, factor: Factor, **penalty: Any) -> str:
    """What says on the command line that the loss is meant to be multiplied."""
    return option_for(_meant(network, factor, penalty))


def _meant(network: Graph, factor: Factor, penalty: Mapping[str, Any]) -> Any:
    """The network's loss times a factor, and with a penalty, as people say it.

    A sum of squares and its mean over all entries are one another's multiples, whatever the batch.
    """
    loss = bare(network.loss)
    own = getattr(network.loss, "by", 1)
    by, samples = constant_at(own, 1) * factor.constant, factor.samples + power_in(own)
    for kind, power in _SQUARES.items():
        moved = power - _SQUARES.get(type(loss), 0)
        if moved == samples and (moved == 0 or type(loss) in _SQUARES):
            other = loss if moved == 0 else kind()
            return _multiple(other, _of_samples(by / Fraction(network.outputs) ** moved, 0), penalty)
    return _multiple(loss, _of_samples(by, samples), penalty)


def _of_samples(constant: Fraction, power: int) -> float | str:
    """A constant times a power of N as `Scaled` takes it: ``N/2``."""
    if not power:
        return float(constant)
    if power > 0 and constant.numerator == 1:
        return "N" if constant == 1 else f"N/{constant.denominator}"
    return f"{fraction_text(constant)}{'*' if power > 0 else '/'}N"


_SQUARES: dict[type, int] = {SumSquaredError: 0, MeanSquaredError: -1}
"""Losses that are one another's multiples, and the power of N and of K in each."""


def _multiple(loss: Any, by: float | str, penalty: Mapping[str, Any]) -> Any:
    loss = loss if by == 1 else Scaled(loss, by)
    return Penalised(loss, **penalty) if penalty else loss


def option_for(loss: Any) -> str:
    """What says on the command line that this is the loss."""
    text = name_of(loss)
    return f'--loss "{text}"' if "(" in text else f"--loss {text}"
