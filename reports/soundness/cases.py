"""The cases of the soundness campaign: networks, batches and weights drawn at random from one number each.

Case n of a seed is always the same case: a chain, or a graph of layers of every kind (`reports.soundness.graphs`). What
must occur in every campaign cycles with n: the depth, the
activation of the last layer, the loss and its scale, the number of threads. The rest is drawn: widths and batch
sizes log-uniform from 1 to 256, the other activations, every parameter, and several points of the network, each
at another scale of weights, data and targets, since a framework compiles once for each network.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.evaluation.given import with_buffers
from impls.contract import Array, Inputs
from impls.graph import TARGET, Graph
from impls.hand import Dense, Identity, Network, Scaled
from impls.hand.notation import ACTIVATIONS, LOSSES
from impls.hand.parsing import made
from reports.soundness.graphs import drawn_graph
from reports.soundness.optimizers import drawn_optimizer, drawn_steps, of_every_size

DEPTHS = range(1, 7)
LARGEST = 256
"""Width and batch size at most."""

MOST_ROWS = 40
"""Of a graph."""

WORK = 4.0e6
"""Multiply-adds of one forward pass at most: the batch is made smaller until it fits."""

POINTS = 16
"""Points of a network that are judged after it was compiled."""

PARAMETERS: Mapping[str, Sequence[str]] = {
    "leaky-relu": ("", "(slope=0.3)", "(slope=-0.3)", "(slope=1.0)", "(slope=2.5)"),
    "elu": ("", "(alpha=0.7)", "(alpha=3.0)", "(alpha=0.001)"),
    "softplus": ("", "(threshold=20.0)", "(threshold=1.0)", "(threshold=-2.0)"),
    "huber": ("", "(delta=0.1)", "(delta=0.5)", "(delta=100.0)"),
    "binary-cross-entropy": ("", "(clamp='torch')"),
}
"""Parameters with which an activation or loss occurs, where it has any."""

LOSS_SCALES = (1.0, 2.0**-14, 2.0**14, 0.1)
WEIGHT_SCALES = (1e-12, 1e-6, 1e-2, 0.3, 1.0, 1.0, 4.0, 16.0)
"""Factors of the usual initial weights; up to saturation."""

DATA_SCALES = (1e-300, 1e-36, 1e-30, 1e-12, 1e-4, 1.0, 1.0, 30.0, 1e4, 1e12, 1e25)
"""1e-30 times small weights underflows in float32, 1e-300 in float64; 1e4 saturates, what is larger overflows."""

PATTERNS = (
    "equal rows",
    "equal weights",
    "mostly zeros",
    "small integers",
    "every size",
    "every size of a double",
    "range of exp",
    "range of exp of a double",
)
"""What correlates rounding errors, puts arguments on a kink, or feeds functions with arguments of every size.

