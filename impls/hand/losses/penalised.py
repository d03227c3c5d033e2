"""Penalties on large weights, which are added to a loss: L2 (ridge, weight decay) and L1 (lasso).

    L = L_data + sum_w (l2 w^2 + l1 |w|)            dw = dw_data + 2 l2 w + l1 sign(w)          at w = 0: sign 0

    half     l2/2 stands for l2: dw has l2 w
    mean     the penalty is divided by N, the number of samples
    biases   of every weight; else of those with two axes or more, which biases and gains have not

Each weight is one more thing that the loss reads: the penalty's gradient is a part of dW beside the layers' own, and
the gradient is the sum of these parts. With a penalty scaled along with the loss, scale l2 and l1 too.

Source: Goodfellow, Bengio and Courville, "Deep learning" (2016), sections 7.1.1 and 7.1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from impls.graph.backward import accumulate
from impls.graph.primitive import Array
from impls.hand.losses.scaled import OfAnother
from impls.hand.losses.squared import sign_of_difference
from impls.hand.parts import Parametrised, flag, number


class Penalty(Parametrised):
    """What one weight adds to the loss, and to its own gradient."""

    reads = "w"
    weights: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  (shared because empty)

    def __init__(self, l2: float = 0.0, l1: float = 0.0, half: bool = False, mean: bool = False) -> None:
        why = "it weighs a penalty against the loss"
        self.l2, self.l1 = number("l2", l2, least=0, why=why), number("l1", l1, least=0, why=why)
        self.half, self.mean = flag("half", half), flag("mean", mean)
        self.square = self.l2 / 2 if half else self.l2
        """What stands before w^2."""

    def forward(self, w: Array, y: Array) -> Array:
        terms = [self.square * np.square(w).sum()] if self.l2 else []
        terms += [self.l1 * np.absolute(w).sum()] if self.l1 else []
        return self._averaged(reduce(add, terms), y)

    def dw(self, w: Array, y: Array) -> Array:
        return self._slope(w, y, sign_of_difference(w, 0 * w) if self.l1 else None)

    def one_sided(self, w: Array, y: Array) -> tuple[Array, Array, Array] | None:
        if not self.l1:
            return None
        one = 0 * w + 1
        return w == 0, self._slope(w, y, -one), self._slope(w, y, one)

    def _slope(self, w: Array, y: Array, sign: Array | None) -> Array:
        terms = [2 * self.square * w] if self.l2 else []
        terms += [] if sign is None else [self.l1 * sign]
        return self._averaged(reduce(add, terms), y)

    def _averaged(self, penalty: Array, y: Array) -> Array:
        return penalty / len(y) if self.mean else penalty

    def text(self, w: str) -> str:
        """The derivative by a weight of that name: ``2·0.01·W1``."""
        terms = [f"{2 * self.square:g}·{w}"] if self.l2 else []
        terms += [f"{self.l1:g}·sign({w})"] if self.l1 else []
        told = " + ".join(terms)
        return (f"({told})/N" if len(terms) > 1 else f"{told}/N") if self.mean else told


class Penalised(OfAnother):
    """A loss and a penalty on weights; what scales the loss does not scale the penalty."""

    def __init__(
        self, loss: Any, l2: float = 0.0, l1: float = 0.0, half: bool = False, mean: bool = False, biases: bool = False
    ) -> None:
        if isinstance(loss, Penalised):
            raise ValueError(
                f"Cannot add a penalty to {loss!r}, because it has one; give {loss.loss!r} one of the sum."
            )
        super().__init__(loss)
        self.penalty = Penalty(l2, l1, half, mean)
        self.l2, self.l1, self.half, self.mean = self.penalty.l2, self.penalty.l1, half, mean
        self.biases = flag("biases", biases)
        if not (self.l2 or self.l1):
            raise ValueError(
                f"Cannot add a penalty to {loss!r} with l2={l2!r} and l1={l1!r}, because it would add nothing; give "
                f"one above 0."
            )
        if half and not self.l2:
            raise ValueError("Cannot halve l2=0.0, because there is no square; give l2 above 0, or leave half out.")

    @property
    def unpenalised(self) -> Any:
        return self.loss

    def penalised(self, weights: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
        """Names of the weights with a penalty, from the shapes of all."""
        return tuple(name for name, shape in weights.items() if self.biases or len(shape) > 1)

    def forward(self, a: Array, y: Array, *weights: Array) -> Array:
        return accumulate(self.loss.forward(a, y), *[self.penalty.forward(w, y) for w in weights])

    def da(self, a: Array, y: Array) -> Array:
        return self.loss.da(a, y)

    def one_sided(self, a: Array, y: Array) -> tuple[Array, Array, Array] | None:
        sides: tuple[Array, Array, Array] | None = self.loss.one_sided(a, y)
        return sides

    def formula(self, output: str, outputs: int) -> str:
        terms = [f"{self.penalty.square:g} w^2"] if self.l2 else []
        terms += [f"{self.l1:g} |w|"] if self.l1 else []
        told = f"({' + '.join(terms)})" if len(terms) > 1 else terms[0]
        which = "all weights and biases" if self.biases else "all weights but biases"
        return f"{self.loss.formula(output, outputs)}, plus the sum over {which} of {told}{'/N' if self.mean else ''}"
