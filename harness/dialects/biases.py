"""Biases that a program does not have, or does not train.

A program without biases ignores those that it is given, and returns no gradient of one, or zeros. An update that leaves
every bias as it was, and is right with what it leaves, does not train them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from harness.dialects.dialect import Dialect
from harness.evaluation.point import Point
from harness.faults.place import with_options
from impls.contract import Array
from impls.graph import Graph
from impls.hand import Network


def without_biases(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """The network has no biases; or they stay what they were, where gradients are read off an update."""
    network = point.network
    gradients = [network.gradient[name] for name in network.weights if network.tensors[name].local == "b"]
    if not gradients or any(np.any(shown[name]) for name in gradients if name in shown):
        return
    without = frozenset(gradients)
    taken = partial(_left_out, without)
    plain = _unbiased(network)
    if plain is not None:
        yield Dialect(says="for a network without biases", network=plain, taken=taken, without=without)
    if network.reading is not None and any(name in shown for name in gradients):
        yield Dialect(says="with biases that are not trained", network=network, taken=taken, without=without)


def _unbiased(network: Graph) -> Graph | None:
    """A chain of layers without biases; None of what is no chain."""
    if not isinstance(network, Network):
        return None
    layers = [with_options(layer, bias=False) if getattr(layer, "bias", False) else layer for layer in network.layers]
    plain = Network(layers, network.loss)
    return plain if network.reading is None else plain.read_off(network.reading)


def _left_out(gradients: frozenset[str], _point: Point, shown: Mapping[str, Array]) -> Mapping[str, Array]:
    return {name: array for name, array in shown.items() if name not in gradients}
