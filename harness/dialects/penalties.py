"""Penalties and epsilons that nobody said: in the loss that is shown, and in the gradients.

A penalty adds c w or c sign(w) to the gradient of each weight w, with one and the same c, which is read off there. What
it adds to the loss then leaves nothing open but how people write it: with or without 1/2, over N or not. Of a loss that
is multiplied besides, the factor is read off a gradient to which no penalty adds anything.

    dW − dW_right = c w         L2 with l2 = c/2, or c where it is halved; times N where it is a mean
    dW − dW_right = c sign(w)   L1 with l1 = c, or c N

Where a mistake is in some of the gradients, c is read off the loss alone, and a gradient that it makes right bears it
out.

An epsilon inside a logarithm is one of those that people write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from harness.arithmetic import profile_of
from harness.dialects.dialect import Dialect
from harness.dialects.factors import Factor
from harness.dialects.losses import Rescaled, factors_in, option_for, option_of
from harness.evaluation.point import Point
from harness.faults.fault import number_text, sharpest
from impls.contract import Array
from impls.graph import LOSS, Graph
from impls.hand import Penalised

MOST_DIGITS = 6
OPERATIONS = 6
"""Roundings between a weight and its gradient with a penalty: of c, the product, 1/2, N, the factor and the sum."""
EPSILONS = tuple(10.0**-power for power in range(2, 17))

Interval = tuple[float, float]


def penalties(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """Losses with an L2 or an L1 penalty."""
    network = point.network
    if LOSS not in shown or not _says_itself(network):
        return
    large = [name for name, shape in network.weights.items() if len(shape) > 1]
    small = [name for name in network.weights if name not in large]
    without = [network.gradient[name] for name in small] + [
        link.output for link in network.backward_links if link.of not in network.weights
    ]
    for factor, (kind, direction) in product((None, *factors_in(point, shown, without)), _DIRECTIONS.items()):
        found = _coefficient(point, shown, large, direction, factor)
        if found is None and factor is None:
            yield from _of_the_loss(point, shown, kind, large, small)
        if found is None or found[1] <= 0:
            continue
        also = _coefficient(point, shown, small, direction, factor)
        biases = bool(small) and also is not None and _meet(found, also) is not None
        for number, half, mean in _written(kind, found, point.rows):
            added = {kind: number, "half": half, "mean": mean, "biases": biases}
            says = f"with the {_said(kind, number, half=half, mean=mean)} added to the loss"
            yield _penalised(point, factor, added, says)


def _penalised(point: Point, factor: Factor | None, penalty: Mapping[str, Any], says: str) -> Dialect:
    """The network's loss, times a factor, and a penalty."""
    network = point.network
    if factor is None:
        return _for(point, Penalised(network.loss, **penalty), says)
    loss = Penalised(Rescaled(network.loss, factor, point.rows), **penalty)
    says = f"for {factor.text} times that loss, {says.replace('the loss', 'it')}"
    option = option_of(network, factor, **penalty)
    return Dialect(says=says, network=network.with_loss(loss), of_loss=True, option=option)


def _of_the_loss(
    point: Point, shown: Mapping[str, Array], kind: str, large: list[str], small: list[str]
) -> Iterator[Dialect]:
    """Penalties read off the loss alone, where the gradients do not show one and the same: some may be mistaken."""
    right = point.centre(point.dtype).tensors[LOSS]
    added, off = float(shown[LOSS]) - float(right.value), 2 * float(right.bound)
    for biases in (False, True) if small else (False,):
        weights = [np.asarray(point.weights[name], np.float64) for name in (large + small if biases else large)]
        total = sum(float((w**2).sum() / 2 if kind == "l2" else np.abs(w).sum()) for w in weights)
        if not added > off or not total:
            continue
        for number, half, mean in _written(kind, ((added - off) / total, (added + off) / total), point.rows)[:1]:
            loss = Penalised(point.network.loss, **{kind: number}, half=half, mean=mean, biases=biases)
            yield _for(point, loss, f"with the {_said(kind, number, half=half, mean=mean)} added to the loss")


