"""Every mechanical mutant of the hand code's backward rules is caught by the walk, or shown to be the same function."""

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from harness.arithmetic import profile_of
from harness.evaluation.expected import walk
from harness.evaluation.given import with_buffers
from harness.evaluation.point import Point
from harness.mutation.mutants import SAME, planted
from impls.contract import tensors_of
from impls.hand import (
    BinaryCrossEntropy,
    CosineDistance,
    Dense,
    Dropout,
    Exp,
    GraphBuilder,
    Identity,
    MeanSquaredError,
    Network,
    OneHotCrossEntropy,
    Penalised,
    Pow,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    SparseCategoricalCrossEntropy,
    SumSquaredError,
    Tanh,
    WeightedCrossEntropy,
)  # fmt: skip
from impls.hand_numpy import Hand
from tests.graphs.branching import (
    attention,
    batch_of,
    branching,
    classified,
    functions,
    images,
    normalised,
    pooled,
    positions,
    sequence,
    tokens,
)
from tests.graphs.layers import FAMILIES, network_of
from tests.graphs.layers import batch_of as awkward
from tests.helpers.hand_mutants import ACTIVATIONS, AT_A_TIE, LOSSES, all_mutants, key
from tests.helpers.same_mutants import SAME_ON_IMAGES

COUNT = 1334
"""All mutants of all rules: none disappears unnoticed."""


def penalised() -> Any:
    """A penalty of both kinds, on the weights and on the biases."""
    return network_of(Tanh(), Penalised(MeanSquaredError(), 0.3, 0.2, mean=True, biases=True), (5, 4, 3))


def directions() -> Any:
    """Rows that are longer than eps and shorter."""
    return classified(CosineDistance(2.0))


def powers() -> Any:
    """Of bases that are 0 in part, with exponents above 1."""
    net = GraphBuilder()
    p = net("base", Relu(), net.input("x", (4, 1), gradient=True))
    q = net("exponent", Exp(), net("s", Sigmoid(), net.input("u", (1, 3), gradient=True)))
    return net.loss(MeanSquaredError(), net("fc", Dense(3, 2), net("pow", Pow(), p, q)))


def mask_with_a_gradient() -> Any:
    net = GraphBuilder()
    z = net("drop", Dropout(0.25), net.input("x", 4), net.input("m", 4, gradient=True))
    return net.loss(MeanSquaredError(), net("fc", Dense(4, 2), z))


ON_IMAGES: dict[str, tuple[Callable[[], Any], ...]] = {
    "convolution": (images,),
    "windows": (images, pooled),
    "pooling": (pooled, normalised),
    "shaping": (images, normalised),
    "batch_norm": (normalised,),
    "dropout": (normalised, mask_with_a_gradient),
    "penalised": (penalised,),
    "cosine": (directions,),
    "attention": (attention, sequence),
    "functions": (functions, partial(network_of, FAMILIES["functions"])),
    "broadcasting": (
        functions,
        powers,
        *(partial(network_of, FAMILIES[family]) for family in ("functions", "repeated")),
    ),
    "matrix_product": (partial(network_of, FAMILIES["repeated"]),),
    "reductions": (functions, partial(network_of, FAMILIES["reduced"])),
    "rms_norm": (partial(network_of, FAMILIES["norms"]),),
    "group_norm": (partial(network_of, FAMILIES["norms"]),),
    **dict.fromkeys(("masking", "heads", "rotary"), (sequence,)),
    "indexing": (partial(network_of, FAMILIES["indexed"]),),
    "combining": (branching, partial(network_of, FAMILIES["indexed"])),
    **dict.fromkeys(("other_convolutions", "adaptive_pooling", "einsum"), (partial(network_of, FAMILIES["products"]),)),
}
"""Files of layers, and the networks on which they are tried."""
ON_THE_MARGIN = {("Hinge.da", "return -y * (1 - y * a >= 0) / a.size")}
"""Differs on the margin only, where either side is a subgradient: see tests/impls/test_weighted_losses.py."""


def network_of(activation, loss, sizes):
    layers = []
    for place, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = place == len(sizes) - 2
        needed = {"sigmoid": Sigmoid(), "softmax": Softmax()}.get(loss.output_activation, Identity())
        layers += [Dense(inputs, outputs), needed if last else activation]
    return Network(layers, loss)


