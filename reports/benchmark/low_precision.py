"""What is seen in bfloat16: of one matrix product, and of every link of a transformer block, hand code and torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from harness.arithmetic import Bounded, Context, profile_of
from harness.candidates.implementation import profile_for
from harness.evaluation.centre import alone
from harness.evaluation.point import Point
from harness.inputs.batches import batches_of
from harness.inputs.datasets import load_data
from impls import registry
from impls.contract import tensors_of
from impls.hand.networks.gpt import gpt
from reports.benchmark.figure import Figure, figure_of

DTYPE, INNER = "bfloat16", 1024


def low_precision() -> Iterable[Figure]:
    """Medians over all entries."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=size).astype(DTYPE) for size in ((64, INNER), (INNER, 64)))
    context = Context(profile_of(DTYPE))
    yield _figure([context.exact(x) @ context.exact(y)], f"matmul(64, {INNER}, 64)", 3e-2)
    for name in ("hand", "torch"):
        yield _figure(_links_of_a_block(name), f"transformer block of {name}, link by link", 5e-2)


def _links_of_a_block(name: str) -> list[Bounded]:
    network = gpt(layers=1, heads=4, width=64, context=16, tokens=32)
    batches = batches_of(network, load_data("random", network=network), DTYPE, 8, 0)
    x, y = batches.at(1)
    point = Point(network, network.init(0, DTYPE), x, y, 1)
    made = registry.load(name)(network, DTYPE)
    result = made.differentiate(point.weights, x, y)
    tensors, profile = point.tensors(result), profile_for(made, DTYPE, network)
    links = [link for link in network.links if {link.output, *link.inputs} <= set(tensors)]
    return [alone(link, tensors, profile, shown=tensors_of(result)) for link in links]


def _figure(made: Sequence[Bounded], of: str, target: float) -> Figure:
    caught = np.concatenate([2 * t.bound[t.value != 0] / np.abs(t.value[t.value != 0]) for t in made])
    return figure_of([float(np.median(caught))], network=of, measure=f"sees, {DTYPE}", target=target, unit="")