def _says_itself(network: Graph) -> bool:
    """Whether the links are those of its own loss, and no penalty is among them."""
    return network.loss_link.layer is network.loss and not network.loss.penalised(network.weights)


_DIRECTIONS: Mapping[str, Callable[[Array], Array]] = {"l2": np.asarray, "l1": np.sign}
"""What a penalty adds to the gradient of a weight, but for its coefficient."""


def _coefficient(
    point: Point, shown: Mapping[str, Array], names: list[str], direction: Any, factor: Factor | None
) -> Interval | None:
    """Between which numbers the c of ``c direction(w)`` lies that is added to all of these gradients."""
    centre, found = point.centre(point.dtype).tensors, None
    u = profile_of(point.dtype).u
    for name in names:
        gradient = point.network.gradient[name]
        if gradient not in shown:
            return None
        right, w = centre[gradient], np.asarray(direction(np.asarray(point.weights[name], np.float64)))
        right = factor.times(right, point.rows) if factor else right
        # What is added is rounded as well, in each of the few operations that it takes.
        added = np.asarray(shown[gradient], np.float64) - right.value
        bound = 2 * right.bound + OPERATIONS * u * (np.abs(right.value) + np.abs(added))
        entry = sharpest(bound, w)
        with np.errstate(all="ignore"):
            c, off = float(added[entry] / w[entry]), float(bound[entry] / abs(w[entry]))
        if not np.isfinite(c + off) or np.any(np.abs(added - c * w) > bound + off * np.abs(w)):
            return None
        found = (c - off, c + off) if found is None else _meet(found, (c - off, c + off))
        if found is None:
            return None
    return found


def _meet(one: Interval, other: Interval) -> Interval | None:
    least, most = max(one[0], other[0]), min(one[1], other[1])
    return (least, most) if least <= most else None


def _written(kind: str, c: Interval, rows: int) -> list[tuple[float, bool, bool]]:
    """How a penalty may be written that adds c to a gradient: number, halved, mean; those with fewest digits first."""
    ways = [(half, mean) for mean in (False, True) for half in ((False, True) if kind == "l2" else (False,))]
    found = []
    for half, mean in ways:
        times = (rows if mean else 1) / (1 if half or kind == "l1" else 2)
        least, most = sorted(times * end for end in c)
        for digits in range(1, MOST_DIGITS + 1):
            number = float(f"{(least + most) / 2:.{digits}g}")
            if least <= number <= most and number > 0:
                found.append((digits, number, half, mean))
                break
    return [(number, half, mean) for _, number, half, mean in sorted(found, key=lambda each: each[0])]


def _said(kind: str, number: float, *, half: bool, mean: bool) -> str:
    over = "/N" if mean else ""
    what = f"{number_text(number)}{'/2' if half else ''}·Σw²" if kind == "l2" else f"{number_text(number)}·Σ|w|"
    return f"{kind.upper()} penalty {what}{over}"


def epsilons(point: Point, shown: Mapping[str, Array]) -> Iterator[Dialect]:
    """The network's loss with an epsilon inside its logarithms, the one that comes nearest to the loss shown."""
    network = point.network
    takes = hasattr(network.loss, "epsilon") and not network.loss.epsilon and not getattr(network.loss, "clamp", None)
    if LOSS not in shown or not takes or not _says_itself(network):
        return
    output = shown.get(network.output, point.centre("float64").tensors[network.output].value)

    def off(epsilon: float) -> float:
        value = type(network.loss)(epsilon=epsilon).forward(np.asarray(output, np.float64), point.double.y)
        return abs(float(value) - float(shown[LOSS]))

    with np.errstate(all="ignore"):
        nearest = min(EPSILONS, key=off)
    loss = type(network.loss)(epsilon=nearest)
    yield _for(point, loss, f"with {nearest:g} added inside the logarithm")


def _for(point: Point, loss: Any, says: str) -> Dialect:
    return Dialect(says=says, network=point.network.with_loss(loss), of_loss=True, option=option_for(loss))
