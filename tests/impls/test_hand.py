"""The hand code against derivatives taken in other ways, and its construction."""

from fractions import Fraction

import numpy as np
import pytest

from impls.hand import (
    Adam,
    Dense,
    GradientDescent,
    HardSigmoid,
    Identity,
    LeakyRelu,
    MeanSquaredError,
    Momentum,
    Network,
    Relu,
    Scaled,
    SoftmaxCrossEntropy,
    Split,
    SumSquaredError,
    Tanh,
    from_text,
)
from impls.hand_numpy import HandUpdater


def loss_at(network, weights, x, y):
    return network.loss_of({**weights, **network.forward(weights, x)}, y)


@pytest.mark.parametrize("loss", ["sum-squared-error", "mean-squared-error"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "identity"])
def test_every_weight_gradient_is_the_complex_step_derivative(activation, loss):
    """Im f(w + ih) / h has no cancellation, so it is the derivative to a few ulp (Squire and Trapp, 1998)."""
    network = from_text("4-3-2-2", activation=activation, loss=loss)
    rng = np.random.default_rng(1)
    weights, x, y = network.init(1), rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    gradients = network.backward(weights, x, y, network.forward(weights, x))
    step = 1e-200
    for name, weight in weights.items():
        for index in np.ndindex(weight.shape):
            moved = {n: w.astype(complex) for n, w in weights.items()}
            moved[name][index] += 1j * step
            derivative = loss_at(network, moved, x, y).imag / step
            assert gradients["d" + name][index] == pytest.approx(derivative, rel=1e-11, abs=1e-14)


def test_cross_entropy_and_relu_gradients_are_central_differences():
    network = from_text("4-5-3", activation="relu", loss="cross-entropy")
    rng = np.random.default_rng(2)
    weights, x, y = network.init(2), rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    gradients = network.backward(weights, x, y, network.forward(weights, x))
    for name, weight in weights.items():
        for index in np.ndindex(weight.shape):
            ends = []
            for sign in (1, -1):
                moved = {n: w.copy() for n, w in weights.items()}
                moved[name][index] += sign * 1e-5
                ends.append(loss_at(network, moved, x, y))
            assert gradients["d" + name][index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-9)


def test_at_a_kink_the_documented_side_is_taken():
    ones = np.ones(3)
    assert Relu().dz(ones, np.array([-1.0, 0.0, 1.0])).tolist() == [0, 0, 1]
    assert LeakyRelu(slope=0.25).dz(ones, np.array([-1.0, 0.0, 1.0])).tolist() == [0.25, 0.25, 1]
    assert HardSigmoid().dz(6 * ones, np.array([-3.0, 0.0, 3.0])).tolist() == [0, 1, 0]


def test_a_dense_layer_is_exact_in_fractions():
    """The same lines on rational numbers: equality, no tolerance."""

    def exact(rows):
        return np.array([[Fraction(v, 7) for v in row] for row in rows], dtype=object)

    layer = Dense(2, 3)
    x, W, dz = exact([[1, -2], [3, 5]]), exact([[1, 2, 3], [-4, 5, 6]]), exact([[1, 0, -1], [2, 3, 4]])
    b = np.array([Fraction(1, 3)] * 3, dtype=object)
    z = layer.forward(x, W, b)
    assert z[1, 2] == Fraction(3, 7) * Fraction(3, 7) + Fraction(5, 7) * Fraction(6, 7) + Fraction(1, 3)
    assert layer.dW(dz, x)[1, 0] == Fraction(-2, 49) + Fraction(10, 49)
    assert layer.db(dz).tolist() == [Fraction(3, 7), Fraction(3, 7), Fraction(3, 7)]
    assert layer.dx(dz, W)[0, 1] == Fraction(-4, 49) - Fraction(6, 49)


def test_losses_are_sums_and_means_as_stated():
    a, y = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.0, 2.0], [1.0, 1.0]])
    assert SumSquaredError().forward(a, y) == 1 + 0 + 4 + 16
    assert MeanSquaredError().forward(a, y) == 21 / 4
    uniform = np.zeros((3, 4))
    assert SoftmaxCrossEntropy().forward(uniform, np.array([0, 1, 3])) == pytest.approx(np.log(4))


