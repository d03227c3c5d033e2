"""Paths through networks that branch: against the gradient, against every path of the entries, and what is refused."""

import networkx
import numpy as np
import pytest

from harness.arithmetic import Context, profile_of
from harness.evaluation.centre import end_to_end
from harness.evaluation.given import as_numbers, named
from impls.contract import Inputs
from impls.graph import Graph, Input, evaluate, node
from impls.hand import (
    Add,
    Concatenate,
    Dense,
    Embedding,
    MeanSquaredError,
    Multiply,
    Network,
    Relu,
    Sigmoid,
    Softmax,
    Split,
    SumSquaredError,
    Tanh,
)
from impls.hand.paths import Paths

ROWS = 3


class Gated(Dense):
    """z = (x W) * g, with a weight that is called neither W nor b."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, bias=False)

    @property
    def weights(self):
        return {**super().weights, "g": (self.outputs,)}

    def forward(self, x, W, g):
        return (x @ W) * g

    def dx(self, dz, W, g):
        return (dz * g) @ W.T

    def dW(self, dz, x, g):
        return x.T @ (dz * g)

    def dg(self, dz, x, W):
        return (dz * (x @ W)).sum(axis=0)

    apart = {}  # noqa: RUF012


class Centred:
    """What a row has more than the mean over all rows: no row by row layer."""

    reads, gives = "x", "z"

    def forward(self, x):
        return x - x.mean(axis=0)

    def dx(self, dz):
        return dz - dz.mean(axis=0)


def residual(width=2):
    nodes = [
        node("fc1", Dense(3, width), "x"), node("act1", Tanh(), "fc1.z"),
        node("fc2", Dense(width, width), "act1.a"), node("act2", Sigmoid(), "fc2.z"),
        node("res", Add(), "act1.a", "act2.a"), node("head", Dense(width, 2), "res.s"),
    ]  # fmt: skip
    return Graph([Input("x", 3)], nodes, MeanSquaredError(), "head.z")


def joined():
    nodes = [
        node("left", Dense(2, 2), "x"), node("right", Dense(3, 3), "u"), node("act", Relu(), "right.z"),
        node("cat", Concatenate(), "left.z", "act.a"), node("head", Dense(5, 2), "cat.s"),
        node("out", Softmax(), "head.z"),
    ]  # fmt: skip
    return Graph([Input("x", 2), Input("u", 3)], nodes, SumSquaredError(), "out.a")


def tied():
    nodes = [
        node("fc", Dense(2, 2), "x"), node("act", Tanh(), "fc.z"), node("again", Dense(2, 2), "act.a", W="fc.W"),
        node("act2", Tanh(), "again.z"), node("act3", Sigmoid(), "act2.a"),
        node("twice", Multiply(), "act3.a", "act3.a"),
    ]  # fmt: skip
    return Graph([Input("x", 2)], nodes, MeanSquaredError(), "twice.s")


def parted():
    nodes = [
        node("fc", Dense(2, 5), "x"), node("split", Split(2), "fc.z"), node("up", Dense(2, 3), "split.p"),
        node("sum", Multiply(), "up.z", "split.q"),
    ]  # fmt: skip
    return Graph([Input("x", 2)], nodes, SumSquaredError(), "sum.s")


def looked_up():
    nodes = [
        node("emb", Embedding(4, 2), "k"), node("mix", Multiply(), "x", "emb.e"), node("gate", Gated(2, 3), "mix.s"),
        node("act", Tanh(), "gate.z"),
    ]  # fmt: skip
    return Graph([Input("x", 2), Input("k", (), choices=4)], nodes, SumSquaredError(), "act.a")


GRAPHS = {graph.__name__: graph for graph in (residual, joined, tied, parted, looked_up)}


def batch_of(graph, seed=0):
    rng = np.random.default_rng(seed)
    fed = Inputs({
        source.name: rng.integers(0, source.choices, (ROWS, *source.shape)) if source.choices
        else rng.normal(size=(ROWS, *source.shape))
        for source in graph.sources
    })  # fmt: skip
    return fed, rng.normal(size=(ROWS, graph.outputs))


def on_floats(graph, seed=0):
    weights, (x, y) = graph.init(seed), batch_of(graph, seed)
    return evaluate(graph.links_to_loss, named(graph, weights, x, y))


def starts(graph):
    """Every entry of every weight."""
    return [(name, index) for name, shape in graph.weights.items() for index in np.ndindex(shape)]


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_path_sum_is_the_gradient_within_its_bound(graph):
    graph = graph()
    weights, (x, y) = graph.init(1), batch_of(graph, 1)
    context = Context(profile_of("float64"))
    given = as_numbers(graph, named(graph, weights, x, y), context.exact)
    centre = end_to_end(graph, weights, x, y, profile_of("float64")).tensors
    bounded, floats = evaluate(graph.links_to_loss, given), on_floats(graph, 1)
    for name, index in starts(graph):
        paths, allowed = Paths(graph, floats, (name, index)), Paths(graph, bounded, (name, index), context.exact)
        gradient = centre[graph.gradient[name]][index]
        assert paths.products.shape == (ROWS, paths.routes)
        for value, added in (
            (paths.products.sum(), allowed.products.sum()), (paths.sums().sum(), allowed.sums().sum()),
        ):  # fmt: skip
            assert abs(value - gradient.value) <= added.bound + gradient.bound
        magnitudes = np.abs(paths.products).sum()
        assert paths.magnitudes().sum() == pytest.approx(magnitudes, rel=1e-12)


def entries_of(graph, start, index):
    """The graph as a graph library sees it: nodes are entries of tensors, edges lead where a path may go."""
    made = networkx.DiGraph()
    for each in graph.nodes:
        names, layer = graph.names_of(each.name), each.layer
        for given in each.local_gives:
            width = graph.tensors[names[given]].width
            if start in each.reads or start in (names[local] for local in each.weights):
                local = next((local for local in each.weights if names[local] == start), None)
                if local is not None:
                    made.add_edge("start", (names[given], index[-1]))
            for local, name in zip(each.local_reads, each.reads, strict=True):
                if graph.tensors[name].whole:
                    continue
                shift = graph.tensors[names["p"]].width if isinstance(layer, Concatenate) and local == "q" else 0
                shift = -layer.at if isinstance(layer, Split) and given == "q" else shift
                couples = isinstance(layer, Dense | Softmax)
                made.add_edges_from(
                    ((name, i), (names[given], k))
                    for i in range(graph.tensors[name].width)
                    for k in range(width)
                    if couples or k == i + shift
                )
    made.add_edges_from(((graph.output, k), "loss") for k in range(graph.outputs))
    return made


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_a_graph_library_counts_as_many_paths(graph):
    graph = graph()
    floats = on_floats(graph)
    for name, index in starts(graph):
        paths = Paths(graph, floats, (name, index))
        counted = sum(1 for _ in networkx.all_simple_paths(entries_of(graph, name, index), "start", "loss"))
        assert paths.routes == counted == sum(len(branch.routes) for branch in paths.branches())
        assert paths.count == ROWS * counted


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_largest_paths_are_those_of_all(graph):
    graph = graph()
    floats = on_floats(graph)
    for name, index in starts(graph)[::3]:
        paths = Paths(graph, floats, (name, index))
        found = paths.largest(5)
        assert len({(path.sample, path.levels, path.route) for path in found}) == len(found)
        every = np.sort(np.abs(paths.products), axis=None)[::-1][:5]
        assert [abs(path.product) for path in paths.largest_of_all(5)] == every.tolist()
        assert [abs(path.product) for path in found] == pytest.approx(every.tolist(), rel=1e-14)
        known = {
            (branch.levels, tuple(route)): branch.products()[:, place]
            for branch in paths.branches()
            for place, route in enumerate(branch.routes.tolist())
        }
        for path in found:
            assert path.product == known[path.levels, path.route][path.sample]


def test_a_weight_of_any_name_has_the_paths_of_its_own_gradient():
    network = Network([Gated(3, 2), Tanh(), Dense(2, 1)], SumSquaredError())
    weights, (x, y) = network.init(0), batch_of(network)
    activations = network.forward(weights, x)
    gradient = network.backward(weights, x, y, activations)["dg1"]
    tensors = {**x, "y": y, **weights, **activations}
    for place in range(2):
        paths = Paths(network, tensors, ("g1", (place,)))
        assert paths.sums().sum() == pytest.approx(gradient[place], rel=1e-13)
        assert [level.tensor for level in paths.levels] == ["g1", "a1", "z2", "loss"]


def test_a_shared_weight_starts_paths_at_each_use():
    graph = tied()
    paths = Paths(graph, on_floats(graph), ("fc.W", (1, 0)))
    through = {tuple(paths.levels[place].tensor for place in branch.levels) for branch in paths.branches()}
    assert through == {
        ("fc.W", "act.a", "act2.a", "act3.a", "twice.s", "loss"), ("fc.W", "act2.a", "act3.a", "twice.s", "loss"),
    }  # fmt: skip


def test_paths_start_from_inputs_and_from_tensors_inside():
    graph = residual()
    floats = on_floats(graph)
    gradients = graph.backward(graph.init(0), *batch_of(graph), {n: floats[n] for n in graph.activations})
    for name in ("fc1.z", "act1.a", "fc2.z", "res.s"):
        for entry in range(2):
            found = Paths(graph, floats, (name, (entry,))).sums()
            assert found == pytest.approx(gradients[graph.gradient[name]][:, entry], rel=1e-12)
    dx = gradients["fc1.dz"] @ floats["fc1.W"].T
    assert Paths(graph, floats, ("x", (2,))).sums() == pytest.approx(dx[:, 2], rel=1e-12)


def test_more_branches_than_can_be_listed_are_counted_exactly():
    nodes, read = [], "x"
    for depth in range(60):
        nodes += [node(f"fc{depth}", Dense(1, 1), read), node(f"res{depth}", Add(), read, f"fc{depth}.z")]
        read = f"res{depth}.s"
    graph = Graph([Input("x", 1)], nodes, SumSquaredError(), read)
    paths = Paths(graph, on_floats(graph), ("x", (0,)))
    assert paths.routes == 2**60
    found = [abs(path.product) for path in paths.largest(4)]
    assert found == sorted(found, reverse=True)
    assert len(found) == 4


def test_what_has_no_paths_says_where_they_stop():
    nodes = [node("fc", Dense(2, 2), "x"), node("mean", Centred(), "fc.z"), node("head", Dense(2, 1), "mean.z")]
    graph = Graph([Input("x", 2)], nodes, SumSquaredError(), "head.z")
    floats = on_floats(graph)
    with pytest.raises(ValueError, match=r"^Cannot follow paths through mean, .*because it does not work row by row"):
        Paths(graph, floats, ("fc.W", (0, 0)))
    assert Paths(graph, floats, ("head.W", (0, 0))).routes == 1  # behind it there are paths
    positions = Graph([Input("x", (4, 2))], [node("fc", Dense(2, 2), "x")], SumSquaredError(), "fc.z")
    tensors = {"x": np.zeros((1, 4, 2)), "y": np.zeros((1, 4, 2)), **positions.init(0), "fc.z": np.zeros((1, 4, 2))}
    with pytest.raises(ValueError, match=r"^Cannot follow paths through fc\.z of shape \(N, 4, 2\)"):
        Paths(positions, tensors, ("fc.W", (0, 0)))


@pytest.mark.parametrize("start", [("dW1", (0, 0)), ("q9", (0,)), ("y", (0,)), ("W1", (3, 0)), ("W1", (0,))])
def test_a_start_that_does_not_exist_is_refused(start):
    network = Network([Dense(3, 2)], SumSquaredError())
    with pytest.raises(ValueError, match=r"^Cannot follow paths from"):
        Paths(network, on_floats(network), start)
