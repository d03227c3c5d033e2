"""Names with parameters: what is written is what is made, what is printed is what was written."""

import pytest

from impls.hand import (
    AdamW,
    CategoricalCrossEntropy,
    Dense,
    Elu,
    Embedding,
    Graph,
    Huber,
    Input,
    LeakyRelu,
    Network,
    Penalised,
    Scaled,
    SumSquaredError,
    Tanh,
    from_text,
    node,
)
from impls.hand.notation import ACTIVATIONS, LOSSES, LOSSES_IN_TEXT, OPTIMIZERS, describe, name_of
from impls.hand.parsing import made

NAMES = [(kind, table, name) for kind, table in
         [("activation", ACTIVATIONS), ("loss", LOSSES), ("optimizer", OPTIMIZERS)] for name in table]  # fmt: skip


@pytest.mark.parametrize(("kind", "table", "name"), NAMES, ids=[name for *_, name in NAMES])
def test_every_name_is_read_and_printed_back(kind, table, name):
    part = made(kind, table, name)
    assert name_of(part) == name
    assert repr(made(kind, table, name.replace("-", "_"))) == repr(part)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("leaky-relu(slope=0.2)", LeakyRelu(0.2)), ("elu( alpha = 3 )", Elu(3)), ("huber(delta=1e-3)", Huber(1e-3)),
        ("adamw(lr=0.5, beta1=0)", AdamW(0.5, beta1=0)), ("leaky-relu()", LeakyRelu()),
        ("leaky-relu(slope=-0.5)", LeakyRelu(-0.5)),
        ("sum-squared-error(by=0.5)", Scaled(SumSquaredError(), 0.5)), ("huber(delta=2, by=3)", Scaled(Huber(2), 3)),
        ("huber(l2=0.01)", Penalised(Huber(), l2=0.01)), ("huber(l2=1, half=True)", Penalised(Huber(), 1, half=True)),
        (
            "categorical-cross-entropy(epsilon=1e-7, by=2, l1=0.5, mean=True, biases=True)",
            Penalised(Scaled(CategoricalCrossEntropy(1e-7), 2), l1=0.5, mean=True, biases=True),
        ),
    ],
    ids=str,
)  # fmt: skip
def test_parameters_stand_in_brackets(text, part):
    table = {**ACTIVATIONS, **LOSSES_IN_TEXT, **OPTIMIZERS}
    assert repr(made("part", table, text)) == repr(part)
    assert repr(made("part", table, name_of(part))) == repr(part)


def test_a_network_prints_the_parameters_that_are_not_the_usual_ones():
    network = from_text("4-3-1", activation="leaky-relu(slope=0.2)", output_activation="elu", loss="huber(delta=2)")
    assert describe(network) == "4-3-1 leaky-relu(slope=0.2) then elu"
    assert (
        repr(network) == "Network([Dense(4, 3), LeakyRelu(slope=0.2), Dense(3, 1), Elu(alpha=1.0)], Huber(delta=2.0))"
    )


def test_the_last_activation_is_the_one_that_the_loss_needs():
    for loss, last in [
        ("cross-entropy", "Identity()"),
        ("binary-cross-entropy", "Sigmoid()"),
        ("huber", "Tanh()"),
        ("categorical-cross-entropy(by=2, l2=1)", "Softmax()"),
    ]:
        assert repr(from_text("4-3-2", activation="tanh", loss=loss).layers[-1]) == last


WRONG = {
    "a name": "reluu",
    "a parameter": "elu(alhpa=1)",
    "a value": "elu(alpha=-1)",
    "a type": "elu(alpha='1')",
    "code": "elu(alpha=__import__('os'))",
    "half a bracket": "elu(alpha=1",
    "two brackets": "elu(alpha=1)(alpha=2)",
    "a parameter twice": "elu(alpha=1, alpha=2)",
    "no name": "(alpha=1)",
    "a place": "elu(1)",
    "stars": "elu(**{'alpha': 1})",
    "depth": "elu(alpha=" + "(" * 500 + ")" * 500 + ")",
    "a parameter it has not": "relu(slope=1)",
    "infinity": "elu(alpha=1e999)",
}


@pytest.mark.parametrize("what", WRONG)
def test_an_activation_is_not_made_from_wrong(what):
    with pytest.raises(ValueError, match=r"^Cannot .*, because .*; "):
        made("activation", ACTIVATIONS, WRONG[what])


def test_a_rate_given_twice_is_refused():
    with pytest.raises(ValueError, match="two values"):
        made("optimizer", OPTIMIZERS, "adam(lr=0.1)", lr=0.2)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([Dense(6, 5), Tanh(), Dense(5, 2), Tanh()], "6-5-2 tanh"),
        ([Dense(6, 5), Tanh(), Dense(5, 2)], "6-5-2 tanh then identity"),
        ([Dense(6, 5), Tanh(), Dense(5, 2, bias=False)], "6-5-2 tanh then identity, layer 2 without bias"),
        ([Dense(6, 5, bias=False), Tanh(), Dense(5, 2, bias=False), Tanh()], "6-5-2 tanh, without bias"),
        ([Dense(6, 5), Dense(5, 2), Tanh()], "6-5-2 identity then tanh"),
    ],
)
def test_networks_that_differ_in_activations_or_biases_have_other_names(layers, told):
    assert describe(Network(layers, SumSquaredError())) == told


def test_a_graph_is_told_by_how_many_nodes_and_weights_it_has():
    one = Graph([Input("x", 1)], [node("fc", Dense(1, 1, bias=False), "x")], SumSquaredError(), "fc.z")
    assert describe(one) == "graph of 1 node on x 1, 1 weight, output fc.z"
    nodes = [node("e", Embedding(1, 50), "k"), node("fc", Dense(50, 40), "e.e")]
    two = Graph([Input("k", (), choices=1)], nodes, SumSquaredError(), "fc.z")
    assert describe(two) == "graph of 2 nodes on k 1 of 1 choice, 2,090 weights, output fc.z"
