"""A network is a graph: names, roles and shapes of tensors, gradients that add up, and what cannot be built."""

import numpy as np
import pytest

import harness
from harness.evaluation.given import with_buffers
from impls.hand import (
    Add,
    Concatenate,
    Dense,
    Embedding,
    Graph,
    Input,
    MeanSquaredError,
    Network,
    Relu,
    Sigmoid,
    Split,
    SumSquaredError,
    Tanh,
    node,
)
from tests.graphs.branching import (
    Centring,
    Gain,
    attention,
    batch_of,
    branching,
    functions,
    images,
    normalised,
    pooled,
    positions,
    tokens,
)


def test_a_tensor_knows_its_role_its_shape_and_what_it_belongs_to():
    tensors = branching().tensors
    weight = tensors["fc1.W"]
    assert (weight.role, weight.shape, weight.axes) == ("weight", (4, 6), ("input", "neuron"))
    assert (tensors["act1.a"].role, tensors["act1.a"].sized(7)) == ("activation", (7, 6))
    assert (tensors["fc1.dW"].role, tensors["fc1.dW"].of) == ("gradient", "fc1.W")
    assert (tensors["k"].role, tensors["k"].whole, tensors["k"].choices) == ("input", True, 5)
    assert (tensors["y"].role, tensors["loss"].role, tensors["loss"].shape) == ("target", "loss", ())
    assert positions().tensors["sm.a"].axes == ("sample", "position", "neuron")


def test_what_has_several_readers_has_one_gradient_the_sum_of_their_parts():
    network = branching()
    assert network.link["act1.da"].inputs == ("act1.da:res.dp", "act1.da:fc2.dx")
    assert network.link["fc2.dW"].inputs == ("fc2.dW:again.dW", "fc2.dW:fc2.dW")  # a weight that two nodes share
    assert [name for name in network.weights if name.startswith("again")] == ["again.b"]


@pytest.mark.parametrize("make", [branching, positions, tokens, attention, images, pooled, normalised])
def test_gradients_are_those_of_the_complex_step(make):
    network, step = make(), 1e-100
    weights, (x, y) = network.init(0), batch_of(network, 5)
    x = with_buffers(network, x, network.fresh_buffers())
    gradients = network.backward(weights, x, y, network.forward(weights, x))
    given = {**weights, **network.given(x)}
    for name in network.variables:
        for index in list(np.ndindex(given[name].shape))[:7]:
            moved = {n: a if network.tensors[n].whole else a.astype(complex) for n, a in given.items()}
            moved[name][index] += 1j * step
            fed = {n: moved[n] for n in network.given(x)}
            activations = network.forward({n: moved[n] for n in weights}, fed)
            derivative = network.loss_of(activations, y).imag / step
            assert gradients[network.gradient[name]][index] == pytest.approx(derivative, rel=1e-10, abs=1e-14)


def test_two_activations_in_a_row_and_weights_of_any_name():
    network = Network([Dense(3, 4), Tanh(), Relu(), Gain(4), Dense(4, 2)], MeanSquaredError())
    assert network.activations == ("z1", "a1", "a1_2", "s1", "z2")
    assert network.weights["g1"] == network.init(0)["g1"].shape == (4,)
    assert network.gradients == ("dW1", "db1", "dg1", "dW2", "db2")


def test_buffers_go_from_step_to_step():
    nodes = [node("fc", Dense(3, 4), "x"), node("run", Centring(4), "fc.z"), node("o", Dense(4, 1), "run.s")]
    network = Graph([Input("x", 3)], nodes, MeanSquaredError(), "o.z")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    weights, buffers = network.init(0), network.fresh_buffers()
    assert buffers["run.m"].tolist() == [0] * 4
    activations = network.forward(weights, {"x": x, **buffers})
    assert np.allclose(network.next_buffers(activations)["run.m"], 0.5 * activations["fc.z"].mean(axis=0))
    run = harness.run(network, (x, y), against=["hand"], steps=3)
    assert run.verdict == "PASS"
    assert {row.verdict for row in run.rows if row.gradient == "run.next_m"} == {"ok"}