def point_of(network, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(scale=scale, size=shape) for name, shape in network.weights.items()}
    shape = (7, network.outputs)
    if network.loss.labels:
        y = rng.integers(0, network.outputs, 7)
    else:
        y = rng.uniform(0.05, 0.95, shape) if network.loss.unit_targets else 2 * rng.normal(size=shape)
    return Point(network, weights, 2 * rng.normal(size=(7, network.inputs)), y, 1)


@cache
def points():
    """Two networks and data sets for every activation and loss: widths equal and unequal, square and not."""
    found = []
    for seed, activation in enumerate(ACTIVATIONS):
        found.append(point_of(network_of(activation, SumSquaredError(), (5, 4, 4, 3)), seed))
        found.append(point_of(network_of(activation, MeanSquaredError(), (5, 6, 2, 2)), 100 + seed))
    for seed, loss in enumerate(LOSSES):
        found.append(point_of(network_of(Tanh(), loss, (5, 4, 4, 3)), 200 + seed))
        found.append(point_of(network_of(Silu(), loss, (5, 2, 4)), 300 + seed))
    clamped = network_of(Tanh(), BinaryCrossEntropy(clamp="torch"), (5, 4, 3))
    found.append(point_of(clamped, 400, scale=20.0))  # its outputs come as close to 0 and 1 as the clamp
    by_position = [
        classified(loss)
        for loss in (OneHotCrossEntropy(), SparseCategoricalCrossEntropy(), WeightedCrossEntropy(1, 0.25))
    ]
    graphs = [branching(), positions(), tokens(), attention(), *by_position]
    return found + [graph_point_of(network, seed) for seed, network in enumerate(graphs, 500)]


def graph_point_of(network, seed):
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=shape) for name, shape in network.weights.items()}
    x, y = batch_of(network, 7, seed)
    buffers = {name: rng.uniform(0.5, 1.5, shape) for name, shape in network.buffers.items()}
    return Point(network, weights, with_buffers(network, x, buffers), y, 1)


def shown_by_hand(point):
    with np.errstate(all="ignore"):
        return tensors_of(Hand(point.network, "float64").differentiate(point.weights, point.x, point.y))


def is_wrong(point, shown):
    centre = point.centre("float64").tensors
    if any(np.shape(shown[name]) != centre[name].shape for name in shown):
        return True
    expected = walk(point, shown, profile_of("float64")).expected
    return any(not expected[name].holds(shown[name]) for name in shown)


def is_caught(function, mutant, points):
    for point in points:
        mutant.ran.clear()
        try:
            with planted(function, mutant):
                shown = shown_by_hand(point)
        except Exception:
            return True
        if mutant.ran and is_wrong(point, shown):
            return True
    return False


def test_the_right_rules_are_right_at_every_point():
    assert not any(is_wrong(point, shown_by_hand(point)) for point in points())


def room_of(rule):
    return rule.__module__.rpartition(".")[2]


@cache
def points_of(make):
    if isinstance(make, partial):
        network = make()
        return Point(network, network.init(0), *awkward(network, 3), 1)
    return graph_point_of(make(), 600)


def test_every_mutant_of_a_rule_on_images_is_caught():
    mutants = [(rule, m) for rule, m in all_mutants() if room_of(rule) in ON_IMAGES]
    survivors = {
        key(rule, m) for rule, m in mutants if not is_caught(rule, m, map(points_of, ON_IMAGES[room_of(rule)]))
    }
    assert survivors == {(rule, after) for rule, mutants in SAME_ON_IMAGES.items() for after in mutants}
    assert len(mutants) > 1200
    tried = {make for networks in ON_IMAGES.values() for make in networks}
    assert not any(is_wrong(point, shown_by_hand(point)) for point in map(points_of, tried))


def test_every_mutant_that_changes_a_rule_is_caught():
    mutants = [(rule, m) for rule, m in all_mutants() if room_of(rule) not in ON_IMAGES]
    survivors = [key(rule, mutant) for rule, mutant in mutants if not is_caught(rule, mutant, points())]
    assert set(survivors) == {*SAME, *AT_A_TIE, *ON_THE_MARGIN}
    assert (len(mutants), len(survivors)) == (COUNT, len(SAME) + len(AT_A_TIE) + len(ON_THE_MARGIN))
