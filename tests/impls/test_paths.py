"""The chain rule path by path: against the matrices, the truth, a graph library, and with a path gone wrong."""

from functools import cache

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arithmetic import Context, profile_of
from harness.arithmetic.rationals import Rationals
from harness.evaluation.centre import end_to_end
from harness.evaluation.truth import true_tensors
from impls.hand import Dense, Network, Sigmoid, Softmax, SumSquaredError, Tanh, from_text
from impls.hand.notation import ACTIVATIONS, LOSSES
from impls.hand.paths import Paths


def batch_of(network, rows=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, network.inputs))
    if network.loss.labels:
        return x, rng.integers(0, network.outputs, rows)
    return x, rng.uniform(0, 1, (rows, network.outputs))


def paths_of(network, weights, x, y, start):
    return Paths(network, {"x": x, "y": y, **weights, **network.forward(weights, x)}, start)


def on(exact, network, weights, x, y):
    """Weights, batch and activations as another number type, and what makes it."""
    tensors = {name: exact(w) for name, w in weights.items()}
    tensors |= {"x": exact(x), "y": y if network.loss.labels else exact(y)}
    for link in network.forward_links:
        tensors[link.output] = link(tensors)
    return tensors


def starts(network):
    """Every entry of every weight."""
    return [(name, index) for name, shape in network.weights.items() for index in np.ndindex(shape)]


def check_every_weight(network, seed=0):
    """Path sums, one by one and layer by layer, against the matrices and the truth, within the derived bounds."""
    weights, (x, y) = network.init(seed), batch_of(network, seed=seed)
    profile = profile_of("float64")
    centre, context = end_to_end(network, weights, x, y, profile).tensors, Context(profile)
    truth = true_tensors(network, weights, x, y).tensors
    bounded = on(context.exact, network, weights, x, y)
    compared = 0
    for name, index in starts(network):
        paths = paths_of(network, weights, x, y, (name, index))
        allowed = Paths(network, bounded, (name, index), context.exact)
        matrix, true = centre["d" + name][index], truth["d" + name]
        for value, added in (
            (paths.products.sum(), allowed.products.sum()),
            (paths.sums().sum(), allowed.sums().sum()),
        ):
            assert abs(value - matrix.value) <= added.bound + matrix.bound
            assert true.distance(np.full(true.shape, value))[index] <= added.bound
            compared += 1
    assert compared == 2 * sum(w.size for w in weights.values())


sizes = st.lists(st.integers(1, 4), min_size=2, max_size=5)
smooth = st.sampled_from(["sigmoid", "tanh", "softplus", "silu", "gelu", "softmax", "identity", "elu(alpha=0.7)"])


@settings(max_examples=25, deadline=None)
@given(
    sizes,
    smooth,
    smooth,
    st.sampled_from(["sum-squared-error", "mean-squared-error", "cross-entropy"]),
    st.integers(0, 99),
)
def test_the_path_sum_is_the_matrix_gradient_and_the_truth_within_the_bound(sizes, hidden, last, loss, seed):
    text = "-".join(map(str, sizes))
    check_every_weight(from_text(text, activation=hidden, output_activation=last, loss=loss), seed)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_loss_has_paths(activation, loss):
    check_every_weight(from_text("3-2-3", activation=activation, loss=loss))


def test_layers_without_activation_or_bias_have_paths():
    check_every_weight(Network([Dense(3, 2), Dense(2, 3, bias=False), Tanh(), Dense(3, 2)], SumSquaredError()))
    check_every_weight(
        Network([Dense(2, 3), Softmax(), Dense(3, 3), Softmax(), Dense(3, 2), Sigmoid()], SumSquaredError())
    )


@settings(max_examples=25, deadline=None)
@given(sizes, st.sampled_from(["relu", "leaky-relu(slope=0.25)", "identity", "hard-sigmoid"]), st.integers(0, 99))
def test_in_rationals_the_path_sum_equals_the_matrix_gradient(sizes, activation, seed):
    network = from_text("-".join(map(str, sizes)), activation=activation)
    weights, (x, y) = network.init(seed), batch_of(network, seed=seed)
    numbers = Rationals()
    tensors = on(numbers.exact, network, weights, x, y)
    truth = true_tensors(network, weights, x, y)
    assert truth.kind == "rational"
    for name, index in starts(network):
        paths = Paths(network, tensors, (name, index), numbers.exact)
        for total in (paths.products.sum(), paths.sums().sum()):
            difference = total - truth.tensors["d" + name]._exact[index]
            assert difference.entries.item() == 0


def graph_of(network, start):
    """The network as a graph library sees it: nodes are entries of tensors, edges lead where a path may go."""
    graph = networkx.DiGraph()
    name, index = start
    layers = [layer for layer in network.layers if not isinstance(layer, Dense)]
    widths = [shape[1] for weight, shape in network.weights.items() if weight[0] == "W"]
    graph.add_edge("start", ("z", int(name[1:]), index[-1]))
    for depth, (width, activation) in enumerate(zip(widths, layers, strict=True), 1):
        couples = isinstance(activation, Softmax)
        for j in range(width):
            graph.add_edges_from((("z", depth, j), ("a", depth, k)) for k in range(width) if couples or j == k)
            following = [("z", depth + 1, k) for k in range(widths[depth])] if depth < len(widths) else ["loss"]
            graph.add_edges_from((("a", depth, j), node) for node in following)
    return graph


