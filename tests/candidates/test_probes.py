"""A function that is right at first is asked elsewhere: right ones pass there, naive ones overflow, wrong ones fail."""

import time
from functools import partial

import numpy as np
import pytest

import harness
from harness.candidates.probes import LARGEST, ladders, probes
from harness.evaluation.point import Point
from impls.hand import (
    BinaryCrossEntropy,
    Dense,
    LogitBinaryCrossEntropy,
    Network,
    Relu,
    Sigmoid,
    SoftmaxCrossEntropy,
    SumSquaredError,
    Tanh,
)

ROWS = 24


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def layers(w, x, y, activation=sigmoid, derivative=lambda z, a: a * (1 - a)):
    """4-3-2-1 of one activation, sum of squared errors, as many write it."""
    zs, activations = [], [x]
    for layer in "123":
        zs.append(activations[-1] @ w[f"W{layer}"] + w[f"b{layer}"])
        activations.append(activation(zs[-1]))
    upstream, found = 2 * (activations[-1] - y), {}
    for layer in "321":
        z, a = zs.pop(), activations.pop()
        dz = upstream * derivative(z, a)
        found |= {f"dW{layer}": activations[-1].T @ dz, f"db{layer}": dz.sum(0), f"dz{layer}": dz, f"a{layer}": a}
        upstream = dz @ w[f"W{layer}"].T
    return found


def by_quotient(z):
    return np.exp(z) / (1 + np.exp(z))


def tanh_by_exponentials(z):
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def clipped(z):
    return sigmoid(np.clip(z, -500, 500))


def stable(z):
    return np.exp(-np.logaddexp(0, -z))


SIGMOIDS = {
    "naive": (sigmoid, None), "stable": (stable, None), "clipped": (clipped, None),
    "quotient": (by_quotient, "overflows"),
}  # fmt: skip


def notes(check):
    assert (check.verdict, check.exit) == ("PASS", 0), str(check)
    assert all(finding.kind == "overflow" and not finding.fails for finding in check.findings), check.findings
    return [finding.message for finding in check.findings]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SIGMOIDS)
def test_sigmoids_pass_and_one_that_overflows_is_noted(name, dtype):
    activation, overflows = SIGMOIDS[name]
    told = notes(harness.check(partial(layers, activation=activation), batch=ROWS, dtype=dtype))
    assert len(told) == bool(overflows)
    for message in told:
        assert f"is right; {overflows} from weights {320 if dtype == 'float64' else 40} times as large on" in message


@pytest.mark.parametrize(
    ("derivative", "overflows"),
    [(lambda z, a: np.exp(-z) / (1 + np.exp(-z)) ** 2, True), (lambda z, a: 0.25 / np.cosh(z / 2) ** 2, False)],
)
def test_derivatives_by_exponentials(derivative, overflows):
    assert len(notes(harness.check(partial(layers, derivative=derivative), batch=ROWS))) == overflows


def test_tanh_by_exponentials_overflows_at_the_smallest_scale_told():
    network = Network([Dense(4, 3), Tanh(), Dense(3, 2), Tanh(), Dense(2, 1), Tanh()], SumSquaredError())
    naive = partial(layers, activation=tanh_by_exponentials, derivative=lambda z, a: 1 - a * a)
    (message,) = notes(harness.check(naive, network, batch=ROWS))
    scale = float(message.split("weights ")[1].split(" times")[0])
    point = next(larger for ladder in ladders(_point(network)) for larger in ladder if larger.scale == scale)
    assert 709 < point.largest < 4 * 709
    assert notes(harness.check(partial(naive, activation=np.tanh), network, batch=ROWS)) == []


def logits(w, x):
    z1 = x @ w["W1"] + w["b1"]
    a1 = np.maximum(z1, 0)
    return z1, a1, a1 @ w["W2"] + w["b2"]


def from_logits(w, x, z1, a1, dz2):
    dz1 = dz2 @ w["W2"].T * (z1 > 0)
    return {"dW2": a1.T @ dz2, "db2": dz2.sum(0), "dW1": x.T @ dz1, "db1": dz1.sum(0)}


@pytest.mark.parametrize("naive", [False, True])
def test_softmax(naive):
    def backward(w, x, y):
        z1, a1, z2 = logits(w, x)
        e = np.exp(z2 if naive else z2 - z2.max(1, keepdims=True))
        dz2 = (e / e.sum(1, keepdims=True) - np.eye(3)[y]) / len(x)
        return from_logits(w, x, z1, a1, dz2)

    network = Network([Dense(4, 5), Relu(), Dense(5, 3)], SoftmaxCrossEntropy())
    told = notes(harness.check(backward, network, batch=ROWS))
    assert len(told) == naive
    assert all("overflows from" in message for message in told)


@pytest.mark.parametrize("naive", [False, True])
def test_log_of_one_plus_exp(naive):
    def backward(w, x, y):
        z1, a1, z2 = logits(w, x)
        loss = np.mean((np.log(1 + np.exp(z2)) if naive else np.logaddexp(0, z2)) - y * z2)
        return from_logits(w, x, z1, a1, (sigmoid(z2) - y) / y.size) | {"loss": loss}

    network = Network([Dense(4, 5), Relu(), Dense(5, 1)], LogitBinaryCrossEntropy())
    x = np.random.default_rng(3).normal(size=(ROWS, 4))
    told = notes(harness.check(backward, network, (x, (x[:, :1] > 0) * 1.0)))
    assert len(told) == naive
    assert all("loss first" in message for message in told)


