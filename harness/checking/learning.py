"""Learning: does a wrong gradient matter? The loss after a short training with it, and with the right one."""

from __future__ import annotations

import math
from time import monotonic, thread_time

import numpy as np

from harness.arithmetic.threads import one_thread
from harness.candidates.function import BackwardPass
from harness.evaluation.point import Point
from harness.pace import pace
from harness.results.check import Learning
from impls.contract import Array
from impls.graph import Graph

STEPS = 400
BUDGET = 150_000_000
"""Multiply-adds that the training with the right gradient may take; large networks train fewer steps."""
OVERHEAD = 18_000
"""Multiply-adds in the time that one link takes besides, nearly all of it to read what somebody shows of it."""
SECONDS = 1.0
"""Of one thread, at pace 1, that both trainings may take; of a candidate that takes more nothing is told. What idle
threads of frameworks spend is not counted. 400 steps of a small network take a third of it, nearly all to read the
answers."""
BY_THE_CLOCK = 10.0
"""Times as long by the clock: of one that sleeps, or waits for a device."""
CALLS = 1_500
"""Calls that it may take of a function that is called for one sample at a time."""


@np.errstate(all="ignore")  # a wrong gradient may lead anywhere
def learned(candidate: BackwardPass, point: Point) -> Learning | None:
    """Train with the candidate's gradients and with the right ones; None if the candidate cannot, or is slow."""
    with one_thread():
        return _learned(candidate, point)


def _learned(candidate: BackwardPass, point: Point) -> Learning | None:
    network, begin, begun = point.network, thread_time(), monotonic()
    steps = min(STEPS, 1 + BUDGET // (network.multiply_adds(point.rows) + OVERHEAD * len(network.links)))
    if candidate.layout and candidate.layout.alone:
        steps = min(steps, 1 + CALLS // point.rows)
    lr = _rate(point, min(10, steps))
    if lr is None:
        return None
    start, right = _losses(point, lr, steps)
    limit = SECONDS * pace()
    weights = {name: w.astype(float) for name, w in point.weights.items()}
    keys = dict[str, object]()
    for _ in range(steps):
        answer = candidate.answer(point.elsewhere(_like(weights, point), slice(None)), keys=keys)
        shown, keys = answer.shown, keys or answer.keys(network.gradients)
        late = thread_time() - begin > limit or monotonic() - begun > BY_THE_CLOCK * limit
        if late or any(name not in shown for name in network.gradients):
            return None
        weights = {name: w - lr * shown[network.gradient[name]].astype(float) for name, w in weights.items()}
    yours = _loss(network, weights, point)
    return Learning(steps, lr, start, yours if math.isfinite(yours) else None, right)


def _rate(point: Point, steps: int) -> float | None:
    for halvings in range(40):
        lr = 2.0**-halvings
        weights = {name: w.astype(float) for name, w in point.weights.items()}
        before = _loss(point.network, weights, point)
        for _ in range(steps):
            weights = _step(point, weights, lr)
            after = _loss(point.network, weights, point)
            if not after < before:
                break
            before = after
        else:
            return lr
    return None


def _losses(point: Point, lr: float, steps: int) -> tuple[float, float]:
    weights = {name: w.astype(float) for name, w in point.weights.items()}
    start = _loss(point.network, weights, point)
    for _ in range(steps):
        weights = _step(point, weights, lr)
    return start, _loss(point.network, weights, point)


def _step(point: Point, weights: dict[str, Array], lr: float) -> dict[str, Array]:
    activations = point.network.forward(weights, point.double.x)
    gradients = point.network.backward(weights, point.double.x, point.double.y, activations)
    return {name: w - lr * gradients[point.network.gradient[name]] for name, w in weights.items()}


def _loss(network: Graph, weights: dict[str, Array], point: Point) -> float:
    return float(network.loss_of({**weights, **network.forward(weights, point.double.x)}, point.double.y))


def _like(weights: dict[str, Array], point: Point) -> dict[str, Array]:
    return {name: w.astype(point.dtype) for name, w in weights.items()}