@settings(max_examples=25, deadline=None)
@given(sizes, st.sampled_from(["sigmoid", "softmax"]), st.sampled_from(["sigmoid", "softmax"]), st.data())
def test_a_graph_library_counts_as_many_paths(sizes, hidden, last, data):
    network = from_text("-".join(map(str, sizes)), activation=hidden, output_activation=last)
    start = data.draw(st.sampled_from(starts(network)))
    paths = paths_of(network, network.init(0), *batch_of(network), start)
    counted = sum(1 for _ in networkx.all_simple_paths(graph_of(network, start), "start", "loss"))
    assert paths.routes == counted
    assert paths.count == 3 * counted == paths.products.size


def test_paths_beyond_any_enumeration_are_counted_exactly_and_the_largest_found():
    network = from_text("3-" + "40-" * 30 + "1", activation="tanh")
    paths = paths_of(network, network.init(0), *batch_of(network, rows=1), ("W1", (0, 0)))
    assert paths.routes == paths.count == 40**29
    found = [abs(path.product) for path in paths.largest(5)]
    assert found == sorted(found, reverse=True)
    assert 0 < found[0] <= float(paths.magnitudes()[0])


@settings(max_examples=50, deadline=None)
@given(sizes, st.sampled_from(["tanh", "relu", "softmax"]), st.integers(1, 9), st.integers(0, 99), st.data())
def test_the_largest_paths_are_those_of_all(sizes, activation, most, seed, data):
    network = from_text("-".join(map(str, sizes)), activation=activation, loss="mean-squared-error")
    start = data.draw(st.sampled_from(starts(network)))
    paths = paths_of(network, network.init(seed), *batch_of(network, seed=seed), start)
    every = np.sort(np.abs(paths.products), axis=None)[::-1][:most]
    assert [abs(path.product) for path in paths.largest_of_all(most)] == every.tolist()
    found = paths.largest(most)
    assert len({(path.sample, path.route) for path in found}) == len(found) == len(every)
    # The search orders by bounds that are rounded as often as a path has factors, on either side.
    slack = (1 + 2.0**-53) ** (4 * len(paths.steps))
    (branch,) = paths.branches()
    place = {tuple(route): position for position, route in enumerate(branch.routes.tolist())}
    for path, expected in zip(found, every, strict=True):
        assert path.product == paths.products[path.sample, place[path.route]]
        assert abs(path.product) <= expected * slack
        assert expected <= abs(path.product) * slack


@cache
def wrong(kind, start=("W1", (1, 0))):
    """The sum of the paths with one path dropped, added or doubled, and what rounding allows."""
    network = from_text("4-3-2-1")
    weights, (x, y) = network.init(0), batch_of(network, rows=1)
    products = paths_of(network, weights, x, y, start).products.ravel()
    other = paths_of(network, weights, x, y, ("W1", (1, 1))).products.ravel()
    terms = {
        "right": products,
        "dropped": products[1:],
        "added": [*products, other[0]],
        "doubled": [*products, products[1]],
    }
    centre = end_to_end(network, weights, x, y, profile_of("float64")).tensors["dW1"][1, 0]
    return abs(sum(terms[kind]) - centre.value), centre.bound


@pytest.mark.parametrize("kind", ["dropped", "added", "doubled"])
def test_a_path_is_missed_when_it_is(kind):
    difference, allowed = wrong("right")
    assert difference <= allowed
    difference, allowed = wrong(kind)
    assert not difference <= allowed


def test_a_network_deeper_than_an_array_has_axes_has_a_path():
    network = from_text("-".join("1" * 80), activation="softplus")
    paths = paths_of(network, network.init(0), *batch_of(network), ("W2", (0, 0)))
    assert paths.routes == 1
    assert paths.products[:, 0].tolist() == [paths.path(sample, (0,) * 80).product for sample in range(3)]


def test_paths_start_from_inputs_and_outputs_too():
    network = from_text("4-3-2-2", activation="tanh")
    weights, (x, y) = network.init(0), batch_of(network)
    centre, context = end_to_end(network, weights, x, y, profile_of("float64")).tensors, Context(profile_of("float64"))
    bounded = on(context.exact, network, weights, x, y)
    dx = centre["dz1"] @ context.exact(weights["W1"]).T
    for tensor, gradient, routes in (("a1", centre["da1"], 2 * 2), ("x", dx, 3 * 2 * 2)):
        for entry in range(gradient.shape[1]):
            paths = paths_of(network, weights, x, y, (tensor, (entry,)))
            allowed = Paths(network, bounded, (tensor, (entry,)), context.exact).sums().bound + gradient.bound[:, entry]
            assert paths.routes == routes
            assert np.all(np.abs(paths.sums() - gradient.value[:, entry]) <= allowed)


def test_what_arrives_at_a_node_is_its_derivative():
    """By the complex step, which is right to a few ulp, as in test_hand.py."""
    network = from_text("3-4-2-1", activation="tanh")
    weights, (x, y) = network.init(0), batch_of(network)
    moved = weights["W1"].astype(complex)
    moved[2, 1] += 1e-200j
    activations = network.forward({**weights, "W1": moved}, x)
    paths = paths_of(network, weights, x, y, ("W1", (2, 1)))
    for level, arrived in zip(paths.levels[1:-1], paths.arrivals()[1:-1], strict=True):
        expected = activations[level.tensor].imag[:, list(level.entries)] / 1e-200
        assert arrived == pytest.approx(expected, rel=1e-11)