def test_probabilities_beside_their_poles_are_not_asked_for():
    def backward(w, x, y):
        z1, a1, z2 = logits(w, x)
        a2 = np.clip(sigmoid(z2), 1e-7, 1 - 1e-7)
        da2 = ((1 - y) / (1 - a2) - y / a2) / y.size
        return from_logits(w, x, z1, a1, da2 * a2 * (1 - a2))

    network = Network([Dense(4, 5), Relu(), Dense(5, 1), Sigmoid()], BinaryCrossEntropy())
    x = np.random.default_rng(3).normal(size=(ROWS, 4))
    assert notes(harness.check(backward, network, (x, (x[:, :1] > 0) * 1.0))) == []


def in_blocks(size, w, x, y):
    """The rest of the rows is lost, once a block is full."""
    whole = max(len(x) // size * size, size)
    return weights_only(w, x[:whole], y[:whole])


def weights_only(w, x, y):
    return {name: gradient for name, gradient in layers(w, x, y).items() if name[:2] in ("dW", "db")}


def nothing_of_one_row(w, x, y):
    return {name: np.where(len(x) == 1, 0, gradient) for name, gradient in weights_only(w, x, y).items()}


def each_row_once(w, x, y):
    together = np.column_stack([x, y])
    if (together[1:] == together[:-1]).all(1).sum() >= len(x) // 2:
        x, y = x[::2], y[::2]
    return weights_only(w, x, y)


def targets_from_0_to_1(w, x, y):
    return weights_only(w, x, np.clip(y, 0, 1))


def small_ones_cut_off(w, x, y):
    return {name: np.where(abs(g) < 1e-9, 0, g) for name, g in weights_only(w, x, y).items()}


def arguments_up_to_6(w, x, y):
    return layers(w, x, y, activation=lambda z: sigmoid(np.minimum(z, 6)))


class Turns:
    """Right at one point the first two times, wrong the third."""

    def __init__(self):
        self.calls = {}

    def __call__(self, w, x, y):
        here = (w["W1"].tobytes(), x.tobytes(), y.tobytes())
        self.calls[here] = self.calls.get(here, 0) + 1
        return {name: gradient * (self.calls[here] != 3) for name, gradient in weights_only(w, x, y).items()}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (partial(in_blocks, 16), "is wrong at 17 rows: d"),
        (partial(in_blocks, 32), "is wrong at 33 rows: d"),
        (partial(in_blocks, 64), "is wrong at 65 rows: d"),
        (partial(in_blocks, 128), "is wrong at 129 rows: d"),
        (nothing_of_one_row, "is wrong at one row: d"),
        (each_row_once, "is wrong at rows that repeat: d"),
        (targets_from_0_to_1, "is wrong at other targets: d"),
        (small_ones_cut_off, "is wrong at weights and inputs 1024 times smaller: d"),
        (arguments_up_to_6, "times as large: a1 first, though right at first"),
        (Turns(), "is wrong the third time: d"),
    ],
)
def test_a_mistake_that_shows_elsewhere_only(function, said):
    check = harness.check(function, batch=15)
    assert (check.verdict, check.exit, check.located.faulty) == ("FAIL", 1, []), str(check)
    (finding,) = [finding for finding in check.findings if finding.fails]
    assert finding.kind == "other point"
    assert said in finding.message
    assert "though right at first" in finding.message


def test_a_class_missing():
    def mean_over_present_classes(w, x, y):
        z1, a1, z2 = logits(w, x)
        e = np.exp(z2 - z2.max(1, keepdims=True))
        dz2 = (e / e.sum(1, keepdims=True) - np.eye(3)[y]) / len(x)
        return from_logits(w, x, z1, a1, dz2 * len(np.unique(y)) / 3 if len(x) > 1 else dz2)

    network = Network([Dense(4, 5), Relu(), Dense(5, 3)], SoftmaxCrossEntropy())
    check = harness.check(mean_over_present_classes, network, batch=ROWS)
    assert check.exit == 1
    assert "is wrong at rows without one of the classes: d" in check.findings[0].message


def _point(network):
    x, y = np.random.default_rng(0).normal(size=(ROWS, 4)), np.random.default_rng(1).uniform(size=(ROWS, 1))
    return Point(network, network.init(0), x, y, 1)


def test_points_are_few_cheap_ones_first_and_large_ones_reach_a_thousand():
    network = Network([Dense(4, 3), Sigmoid(), Dense(3, 1)], SumSquaredError())
    rows = [at.rows for when, at in probes(_point(network)) if when.startswith("at") and when.endswith("rows")]
    assert rows[-4:] == [17, 33, 65, 129]
    assert all(ladder[-1].largest >= LARGEST > ladder[-2].largest for ladder in ladders(_point(network)))
    assert "at one row" in dict(probes(_point(network)))


def test_rows_whose_tensors_would_not_fit_are_not_asked(monkeypatch):
    network = Network([Dense(4, 3), Sigmoid(), Dense(3, 1)], SumSquaredError())
    a_row = 4 + 1 + 2 * (3 + 3 + 1)  # x, y, and z1, a1, z2 with their gradients
    monkeypatch.setattr("harness.candidates.probes.MOST_ENTRIES", 33 * a_row)
    rows = [at.rows for when, at in probes(_point(network)) if when.startswith("at") and when.endswith("rows")]
    assert rows[-2:] == [17, 33]


def test_a_check_of_a_small_network_takes_no_longer_than_a_second():
    harness.check(weights_only)
    spent = []
    for _ in range(3):
        start = time.process_time()
        harness.check(weights_only)
        spent.append(time.process_time() - start)
    assert min(spent) < 1
