"""Guards that nobody said: an epsilon under the logarithm of a cross-entropy, or a clip of its probabilities.

A guard is one of those that people write. Each is held against the gradients that are shown, in plain floats and up to
a factor and a penalty, which a gradient fixes for itself; then against the loss, which leaves nothing open any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.dialects.fits import DIRECTIONS, Fit, Seen, fitted, seen_in, total_of
from harness.dialects.given import forward_in
from harness.evaluation.point import Point
from harness.faults.guards import EPSILONS
from impls.contract import Array
from impls.graph import LOSS, TARGET, evaluate
from impls.hand.losses.scaled import around, bare

GUARDS = tuple({name: size} for name in ("epsilon", "clip") for size in EPSILONS)
MOST_GUARDS = 2
"""Guards, those that come nearest, that are worth a judgement."""
MOST_WEIGHTS = 4
"""Gradients of weights, those nearest to the loss, that tell guards apart."""


def guarded_losses(point: Point, shown: Mapping[str, Array]) -> list[Any]:
    """The network's loss with the guards that come nearest to what is shown."""
    network, inner = point.network, bare(point.network.loss)
    if not hasattr(inner, "guard") or inner.guard or getattr(inner, "clamp", None):
        return []
    double, a = point.double, network.output
    tensors = {**double.named, **network.forward(double.weights, double.x), **forward_in(point, shown)}
    read = np.asarray(shown.get(a, tensors[a]), np.float64) if inner.on_probabilities else tensors[a]
    seen = [each for each in seen_in(point, shown) if each.size > 1]
    last = [each.name for each in seen if each.weight is not None][:MOST_WEIGHTS]
    seen = [each for each in seen if each.weight is None or each.name in last]
    found = list[tuple[float, int, Any]]()
    with np.errstate(all="ignore"):
        for guard in GUARDS:
            loss: Any = type(inner)(**guard)
            da = loss.da(read, tensors[TARGET])
            rights = _gradients(point, tensors, da, {each.name for each in seen})
            off = min(_offs(point, shown, float(loss.forward(read, tensors[TARGET])), seen, rights), default=np.inf)
            found.append((off, len(found), loss))
    return [around(network.loss, loss) for off, _, loss in sorted(found)[:MOST_GUARDS] if np.isfinite(off)]


def _gradients(point: Point, tensors: Mapping[str, Any], da: Array, wanted: set[str]) -> Mapping[str, Array]:
    """The gradients of these names, from that of the output on."""
    network, left, links = point.network, set(wanted), []
    at = network.gradient[network.output]
    for link in network.backward_links:
        links.append(link)
        left.discard(link.output)
        if not left:
            break
    return evaluate(links, dict(tensors), planted={at: lambda _: da})


def _offs(
    point: Point, shown: Mapping[str, Array], loss: float, seen: list[Seen], rights: Mapping[str, Array]
) -> Iterator[float]:
    """How far a gradient and the loss are from one factor and one penalty, if any, in units of their bounds."""
    actual, bound = float(shown[LOSS]), float(point.centre(point.dtype).tensors[LOSS].bound)
    for each in seen:
        for kind in (None, *(DIRECTIONS if each.weight is not None else ())):
            fit = fitted(each, rights[each.name], kind)
            if fit is not None:
                yield max(fit.off, _off_loss(point, fit, kind, actual, loss) / bound)


def _off_loss(point: Point, fit: Fit, kind: str | None, actual: float, loss: float) -> float:
    totals = (0.0,) if kind is None else (total_of(point, kind, biases=False), total_of(point, kind, biases=True))
    return min(abs(actual - fit.factor * loss - fit.slope * total) for total in totals)
