"""A batch at a moment of a training: what every derivative there has in common, computed once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.arithmetic import Context, profile_of
from harness.evaluation.given import as_numbers, named
from harness.evaluation.point import Moment
from impls.contract import Array, Inputs
from impls.graph import Graph, evaluate
from impls.hand.paths import Derivatives


@dataclass(frozen=True)
class Batch:
    """Some rows of the data, at the weights of a moment.

    Attributes:
        rows: of the data, counted from 0, whose loss is differentiated.
        x, y: these rows.
    """

    network: Graph
    moment: Moment
    rows: Sequence[int]
    x: Array | Inputs
    y: Array

    @cached_property
    def given(self) -> Mapping[str, Array]:
        """Weights and batch by name."""
        return named(self.network, self.moment.weights, self.x, self.y)

    @cached_property
    def tensors(self) -> Mapping[str, Array]:
        """Everything that a link of the forward pass reads or gives."""
        with np.errstate(all="ignore"):
            return evaluate(self.network.forward_links, dict(self.given))

    @cached_property
    def loss(self) -> float:
        """The loss of these rows."""
        with np.errstate(all="ignore"):
            return float(self.network.loss_of(self.tensors, self.y))

    @cached_property
    def gradients(self) -> Mapping[str, Array]:
        """What the hand code's matrices give."""
        return self.network.backward(self.moment.weights, self.x, self.y, self.tensors)

    @cached_property
    def local(self) -> Derivatives:
        """The local derivatives of every node."""
        return Derivatives(self.network, self.tensors)

    @cached_property
    def bounded(self) -> Derivatives:
        """The same with how far rounding in float64 can bring them from the truth."""
        context = Context(profile_of("float64"))
        tensors = evaluate(self.network.forward_links, as_numbers(self.network, self.given, context.exact))
        return Derivatives(self.network, tensors, context.exact)