class WithoutRule:
    reads, gives, weights = "x", "s", {"g": (3,)}

    def forward(self, x, g):
        return x * g


X, K = Input("x", 3), Input("k", (), choices=4)
FC = node("fc", Dense(3, 2), "x")
WRONG = {
    "nothing": lambda: Graph([X], [], MeanSquaredError(), "x"),
    "a name twice": lambda: Graph([X], [FC, FC], MeanSquaredError(), "fc.z"),
    "an input twice": lambda: Graph([X, X], [FC], MeanSquaredError(), "fc.z"),
    "an input called like the target": lambda: Graph(
        [Input("y", 3)], [node("fc", Dense(3, 2), "y")], MeanSquaredError(), "fc.z"
    ),
    "what nobody gives": lambda: Graph([X], [node("fc", Dense(3, 2), "z")], MeanSquaredError(), "fc.z"),
    "a node that comes later": lambda: Graph([X], [node("a", Tanh(), "fc.z"), FC], MeanSquaredError(), "a.a"),
    "sizes": lambda: Graph([X], [node("fc", Dense(4, 2), "x")], MeanSquaredError(), "fc.z"),
    "shapes of a sum": lambda: Graph([X], [FC, node("s", Add(), "fc.z", "x")], MeanSquaredError(), "s.s"),
    "axes of a concatenation": lambda: Graph(
        [X, K], [FC, node("s", Concatenate(), "fc.z", "k")], MeanSquaredError(), "s.s"
    ),
    "a split past the end": lambda: Graph([X], [FC, node("s", Split(2), "fc.z")], MeanSquaredError(), "s.p"),
    "one tensor for two": lambda: Graph([X], [FC, node("s", Add(), "fc.z")], MeanSquaredError(), "s.s"),
    "an output that nobody reads": lambda: Graph([X], [FC, node("t", Tanh(), "fc.z")], MeanSquaredError(), "fc.z"),
    "an input that nobody reads": lambda: Graph([X, K], [FC], MeanSquaredError(), "fc.z"),
    "a loss of nothing": lambda: Graph([X], [FC], MeanSquaredError(), "fc.a"),
    "no weights": lambda: Graph([X], [node("t", Tanh(), "x")], MeanSquaredError(), "t.a"),
    "a shared weight of another shape": lambda: Graph(
        [X], [FC, node("b", Dense(2, 2), "fc.z", W="fc.W")], MeanSquaredError(), "b.z"
    ),
    "a shared weight that is none": lambda: Graph(
        [X], [FC, node("b", Dense(2, 2), "fc.z", V="fc.W")], MeanSquaredError(), "b.z"
    ),
    "a gradient of whole numbers": lambda: Input("k", (), choices=3, gradient=True),
    "a size of nothing": lambda: Input("x", 0),
    "no entries": lambda: Embedding(0, 3),
    "a node called loss": lambda: Graph([X], [node("loss", Dense(3, 2), "x")], MeanSquaredError(), "loss.z"),
    "an embedding of real numbers": lambda: Graph(
        [X], [FC, node("e", Embedding(3, 2), "fc.z")], MeanSquaredError(), "e.e"
    ),
    "whole numbers in a dense layer": lambda: Graph(
        [Input("x", 3, choices=5)], [node("fc", Dense(3, 2), "x")], MeanSquaredError(), "fc.z"
    ),
    "more choices than entries": lambda: Graph([K], [node("e", Embedding(3, 2), "k")], MeanSquaredError(), "e.e"),
    "a layer without a rule": lambda: Graph([X], [node("a", WithoutRule(), "x")], MeanSquaredError(), "a.s"),
    "no layer": lambda: Graph([X], [node("a", object(), "x")], MeanSquaredError(), "a.s"),
    "a layer's class": lambda: Graph([X], [node("a", Dense, "x")], MeanSquaredError(), "a.z"),
    "a loss's class": lambda: Graph([X], [FC], MeanSquaredError, "fc.z"),
    "a layer for a node": lambda: Graph([X], [Dense(3, 2)], MeanSquaredError(), "fc.z"),
    "an input without a list": lambda: Graph(X, [FC], MeanSquaredError(), "fc.z"),
    "a node without a list": lambda: Graph([X], FC, MeanSquaredError(), "fc.z"),
    "nothing for a list": lambda: Graph(None, [FC], MeanSquaredError(), "fc.z"),
    "the loss of a node": lambda: Graph([X], [FC], MeanSquaredError(), FC),
    "the loss of a list": lambda: Graph([X], [FC], MeanSquaredError(), ["fc.z"]),
    "a layer without a list": lambda: Network(Dense(3, 2), MeanSquaredError()),
    "a list of tensors": lambda: node("a", Dense(3, 2), ["x"]),
    "a name with a line break": lambda: node("a\nb", Dense(3, 2), "x"),
    "no name": lambda: Input("", 3),
    "half a size": lambda: Input("x", 3.5),
    "a gradient by word": lambda: Input("x", 3, gradient="no"),
    "two tensors in a row": lambda: Network([Dense(3, 3), Add()], MeanSquaredError()),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_graph_is_not_built_with(what):
    with pytest.raises(ValueError, match=r"^Cannot .*, because .*; "):
        WRONG[what]()


def test_data_that_does_not_fit_is_refused():
    network = branching()
    x, y = batch_of(network, 5)
    for wrong in ({"x": x["x"]}, {**x, "k": x["k"] + 5}, {**x, "u": x["u"][:, :2]}, {**x, "more": x["x"]}):
        with pytest.raises(harness.UsageError, match=r"^Cannot"):
            harness.run(network, (wrong, y), against=["hand"], steps=1)
    with pytest.raises(harness.UsageError, match=r"reads x, u, k;|reads x, u, k too"):
        harness.run(network, (x["x"], y), against=["hand"], steps=1)
    x, y = batch_of(tokens(), 6)
    for wrong, match in ((y[:, 0], r"whole numbers of shape \(6, 5\)"), (y + 4, "labels from 0 to 3")):
        with pytest.raises(ValueError, match=match):
            tokens().check_batch(x, wrong)


def test_whole_numbers_alone_and_arrays_of_more_axes_are_data():
    rng = np.random.default_rng(0)
    tokens = Graph([K], [node("e", Embedding(4, 3), "k"), node("d", Dense(3, 2), "e.e")], MeanSquaredError(), "d.z")
    assert harness.run(tokens, "random", steps=1, against=["hand"]).verdict == "PASS"
    three = Graph([Input("v", (5, 3))], [node("fc", Dense(3, 2), "v")], MeanSquaredError(), "fc.z")
    batch = rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 5, 2))
    assert harness.run(three, batch, steps=1, against=["hand"]).verdict == "PASS"
    nothing = Graph([Input("x", 3, gradient=True)], [node("t", Tanh(), "x")], MeanSquaredError(), "t.a")
    with pytest.raises(harness.UsageError, match="no weights"):
        harness.run(nothing, "random", steps=1)


def test_a_graph_is_the_same_read_back_from_toml_and_from_a_record(tmp_path):
    from harness.results.rebuilding import network_of

    for network in (branching(), positions(), images(), pooled(), normalised(), functions()):
        assert repr(harness.from_toml(harness.to_toml(network))) == repr(network)
        assert repr(network_of(repr(network))) == repr(network)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Network([Dense(4, 3), Sigmoid], SumSquaredError()),
        lambda: Network([Dense, Sigmoid()], SumSquaredError()),
        lambda: Network([Dense(4, 3)], SumSquaredError),
    ],
    ids=["activation", "layer", "loss"],
)
def test_a_class_without_its_brackets_says_so(build):
    with pytest.raises(
        ValueError, match=r"^Cannot build a network with (Sigmoid|Dense|SumSquaredError), because it is"
    ):
        build()
