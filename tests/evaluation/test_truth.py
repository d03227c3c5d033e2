"""The truth of a network: exact or enclosed, sharp enough to judge by, and as text."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.arithmetic import profile_of
from harness.arithmetic.balls import Balls
from harness.arithmetic.rationals import Rationals
from harness.arithmetic.true_values import TrueTensor, decimal
from harness.evaluation import truth as module
from harness.evaluation.centre import end_to_end
from harness.evaluation.truth import CannotCertifyError, refuse_uncertifiable, true_tensors, why_irrational
from impls.hand import Dense, Network, Relu, SumSquaredError, Tanh, from_text
from impls.hand.notation import ACTIVATIONS, LOSSES

RATIONAL_ACTIVATIONS = ["relu", "leaky-relu", "leaky-relu(slope=-0.3)", "hard-sigmoid", "identity"]
RATIONAL_LOSSES = ["sum-squared-error", "mean-squared-error", "huber(delta=0.1)", "mean-absolute-error", "hinge"]


def batch_of(network, seed, rows, scale=1.0):
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(size=(rows, network.inputs))
    if network.loss.labels:
        return x, rng.integers(0, network.outputs, rows)
    y = rng.normal(size=(rows, network.outputs))
    return x, (y > 0).astype(float) if network.loss.unit_targets else y


def bounds_of(network, weights, x, y):
    return end_to_end(network, weights, x, y, profile_of("float64")).tensors


def below(bounded):
    return {name: tensor.bound for name, tensor in bounded.items()}


def fractions_of(tensor):
    numbers, entries = tensor._numbers, tensor._exact.entries.flat
    return [numbers.midpoint(entry) for entry in entries]


def test_the_true_gradient_of_one_neuron_is_the_one_found_by_hand():
    """L = (s(w x + b) - y)^2 at w = 0.5, x = 2, b = -1: s(0) = 1/2, and dL/dw = 2 (1/2 - y) 1/4 x."""
    weights = {"W1": np.array([[0.5]]), "b1": np.array([-1.0])}
    truth = true_tensors(from_text("1-1"), weights, np.array([[2.0]]), np.array([[0.25]]))
    assert (truth.kind, truth.bits, truth.undecided) == ("ball", 256, 0)
    gradient = truth.tensors["dW1"]
    assert abs(gradient.value[0, 0] - 0.25) <= gradient.radius[0, 0] < 1e-70
    assert gradient.digits((0, 0), 12) == "0.250000000000"


def test_a_network_of_dense_and_relu_has_an_exact_gradient():
    network = from_text("2-1", activation="relu")
    weights = {"W1": np.array([[0.1], [0.2]]), "b1": np.array([0.3])}
    truth = true_tensors(network, weights, np.array([[1.0, 3.0]]), np.array([[0.5]]))
    assert (truth.kind, truth.bits, truth.undecided) == ("rational", None, 0)
    assert not truth.tensors["dW1"].radius.any()
    # 0.1, 0.2 and 0.3 are the doubles: their binary digits show.
    assert truth.tensors["z1"].digits((0, 0), 30) == "1.00000000000000002775557561563"


def test_a_precision_that_is_given_is_taken():
    network = from_text("2-1", activation="relu")
    truth = true_tensors(network, network.init(0), np.ones((1, 2)), np.zeros((1, 1)), bits=200)
    assert (truth.kind, truth.bits) == ("ball", 200)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_network_itself_runs_on_balls_and_rationals(loss):
    """Forward, loss and backward as a user calls them, targets checked on the way."""
    network = from_text("3-2-2", activation="relu", loss=loss)
    weights, (x, y) = network.init(0), batch_of(network, 0, 4)
    truth = true_tensors(network, weights, x, y, bits=128)
    for numbers in [Balls(128)] + [Rationals()] * (why_irrational(network, 4) is None):
        given_ = {name: numbers.exact(w) for name, w in weights.items()}
        targets = y if network.loss.labels else numbers.exact(y)
        activations = network.forward(given_, numbers.exact(x))
        found = network.backward(given_, numbers.exact(x), targets, activations)
        found["loss"] = network.loss_of({**given_, **activations}, targets)
        assert all(np.array_equal(TrueTensor(t).value, truth.tensors[name].value) for name, t in found.items())
    if network.loss.unit_targets:
        with pytest.raises(ValueError, match="give numbers from 0 to 1"):
            network.loss_of(network.forward(weights, x), 2 + y)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rationals_are_taken_wherever_no_function_is_irrational(activation, loss):
    network = from_text("2-2-2", activation=activation, output_activation=activation, loss=loss)
    rational = activation in ("relu", "leaky-relu", "hard-sigmoid", "identity") and loss in (
        "sum-squared-error", "mean-squared-error", "huber", "mean-absolute-error", "hinge",
    )  # fmt: skip
    assert (why_irrational(network, 1) is None) == rational
    x, y = batch_of(network, 0, 2)
    y = np.abs(y).astype(y.dtype)
    assert true_tensors(network, network.init(0), x, y).kind == ("rational" if rational else "ball")


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(["1-1", "2-3-1", "4-3-2", "3-4-3-2"]),
    activation=st.sampled_from(RATIONAL_ACTIVATIONS),
    loss=st.sampled_from(RATIONAL_LOSSES),
    rows=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-12, 1.0, 1e3]),
    bits=st.sampled_from([53, 128, 700]),
)
def test_balls_hold_the_exact_gradient(text, activation, loss, rows, seed, scale, bits):
    network = from_text(text, activation=activation, loss=loss)
    weights, (x, y) = network.init(seed), batch_of(network, seed, rows, scale)
    exact = true_tensors(network, weights, x, y)
    balls = true_tensors(network, weights, x, y, bits=bits)
    assert (exact.kind, balls.kind) == ("rational", "ball")
    assert set(exact.tensors) == set(balls.tensors) == {link.output for link in network.links}
    for name, tensor in exact.tensors.items():
        radii = balls.tensors[name].radius.flat
        for true, middle, radius in zip(fractions_of(tensor), fractions_of(balls.tensors[name]), radii, strict=True):
            assert abs(true - middle) <= Fraction(float(radius)), name


def test_fractions_find_what_flint_finds(monkeypatch):
    network = from_text("3-4-3-2", activation="leaky-relu")
    weights, (x, y) = network.init(0), batch_of(network, 0, 3)
    by_flint = true_tensors(network, weights, x, y)
    monkeypatch.setitem(sys.modules, "flint", None)
    by_fractions = true_tensors(network, weights, x, y)
    assert isinstance(by_fractions.tensors["dW1"]._exact.entries[0, 0], Fraction)
    for name, tensor in by_flint.tensors.items():
        assert fractions_of(tensor) == fractions_of(by_fractions.tensors[name])


@settings(max_examples=100, deadline=None)
@given(
    text=st.sampled_from(["2-3-1", "4-3-2", "5-8-4-3"]),
    activation=st.sampled_from([*ACTIVATIONS, "leaky-relu(slope=-0.3)", "elu(alpha=3)", "softplus(threshold=1)"]),
    loss=st.sampled_from([*LOSSES, "huber(delta=0.01)", "binary-cross-entropy(clamp='torch')"]),
    rows=st.sampled_from([1, 2, 9]),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-100, 1e-12, 1e-2, 1.0, 4.0, 16.0, 1e20, 1e100]),
    data_scale=st.sampled_from([1e-300, 1e-30, 1e-6, 1.0, 16.0, 1e30, 1e150]),
)
@example("2-3-1", "relu", "mean-absolute-error", 2, 1, 1e100, 1e150)  # what overflowed to NaN once decided a sign
def test_the_float64_centre_is_within_its_bound_of_the_truth(text, activation, loss, rows, seed, scale, data_scale):
    network = from_text(text, activation=activation, loss=loss)
    weights = {name: w * scale for name, w in network.init(seed).items()}
    x, y = batch_of(network, seed, rows, data_scale)
    bounded = bounds_of(network, weights, x, y)
    truth = true_tensors(network, weights, x, y, below=below(bounded))
    for name, tensor in bounded.items():
        known = np.isfinite(tensor.bound) & np.isfinite(tensor.value)
        with np.errstate(invalid="ignore"):
            within = truth.tensors[name].distance(tensor.value) <= tensor.bound
        assert np.all(within | ~known), name
    # What is not known sharply is behind a kink that no precision decides.
    assert truth.shortfall is None or truth.undecided


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_a_formula_that_is_wrong_by_a_factor_of_1_plus_1e_12_is_outside(activation):
    network = from_text("4-3-2-1", activation=activation)
    weights, (x, y) = network.init(0), batch_of(network, 0, 5)
    bounded = bounds_of(network, weights, x, y)
    truth = true_tensors(network, weights, x, y, below=below(bounded))
    for name in network.gradients:
        value, bound, true = bounded[name].value, bounded[name].bound, truth.tensors[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = np.unravel_index(int(np.argmin(bound / np.abs(value))), value.shape)
        wrong = value.copy()
        wrong[seen] *= 1 + 1e-12
        assert np.argwhere(true.distance(wrong) > bound).tolist() == [list(seen)], name


def a_tie_of_two_tanhs():
    """Two equal neurons, one minus the other: the relu behind them is exactly on its kink, and no ball can tell."""
    network = Network([Dense(1, 2), Tanh(), Dense(2, 1), Relu()], SumSquaredError())
    weights = {"W1": np.full((1, 2), 0.3), "b1": np.zeros(2), "W2": np.array([[1.0], [-1.0]]), "b2": np.zeros(1)}
    network.init = lambda seed, dtype: {name: w.astype(dtype) for name, w in weights.items()}
    return network, weights, np.array([[0.5]]), np.array([[1.0]])


def test_a_kink_that_no_precision_decides_is_counted_and_enclosed_and_said():
    network, weights, x, y = a_tie_of_two_tanhs()
    truth = true_tensors(network, weights, x, y, below=below(bounds_of(network, weights, x, y)))
    assert (truth.bits, truth.undecided) == (2048, 1)
    assert truth.shortfall == (
        f"balls around {', '.join(truth.wide)} are not far below their bounds with 2048 bits, the most that are tried; "
        f"comparisons undecided: 1"
    )
    assert set(truth.wide) == {"dz2", "dW2", "db2", "da1", "dz1", "dW1", "db1"}
    assert set(truth.judging) == {"z1", "a1", "z2", "a2", "loss", "da2"}
    dz2 = truth.tensors["dz2"]  # of da2 = -2, all or nothing
    assert 2 <= dz2.distance(np.array([[0.0]])) <= 2 * (1 + 2.0**-28)  # radii have 30 bits
    assert dz2.radius[0, 0] >= 1
    assert dz2.digits((0, 0), 10) == "0"


def test_a_kink_that_the_truth_decides_is_decided():
    """0.1 x - 0.1 x is exactly 0, in rationals and in balls."""
    network = from_text("2-1", activation="relu")
    weights = {"W1": np.array([[0.1], [-0.1]]), "b1": np.zeros(1)}
    x, y = np.array([[3.0, 3.0]]), np.array([[1.0]])
    for options in ({}, {"bits": 128}):
        truth = true_tensors(network, weights, x, y, **options)
        assert truth.undecided == 0
        assert truth.tensors["dz1"].value.tolist() == [[0.0]]


def test_precision_grows_until_the_balls_are_far_below_what_they_judge():
    network = from_text("4-3-2-1")
    weights, (x, y) = network.init(0), batch_of(network, 0, 5)
    bounds = below(bounds_of(network, weights, x, y))
    assert true_tensors(network, weights, x, y, below=bounds).bits == 128
    for factor, bits in ((1e-20, 256), (1e-80, 512)):
        narrow = {name: bound * factor for name, bound in bounds.items()}
        truth = true_tensors(network, weights, x, y, below=narrow)
        assert (truth.bits, truth.shortfall) == (bits, None)
        assert all(np.all(2.0**53 * truth.tensors[name].radius <= bound) for name, bound in narrow.items())


def test_what_would_take_too_much_memory_is_refused_before_it_is_tried(monkeypatch):
    with pytest.raises(CannotCertifyError) as refused:
        refuse_uncertifiable(from_text("2500-2500-2500"), 10)
    assert str(refused.value) == (
        "Cannot find the true values of this network, because its balls would take about 5.1 GB of memory and 4 GB "
        "are allowed; choose smaller layers or a smaller batch."
    )
    network = from_text("4-3-2-1")
    weights, (x, y) = network.init(0), batch_of(network, 0, 5)
    narrow = {name: bound * 1e-20 for name, bound in below(bounds_of(network, weights, x, y)).items()}
    monkeypatch.setattr(module, "MOST_BYTES", module.memory(network, 5, 128))
    truth = true_tensors(network, weights, x, y, below=narrow)
    assert truth.bits == 128
    assert "with 128 bits, and 256 would take about 0.0 GB of memory, more than is allowed" in truth.shortfall
    assert "undecided" not in truth.shortfall


def test_without_flint_balls_are_refused_and_large_rationals_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    network = from_text("2-2-1")
    with pytest.raises(CannotCertifyError) as refused:
        true_tensors(network, network.init(0), np.ones((1, 2)), np.ones((1, 1)))
    assert str(refused.value) == (
        "Cannot find the true values of this network, because exp is irrational, and balls need python-flint, which is "
        "not installed; pip install 'backprop-harness[exact]'."
    )
    with pytest.raises(CannotCertifyError, match="1,200,640 multiply-adds are too many for exact rationals"):
        refuse_uncertifiable(from_text("64-128-64-10", activation="relu"), 28)
    refuse_uncertifiable(from_text("4-3-2-1", activation="relu"), 150)


def test_numbers_that_are_not_finite_are_refused():
    network = from_text("2-1", activation="relu")
    for x, weight in ((np.nan, 1.0), (1.0, np.inf)):
        weights = {"W1": np.full((2, 1), weight), "b1": np.zeros(1)}
        with pytest.raises(CannotCertifyError, match="not finite"):
            true_tensors(network, weights, np.array([[1.0, x]]), np.zeros((1, 1)))


def test_value_and_tail_hold_a_hundred_bits_of_the_midpoint():
    third = TrueTensor(Rationals().exact(np.ones(1)) / 3)
    assert third.value[0] == 1 / 3
    assert abs(Fraction(third.value[0]) + Fraction(third.tail[0]) - Fraction(1, 3)) < Fraction(2) ** -107
    assert third.distance(np.array([1 / 3]))[0] == abs(third.tail[0]) == pytest.approx(2.0**-54 / 3, rel=1e-15)
    ball = TrueTensor(Balls(200).exact(np.ones(1)) / 3)
    assert (ball.value, ball.tail) == (third.value, third.tail)
    assert 0 < ball.radius[0] < 2.0**-200


def test_values_beyond_float64_are_infinite_and_those_below_it_0():
    for numbers in (Rationals(), Rationals(flint=False), Balls(128)):
        huge, tiny = numbers.exact(np.array([1e200, -1e200])), numbers.exact(np.array([1e-200]))
        assert TrueTensor(huge * np.absolute(huge)).value.tolist() == [np.inf, -np.inf]
        assert TrueTensor(huge * np.absolute(huge)).tail.tolist() == [0, 0]
        assert TrueTensor(tiny * tiny).value.tolist() == [0.0]
        assert TrueTensor(tiny * tiny).digits(0, 3) == "1.00e-400"


def test_a_radius_below_the_least_float_is_not_rounded_to_0():
    ball = TrueTensor(np.exp(Balls(128).exact(np.array([-740.0]))))
    assert ball.radius[0] > 0
    assert ball.text_radius(0) == "5e-324"


@pytest.mark.parametrize(
    ("fraction", "digits", "text"),
    [
        (Fraction(0), 5, "0"), (Fraction(1, 3), 3, "0.333"), (Fraction(-2, 3), 3, "-0.667"),
        (Fraction(999_999), 3, "1.00e+06"), (Fraction(999), 3, "999"), (Fraction(9_996, 10), 3, "1.00e+03"),
        (Fraction(1, 10_000), 2, "0.00010"), (Fraction(1, 100_000), 2, "1.0e-05"), (Fraction(5, 2), 1, "2"),
        (Fraction(3935413388074668808507, 10**27), 22, "3.935413388074668808507e-06"),
        (Fraction(10) ** 400, 4, "1.000e+400"), (Fraction(10**22 - 1, 10**22), 3, "1.00"),
    ],
)  # fmt: skip
def test_a_fraction_in_decimals(fraction, digits, text):
    assert decimal(fraction, digits) == text


def test_only_digits_that_the_ball_vouches_for_are_shown():
    ball = TrueTensor(np.exp(Balls(53).exact(np.array([1.0, 0.0]))))
    assert ball.digits(0, 40) == "2.71828182845905"
    assert ball.digits(0, 5) == "2.7183"
    assert ball.text_radius(0) in ("3e-16", "4e-16", "5e-16", "6e-16", "7e-16", "8e-16", "9e-16", "1e-15")
    assert (ball.digits(1, 6), ball.text_radius(1)) == ("1.00000", "0")
    nothing = TrueTensor(Balls(53).exact(np.zeros(1)) / 0)
    assert (nothing.digits(0, 5), nothing.text_radius(0)) == ("nan", "inf")
