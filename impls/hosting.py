"""Hosting: what hosts have in common, whichever framework's arrays they run functions on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from impls.abilities import Differentiated, Function, Hosts, Upstream
from impls.contract import Array


def taken(host: Hosts, output: Any, gradients: Sequence[Any]) -> Differentiated:
    """What was differentiated in NumPy's arrays: several outputs are a tuple."""
    outputs = tuple(map(host.take, output)) if isinstance(output, tuple) else host.take(output)
    return outputs, [None if g is None else host.take(g) for g in gradients]


class Differentiating(Hosts):
    """What a host has by how its framework differentiates a function on own arrays.

    Attributes:
        differentiated: from a function, an upstream and inputs, all in own arrays, to the output, or several in a
            tuple, and the gradient for each input.
    """

    differentiated: Callable[[Function, Any, Sequence[Any]], tuple[Any, list[Any]]]

    def whole(self, function: Function) -> Callable[[Any, Sequence[Any]], tuple[Any, Sequence[Any]]]:
        """From an upstream and inputs to output and gradients, compiled where that makes many calls cheaper."""
        return partial(self.differentiated, function)

    def own(self, upstream: Upstream, inputs: Sequence[Array]) -> tuple[Any, list[Any]]:
        """Both in own arrays; an upstream of several outputs is a tuple."""
        given = [self.give(array) for array in inputs]
        if upstream is None or isinstance(upstream, np.ndarray):
            return None if upstream is None else self.give(upstream), given
        return tuple(map(self.give, upstream)), given

    def vjp(
        self, function: Function, inputs: Sequence[Array], upstream: Upstream, *, at_once: bool = False
    ) -> Differentiated:
        """See `Hosts`."""
        with self.running():
            differentiated = self.whole(function) if at_once else partial(self.differentiated, function)
            return taken(self, *differentiated(*self.own(upstream, inputs)))

    def pair(self, function: Any) -> tuple[Function, Function]:
        """The function itself, and its vjp."""

        def backward(upstream: Any, *inputs: Any) -> tuple[Any, ...]:
            return tuple(self.differentiated(function, upstream, inputs)[1])

        return function, backward