The last four have unit matrices for weights, so that every activation reads what was drawn.
"""

EVERY_SIZE = {"every size": (-44.0, 37.0), "every size of a double": (-320.0, 300.0)}
"""Decimal exponents between which magnitudes are drawn, log-uniform: float32's and float64's."""

RANGE_OF_EXP = {"range of exp": 110.0, "range of exp of a double": 800.0}
"""Up to where exp neither overflows nor underflows, and a little beyond."""


@dataclass(frozen=True)
class Drawn:
    """Weights and a batch, in float64; a narrower dtype rounds them."""

    weights: Mapping[str, Array]
    x: Array | Inputs
    y: Array
    features: tuple[str, ...]

    @property
    def described(self) -> str:
        """What it is like, in one phrase."""
        return ", ".join(self.features)


@dataclass(frozen=True)
class Case:
    """One network, and the points at which it is judged."""

    seed: int
    number: int
    network: Graph
    rows: int
    optimizer: Any
    """None of a graph: an update works entry by entry, whatever the weights are of."""

    @property
    def threads(self) -> int:
        """Threads of every library while this case is judged, 1 or 2."""
        return threads_of(self.number)

    def points(self) -> Iterator[Drawn]:
        """Each at another scale, the scales of weights and data in another pairing in each case."""
        rng = np.random.default_rng([self.seed, self.number, 1])
        for index in range(POINTS):
            weight_scale = WEIGHT_SCALES[(index + self.number // 2) % len(WEIGHT_SCALES)]
            data_scale = DATA_SCALES[(index * 5 + self.number) % len(DATA_SCALES)]
            pattern = str(rng.choice(PATTERNS)) if index % 2 else "normal"
            yield _drawn(self, rng, weight_scale, data_scale, pattern)

    def training(self, dtype: str) -> list[tuple[dict[str, Array], dict[str, Array], str]]:
        """Weights and gradients for the optimizer, step by step."""
        return list(drawn_steps(np.random.default_rng([self.seed, self.number, 2]), dtype))


def threads_of(number: int) -> int:
    """The number of threads with which case `number` runs."""
    return 1 + number % 2


def numbers(threads: int) -> Iterator[int]:
    """The numbers of the cases that run with that many threads."""
    return itertools.count(threads - 1, 2)


def graph_case(seed: int, number: int) -> Case:
    """Case `number` of the graphs of a seed."""
    rng = np.random.default_rng([seed, number, 3])
    return Case(seed, number, drawn_graph(rng, number), min(_size(rng), MOST_ROWS), None)


def case(seed: int, number: int) -> Case:
    """Case `number` of the chains of a seed."""
    rng = np.random.default_rng([seed, number])
    turn = number // 2
    depth = DEPTHS[turn % len(DEPTHS)]
    loss_name = list(LOSSES)[(turn + turn // len(LOSSES)) % len(LOSSES)]
    loss = made("loss", LOSSES, loss_name + _parameters(rng, loss_name))
    by = LOSS_SCALES[(turn // 2) % len(LOSS_SCALES)]
    last = list(ACTIVATIONS)[(turn + turn // len(ACTIVATIONS)) % len(ACTIVATIONS)]
    widths = [_size(rng) for _ in range(depth + 1)]
    layers: list[Any] = []
    for position, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        name = last if position == depth - 1 else str(rng.choice(list(ACTIVATIONS)))
        layers.append(Dense(inputs, outputs, bias=bool(rng.random() < 0.75)))
        if position == depth - 1 or rng.random() < 0.9:
            layers.append(made("activation", ACTIVATIONS, name + _parameters(rng, name)))
    if loss.on_probabilities and last not in ("softmax", "sigmoid", "hard-sigmoid"):
        layers[-1] = made("activation", ACTIVATIONS, loss.output_activation)
    elif loss.output_activation == "identity" and rng.random() < 0.5:
        layers[-1] = Identity()
    work = sum(a * b for a, b in itertools.pairwise(widths))
    rows = min(_size(rng), max(1, int(WORK // work)))
    return Case(seed, number, Network(layers, loss if by == 1 else Scaled(loss, by)), rows, drawn_optimizer(rng, turn))


def _size(rng: np.random.Generator) -> int:
    """Log-uniform from 1 to `LARGEST`, both ends more often."""
    ends = rng.random()
    if ends < 0.2:
        return 1 if ends < 0.1 else LARGEST
    return int(LARGEST ** rng.random())


def _parameters(rng: np.random.Generator, name: str) -> str:
    return str(rng.choice(PARAMETERS.get(name, ("",))))


def _drawn(case: Case, rng: np.random.Generator, weight_scale: float, data_scale: float, pattern: str) -> Drawn:
    network, rows = case.network, case.rows
    initial = network.init(int(rng.integers(2**32)))
    weights: dict[str, Array] = {name: w * weight_scale for name, w in initial.items()}
    features = [f"pattern {pattern}", f"weights x {weight_scale:g}", f"data x {data_scale:g}"]

    def real(shape: tuple[int, ...]) -> Array:
        x = data_scale * rng.normal(size=shape)
        if pattern == "equal rows":
            return np.repeat(x[:1], rows, axis=0)
        if pattern == "mostly zeros":
            return x * (rng.random(shape) < 0.1)
        if pattern == "small integers":
            return rng.integers(-3, 4, shape) * 1.0
        if pattern in EVERY_SIZE:
            return of_every_size(rng, shape, *EVERY_SIZE[pattern])
        if pattern in RANGE_OF_EXP:
            return rng.uniform(-RANGE_OF_EXP[pattern], RANGE_OF_EXP[pattern], shape)
        return x

    x = _inputs(network, rng, rows, real)
    if pattern == "equal weights":
        weights = {name: np.full_like(w, w.flat[0]) for name, w in weights.items()}
    elif pattern == "mostly zeros":
        weights = {name: w * (rng.random(w.shape) < 0.3) for name, w in weights.items()}
    elif pattern not in ("normal", "equal rows"):
        del features[1:]
        weights = {name: np.eye(*w.shape) if w.ndim == 2 else 0 * w for name, w in weights.items()}
        if pattern == "small integers":
            weights = {name: rng.integers(-2, 3, w.shape) * 0.5 for name, w in weights.items()}
    y, targets = _targets(case, rng, weights, x, pattern)
    return Drawn(weights, x, y, (*features, f"targets {targets}"))


def _inputs(
    network: Graph, rng: np.random.Generator, rows: int, real: Callable[[tuple[int, ...]], Array]
) -> Array | Inputs:
    given = Inputs()
    for source in network.sources:
        shape = (rows, *source.shape)
        if source.choices:
            given[source.name] = rng.integers(0, source.choices, shape)
        else:
            given[source.name] = 1.0 * (rng.random(shape) < source.keep) if source.keep else real(shape)
    fed = given if len(given) > 1 else next(iter(given.values()))
    return with_buffers(network, fed, network.fresh_buffers("float64"))


def _targets(
    case: Case, rng: np.random.Generator, weights: Mapping[str, Array], x: Array | Inputs, pattern: str
) -> tuple[Array, str]:
    network, loss = case.network, case.network.loss
    target = network.tensors[TARGET]
    shape = target.sized(case.rows)
    if target.choices:
        return rng.integers(0, target.choices, shape), "labels"
    if loss.unit_targets:
        kind = str(rng.choice(["yes or no", "one-hot", "between"]))
        if kind == "yes or no":
            return (rng.random(shape) < 0.5) * 1.0, kind
        if kind == "one-hot":
            return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])], kind
        return rng.random(shape), kind
    if pattern in EVERY_SIZE:
        return of_every_size(rng, shape, *EVERY_SIZE[pattern]), pattern
    kind = str(rng.choice(["normal", "normal x 1000", "normal x 1e-30", "zeros", "the output itself"]))
    if kind == "the output itself":
        with np.errstate(all="ignore"):
            y = np.array(network.forward(weights, x)[network.output])
        return np.where(np.isfinite(y), y, 0.0), kind
    scale = {"normal": 1.0, "normal x 1000": 1e3, "normal x 1e-30": 1e-30, "zeros": 0.0}[kind]
    return scale * rng.normal(size=shape), kind
