"""Penalties: what they add to the loss and to gradients, of which weights, in a chain and where weights are shared."""

import numpy as np
import pytest

from impls.hand import Dense, Embedding, Huber, MeanSquaredError, Network, Penalised, Scaled, SumSquaredError, Tanh
from tests.graphs.branching import batch_of, branching

PENALTIES = {
    "l2": {"l2": 0.3},
    "half": {"l2": 0.3, "half": True},
    "over N": {"l2": 0.3, "mean": True},
    "biases": {"l2": 0.3, "biases": True},
    "l1": {"l1": 0.2},
    "all": {"l2": 0.3, "l1": 0.2, "half": True, "mean": True, "biases": True},
}


def expected(weights, rows, l2=0.0, l1=0.0, half=False, mean=False, biases=False):
    """Value and gradients of a penalty, written out weight by weight."""
    value, gradients = 0.0, {name: np.zeros_like(w) for name, w in weights.items()}
    for name, w in weights.items():
        if w.ndim == 1 and not biases:
            continue
        for index in np.ndindex(w.shape):
            before, by = (l2 / 2, l2) if half else (l2, 2 * l2)
            value += before * w[index] ** 2 + l1 * abs(w[index])
            gradients[name][index] = by * w[index] + l1 * (1 if w[index] > 0 else -1)
    n = rows if mean else 1
    return value / n, {name: gradient / n for name, gradient in gradients.items()}


def passes(network, weights, x, y):
    activations = network.forward(weights, x)
    return network.loss_of({**weights, **activations}, y), network.backward(weights, x, y, activations)


def chain():
    return Network([Dense(4, 3), Tanh(), Dense(3, 2)], Scaled(MeanSquaredError(), 3))


@pytest.mark.parametrize("given", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("made", [chain, branching], ids=["chain", "graph with a shared weight"])
def test_a_penalty_is_added_to_the_loss_and_to_each_gradient_once(made, given):
    plain = made()
    penalised = plain.with_loss(Penalised(plain.loss, **given))
    weights, (x, y) = plain.init(1), batch_of(plain, 7)
    added, to_gradients = expected(weights, 7, **given)
    (loss, gradients), (more, other) = (passes(network, weights, x, y) for network in (plain, penalised))
    assert more == pytest.approx(loss + added, rel=1e-14)
    assert penalised.gradients == plain.gradients
    assert gradients.keys() == other.keys()  # no part of a sum among them
    for name in weights:
        gradient = plain.gradient[name]
        np.testing.assert_allclose(other[gradient], gradients[gradient] + to_gradients[name], rtol=1e-12, atol=1e-15)
    for name in plain.activations:
        if name in plain.gradient:
            np.testing.assert_array_equal(other[plain.gradient[name]], gradients[plain.gradient[name]])


def test_the_gradient_of_a_penalised_weight_is_a_sum_of_hidden_parts():
    network = Network([Dense(4, 3), Tanh(), Dense(3, 2)], Penalised(SumSquaredError(), l2=0.1))
    assert network.link["dW1"].inputs == ("dW1:loss.dw", "dW1:dW1")
    assert network.link["db1"].inputs == ("dz1",)
    assert {t.name for t in network.tensors.values() if t.through} == {
        "dW1:loss.dw", "dW1:dW1", "dW2:loss.dw", "dW2:dW2",
    }  # fmt: skip
    assert network.link["loss"].inputs == ("z2", "y", "W1", "W2")


def test_a_network_with_another_loss_has_the_same_nodes_and_names():
    network = branching()
    other = network.with_loss(SumSquaredError())
    assert repr(other.loss) == "SumSquaredError()"
    assert (other.nodes, other.sources, other.output) == (network.nodes, network.sources, network.output)
    assert other.gradients == network.gradients
    assert type(chain().with_loss(Huber())) is Network
    with pytest.raises(ValueError, match="Cannot build a network with"):
        network.with_loss("huber")


WRONG = {
    "nothing": lambda: Penalised(Huber()),
    "a negative one": lambda: Penalised(Huber(), l2=-1),
    "no number": lambda: Penalised(Huber(), l1="1"),
    "not finite": lambda: Penalised(Huber(), l2=float("inf")),
    "half of no square": lambda: Penalised(Huber(), l1=1, half=True),
    "half a choice": lambda: Penalised(Huber(), l2=1, half=0.5),
    "biases by number": lambda: Penalised(Huber(), l2=1, biases=1),
    "twice": lambda: Penalised(Penalised(Huber(), l2=1), l1=1),
    "a scaled penalty": lambda: Scaled(Penalised(Huber(), l2=1), 2),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_penalty_is_refused(what):
    with pytest.raises(ValueError, match=r"^Cannot .*, because .*; "):
        WRONG[what]()


def test_a_gain_or_bias_has_one_axis_and_an_embedding_two():
    shapes = {"b": (3,), "W": (3, 2), "emb.W": Embedding(5, 2).weights["W"]}
    assert Penalised(Huber(), l2=1).penalised(shapes) == ("W", "emb.W")
    assert Penalised(Huber(), l2=1, biases=True).penalised(shapes) == ("b", "W", "emb.W")
    assert Huber().penalised(shapes) == ()
