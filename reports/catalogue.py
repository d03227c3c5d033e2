"""The catalogue of faults held against itself: each planted at each link of many networks, located and named or not.

What a fault leaves within the allowance on the data at hand is no mistake there, and is counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic import profile_of
from harness.diagnosis import diagnose
from harness.diagnosis.location import located
from harness.evaluation.point import Point
from harness.faults.catalogue import faults_at
from harness.faults.fault import Fault
from impls.graph import TARGET, Graph, evaluate
from impls.hand import from_text
from impls.hand.notation import ACTIVATIONS

LOSSES = ("mean-squared-error", "huber", "mean-absolute-error", "binary-cross-entropy-on-logits", "cross-entropy")
ROWS = 7


@dataclass
class Count:
    """Faults planted, and how many of those that change something were located at their link, and named."""

    causes: set[str]
    planted: int = 0
    same: int = 0
    located: int = 0
    named: int = 0


def networks() -> list[Graph]:
    """Three depths, every activation, and a loss of each kind."""
    deep = [from_text(sizes) for sizes in ("3-2", "4-3-2-1", "5-4-3-2-2")]
    wide = [from_text("3-4-2", activation=name) for name in ACTIVATIONS]
    return [*deep, *wide, *(from_text("3-4-2", activation="tanh", loss=loss) for loss in LOSSES)]


def counted(every: list[Graph]) -> Count:
    """Plant each fault of the catalogue at each link of each network, everything shown."""
    count = Count(set())
    for number, network in enumerate(every):
        point = _point(network, number)
        for link in network.links:
            for fault in faults_at(network, link):
                _plant(point, fault, count)
    return count


def _plant(point: Point, fault: Fault, count: Count) -> None:
    count.causes.add(fault.cause)
    count.planted += 1
    shown, profile = _pass(point, fault), profile_of("float64")
    judged = located(point, shown, profile, "planted")
    wrong = judged.faulty
    if not wrong:
        count.same += 1
        return
    found = diagnose(point, shown, profile, wrong, judged.planted)
    count.located += wrong[0] == fault.at
    count.named += any(cause.cause == fault.cause for diagnosis in found for cause in diagnosis.causes)


def _point(network: Graph, seed: int) -> Point:
    """Weights and rows of no special value."""
    rng = np.random.default_rng([seed, 1])
    x = rng.normal(size=network.tensors[network.sources[0].name].sized(ROWS))
    target = network.tensors[TARGET]
    labels = rng.integers(0, network.outputs, ROWS)
    y = labels if target.whole else rng.uniform(0.05, 0.95, target.sized(ROWS))
    return Point(network, {name: 1.5 * w for name, w in network.init(seed).items()}, x, y, 1)


def _pass(point: Point, fault: Fault) -> dict[str, Any]:
    network, planted = point.network, {fault.at: fault.rule}
    with np.errstate(all="ignore"):
        tensors = evaluate(network.links, dict(point.named), planted=planted, passed_on=lambda _, v: np.asarray(v))
    return {name: tensors[name] for name in network.link}