def test_names_follow_one_law():
    network = from_text("4-3-2-1")
    assert list(network.weights) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert network.gradients == ("dW1", "db1", "dW2", "db2", "dW3", "db3")
    assert network.activations == ("z1", "a1", "z2", "a2", "z3", "a3")
    weights, x, y = network.init(0), np.ones((2, 4)), np.ones((2, 1))
    gradients = network.backward(weights, x, y, network.forward(weights, x))
    assert set(gradients) == {"d" + name for name in (*network.weights, *network.activations)}


def test_init_follows_its_documented_scheme():
    network = from_text("100-50-1")
    weights, again = network.init(7), network.init(7)
    assert all(np.array_equal(weights[n], again[n]) for n in weights)
    assert not np.array_equal(weights["W1"], network.init(8)["W1"])
    limit = np.sqrt(6 / 150)
    assert 0.98 * limit < np.abs(weights["W1"]).max() <= limit
    assert np.abs(weights["b1"]).max() <= 0.1
    drawn = np.random.default_rng(7).uniform(-limit, limit, (100, 50))
    assert np.array_equal(weights["W1"], drawn)
    assert network.init(7, np.float32)["W1"].dtype == np.float32


def test_z_and_a_never_share_a_buffer():
    network = Network([Dense(2, 2), Identity()], SumSquaredError())
    tensors = network.forward(network.init(0), np.ones((1, 2)))
    assert not np.shares_memory(tensors["z1"], tensors["a1"])


WRONG = {
    "no layers": lambda: Network([], SumSquaredError()),
    "an activation first": lambda: Network([Tanh()], SumSquaredError()),
    "sizes": lambda: Network([Dense(2, 3), Dense(4, 1)], SumSquaredError()),
    "two outputs in a row": lambda: Network([Dense(2, 3), Split(1), Dense(2, 1)], SumSquaredError()),
    "no inputs": lambda: Dense(0, 1),
    "text": lambda: from_text("4--1"),
    "one size": lambda: from_text("4"),
    "a huge size": lambda: from_text("4-99999999999999-1"),
    "a zero": lambda: from_text("4-0-1"),
    "a name": lambda: from_text("4-1", activation="sigmiod"),
    "a parameter": lambda: from_text("4-1", activation="elu(alfa=1)"),
    "an endless parameter": lambda: from_text("4-1", activation=f"elu(alpha={10**400})"),
    "a scaled loss to scale": lambda: Scaled(Scaled(SumSquaredError(), 2), 2),
    "a rate": lambda: GradientDescent(float("nan")),
    "a share": lambda: Momentum(0.1, mu=1.0),
    "targets": lambda: SumSquaredError().check_targets((3, 1), np.ones(3)),
    "labels": lambda: SoftmaxCrossEntropy().check_targets((2, 3), np.array([0, 3])),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_network_is_not_built_with_wrong(what):
    with pytest.raises(ValueError, match=r"^Cannot .*, because .*; "):
        WRONG[what]()


def test_targets_do_not_broadcast():
    network = from_text("2-1")
    with pytest.raises(ValueError, match="entry by entry"):
        network.loss_of(network.forward(network.init(0), np.ones((3, 2))), np.ones(3))


def test_adam_is_kingma_and_bas_algorithm_1():
    rng, adam = np.random.default_rng(0), Adam(lr=0.1)
    weights = {"W1": rng.normal(size=(2, 2))}
    updater, W = HandUpdater(adam, weights), weights["W1"].copy()
    m = v = 0.0
    for t in range(1, 6):
        g = rng.normal(size=(2, 2))
        m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
        W = W - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        weights = dict(updater.update(weights, {"dW1": g}).weights)
        assert weights["W1"] == pytest.approx(W, rel=1e-14)


def test_momentum_keeps_a_running_sum():
    updater = HandUpdater(Momentum(0.5, mu=0.5), {"W1": np.zeros(1)})
    first = updater.update({"W1": np.zeros(1)}, {"dW1": np.ones(1)})
    second = updater.update(first.weights, {"dW1": np.ones(1)})
    assert (first.weights["W1"][0], second.weights["W1"][0]) == (-0.5, -0.5 - 0.75)
    assert second.state["mW1"][0] == 1.5
