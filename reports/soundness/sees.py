"""What the rounding check sees in an ordinary setting, link by link, so that a swollen rule stands out.

float32, scale 1, width 16, batch 32: the median over entries of the relative error that is certain to be caught,
in units of the unit roundoff u, for eager programs and for compiled ones. A link of a few operations sees a few u,
a sum of 16 or 32 terms some ten times that; what sees thousands has a rule that gives too much away.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

import numpy as np
from tabulate import tabulate

from harness.arithmetic import Bounded, profile_of
from harness.evaluation.centre import alone
from harness.evaluation.point import Point
from impls.contract import Array, tensors_of
from impls.graph import TARGET, Link
from impls.hand import from_text
from impls.hand.notation import ACTIVATIONS, LOSSES, OPTIMIZERS, name_of
from impls.hand.optimizers import update_links
from impls.hand_numpy import Hand, HandUpdater

WIDTH, ROWS, STEPS = 16, 32, 3
Line = tuple[str, str, str, str]


def lines() -> Iterator[Line]:
    """Kind, link, and what is seen of an eager and of a compiled program, in u."""
    for activation in ACTIVATIONS:
        outputs = ("z1", "a1", "dz1", "da1", "dW1", "db1")
        yield from _network(activation, activation, "mean-squared-error", outputs)
    for loss in LOSSES:
        yield from _network(loss, "tanh", loss, ("loss", "da2"))
    for kind in OPTIMIZERS.values():
        yield from _optimizer(kind())


def _network(kind: str, activation: str, loss: str, outputs: Iterable[str]) -> Iterator[Line]:
    network = from_text(f"{WIDTH}-{WIDTH}-{WIDTH}", activation=activation, loss=loss)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, WIDTH)).astype("f4")
    y = rng.random((ROWS, WIDTH)).astype("f4") if network.loss.unit_targets else rng.normal(size=x.shape).astype("f4")
    y = rng.integers(0, WIDTH, ROWS) if network.tensors[TARGET].whole else y
    weights = network.init(0, "f4")
    result = Hand(network, "float32").differentiate(weights, x, y)
    tensors = Point(network, weights, x, y, 1).tensors(result)
    for output in outputs:
        yield kind, output, *_seen(network.link[output], tensors, tensors_of(result))


def _optimizer(optimizer: Any) -> Iterator[Line]:
    rng = np.random.default_rng(0)
    weights = {"W1": rng.normal(size=(WIDTH, WIDTH)).astype("f4")}
    updater = HandUpdater(optimizer, weights)
    for _ in range(STEPS):
        tensors = {**weights, "dW1": rng.normal(size=(WIDTH, WIDTH)).astype("f4"), **updater.state}
        after = updater.update(weights, {"dW1": tensors["dW1"]})
    tensors["t"] = np.asarray(STEPS)
    for link in update_links(optimizer, weights):
        yield name_of(optimizer), link.output, *_seen(link, tensors, ())
        tensors[link.output] = {**after.weights, **after.state}[link.output]


def _seen(link: Link, tensors: dict[str, Array], shown: Container[str]) -> tuple[str, str]:
    eager, compiled = (
        f"{_median(alone(link, tensors, profile_of('float32', eager), shown=shown)):.1f}" for eager in (True, False)
    )
    return eager, compiled


def _median(bounded: Bounded) -> float:
    """In units of u, over the entries that have a relative error."""
    there = bounded.value != 0
    return float(np.median(2 * bounded.bound[there] / np.abs(bounded.value[there]))) / profile_of("float32").u


def main() -> None:
    """Print the table."""
    headers = ("kind", "link", "eager, u", "compiled, u")
    print(tabulate(lines(), headers, disable_numparse=True, colalign=("left", "left", "right", "right")))


if __name__ == "__main__":
    main()
