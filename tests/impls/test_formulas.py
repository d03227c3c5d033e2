"""The hand-written functions and their derivatives against the definitions, evaluated in 50 digits by mpmath.

The definitions are written down anew here, the derivatives are taken by mpmath, and what is allowed is the
derived float64 bound: a wrong formula is some ten orders of magnitude outside.
"""

import mpmath as mp
import numpy as np
import pytest

from harness.arithmetic import Context, profile_of
from impls.hand.notation import ACTIVATIONS, LOSSES
from impls.hand.parsing import made

mp.mp.dps = 50
POINTS = [-30.0, -7.5, -3.25, -1.2785, -0.5, -1e-9, 1e-12, 0.25, 1.0, 2.9, 3.5, 8.25, 25.0]


def normal(z):
    return (1 + mp.erf(z / mp.sqrt(2))) / 2


DEFINITIONS = {
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "tanh": mp.tanh,
    "relu": lambda z: max(z, mp.mpf(0)),
    "leaky-relu": lambda z: z if z > 0 else mp.mpf(0.01) * z,
    "leaky-relu(slope=-0.5)": lambda z: z if z > 0 else -z / 2,
    "elu": lambda z: z if z > 0 else mp.expm1(z),
    "elu(alpha=0.25)": lambda z: z if z > 0 else mp.expm1(z) / 4,
    "softplus": lambda z: mp.log(1 + mp.exp(z)),
    "softplus(threshold=20)": lambda z: z if z > 20 else mp.log(1 + mp.exp(z)),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "gelu": lambda z: z * normal(z),
    "gelu-tanh": lambda z: z / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (z + mp.mpf(0.044715) * z**3))),
    "hard-sigmoid": lambda z: min(max(z / 6 + mp.mpf(1) / 2, mp.mpf(0)), mp.mpf(1)),
    "identity": lambda z: z,
}


def true(values):
    return np.array(values, dtype=object)


def assert_true(bounded, expected):
    """Within the bound, in exact arithmetic, and the bound sees one part in a million, or 1e-10."""
    for value, bound, truth in zip(bounded.value.ravel(), bounded.bound.ravel(), expected.ravel(), strict=True):
        assert abs(mp.mpf(float(value)) - truth) <= mp.mpf(float(bound)), (value, truth)
        assert bound <= 1e-6 * abs(truth) or bound < 1e-10


@pytest.mark.parametrize("name", DEFINITIONS)
def test_an_activation_and_its_derivative_are_true(name):
    layer, context = made("activation", ACTIVATIONS, name), Context(profile_of("float64"))
    z, da = np.array(POINTS)[:, None], np.linspace(-2, 3, len(POINTS))[:, None]
    known = {"z": context.exact(z), "da": context.exact(da)}
    known["a"] = layer.forward(known["z"])
    assert_true(known["a"], true([DEFINITIONS[name](mp.mpf(p)) for p in POINTS]))
    reads = layer.dz.__code__.co_varnames[1 : layer.dz.__code__.co_argcount]
    slopes = [mp.diff(DEFINITIONS[name], mp.mpf(p), h=mp.mpf(10) ** -20) for p in POINTS]
    expected = true([mp.mpf(float(g)) * slope for g, slope in zip(da[:, 0], slopes, strict=True)])
    assert_true(layer.dz(*[known[n] for n in reads]), expected)


def test_every_activation_has_its_definition_here():
    assert {name.partition("(")[0] for name in DEFINITIONS} == set(ACTIVATIONS) - {"softmax"}


def log_softmax(row):
    return [a - mp.log(mp.fsum(mp.exp(other) for other in row)) for a in row]


def mean(terms):
    terms = list(terms)
    return mp.fsum(terms) / len(terms)


def pairwise_mean(term):
    return lambda a, y: mean(
        term(x, t) for row, targets in zip(a, y, strict=True) for x, t in zip(row, targets, strict=True)
    )


def huber(delta):
    def loss(a, y):
        r = abs(a - y)
        return r * r / 2 if r <= delta else delta * (r - mp.mpf(delta) / 2)

    return pairwise_mean(loss)


def binary(a, y):
    return -y * mp.log(a) - (1 - y) * mp.log(1 - a)


def categorical(epsilon=0):
    return lambda a, y: mean(
        -mp.fsum(t * mp.log(p + epsilon) for t, p in zip(targets, row, strict=True))
        for row, targets in zip(a, y, strict=True)
    )


def sparse_categorical(epsilon=0):
    return lambda a, y: mean(-mp.log(row[int(label)] + epsilon) for row, label in zip(a, y, strict=True))


def epsilon_inside(a, y):
    return -y * mp.log(a + mp.mpf(0.25)) - (1 - y) * mp.log(1 - a + mp.mpf(0.25))


def weighted(smoothing=0, ignored=None):
    def loss(a, y):
        kept = [(log_softmax(row), int(label)) for row, label in zip(a, y, strict=True) if label != ignored]
        spread = [-(1 - smoothing) * p[label] - smoothing * mp.fsum(p) / len(p) for p, label in kept]
        return mean(spread)

    return loss


LOSS_DEFINITIONS = {
    "sum-squared-error": lambda a, y: pairwise_mean(lambda x, t: (x - t) ** 2)(a, y) * len(a) * len(a[0]),
    "mean-squared-error": pairwise_mean(lambda x, t: (x - t) ** 2),
    "huber": huber(1),
    "huber(delta=0.25)": huber(mp.mpf(1) / 4),
    "mean-absolute-error": pairwise_mean(lambda x, t: abs(x - t)),
    "binary-cross-entropy": pairwise_mean(binary),
    "binary-cross-entropy(clamp='torch')": pairwise_mean(binary),
    "binary-cross-entropy(epsilon=0.25)": pairwise_mean(epsilon_inside),
    "categorical-cross-entropy": categorical(),
    "categorical-cross-entropy(epsilon=0.25)": categorical(mp.mpf(0.25)),
    "sparse-categorical-cross-entropy": sparse_categorical(),
    "sparse-categorical-cross-entropy(epsilon=0.25)": sparse_categorical(mp.mpf(0.25)),
    "binary-cross-entropy-on-logits": pairwise_mean(lambda a, y: binary(1 / (1 + mp.exp(-a)), y)),
    "cross-entropy": lambda a, y: mean(-log_softmax(row)[int(label)] for row, label in zip(a, y, strict=True)),
    "one-hot-cross-entropy": lambda a, y: mean(
        -mp.fsum(t * p for t, p in zip(targets, log_softmax(row), strict=True))
        for row, targets in zip(a, y, strict=True)
    ),
    "weighted-cross-entropy": weighted(),
    "weighted-cross-entropy(label_smoothing=0.25)": weighted(mp.mpf(0.25)),
    "weighted-cross-entropy(ignore_index=2)": weighted(ignored=2),
    "kullback-leibler": lambda a, y: mean(
        mp.fsum(t * (mp.log(t) - x) for t, x in zip(targets, row, strict=True))
        for row, targets in zip(a, y, strict=True)
    ),
    "hinge": pairwise_mean(lambda x, t: max(0, 1 - t * x)),
    "cosine-distance": lambda a, y: mean(
        1 - mp.fdot(row, targets) / mp.norm(row) / mp.norm(targets) for row, targets in zip(a, y, strict=True)
    ),
    "cosine-distance(eps=10.0)": lambda a, y: mean(
        1 - mp.fdot(row, targets) / 100 for row, targets in zip(a, y, strict=True)
    ),
}


@pytest.mark.parametrize("name", LOSS_DEFINITIONS)
def test_a_loss_and_its_gradient_are_true(name):
    loss, rng = made("loss", LOSSES, name), np.random.default_rng(len(name))
    a, y = rng.normal(size=(3, 4)) * 2, rng.normal(size=(3, 4)) * 2
    if loss.on_probabilities:
        a = 1 / (1 + np.exp(-a))
    if loss.unit_targets:
        y = rng.uniform(size=(3, 4))
    context = Context(profile_of("float64"))
    targets = rng.integers(0, 4, 3) if loss.labels else context.exact(y)
    expected = targets if loss.labels else [[mp.mpf(float(t)) for t in row] for row in y]
    given = [[mp.mpf(float(x)) for x in row] for row in a]
    definition = LOSS_DEFINITIONS[name]
    assert_true(loss.forward(context.exact(a), targets), true([definition(given, expected)]))

    def moved(n, j):
        def along(x):
            rows = [list(row) for row in given]
            rows[n][j] = x
            return definition(rows, expected)

        return mp.diff(along, given[n][j], h=mp.mpf(10) ** -20)

    gradient = true([[moved(n, j) for j in range(4)] for n in range(3)])
    assert_true(loss.da(context.exact(a), targets), gradient)


def test_every_loss_has_its_definition_here():
    assert {name.partition("(")[0] for name in LOSS_DEFINITIONS} == set(LOSSES)


def test_softmax_and_its_vjp_are_true():
    layer, context = made("activation", ACTIVATIONS, "softmax"), Context(profile_of("float64"))
    rng = np.random.default_rng(0)
    z, da = rng.normal(size=(2, 3)) * 3, rng.normal(size=(2, 3))
    p = [[mp.exp(v) for v in log_softmax([mp.mpf(float(x)) for x in row])] for row in z]
    assert_true(layer.forward(context.exact(z)), true(p))
    a = layer.forward(context.exact(z))
    expected = [
        [mp.fsum(mp.mpf(float(g)) * row[k] * ((j == k) - row[j]) for k, g in enumerate(upstream)) for j in range(3)]
        for row, upstream in zip(p, da, strict=True)
    ]
    assert_true(layer.dz(context.exact(da), a), true(expected))


def test_torchs_clamp_is_a_function_of_its_own():
    """Where a probability is 0, torch's loss is 100 and its gradient is bounded by 1e12, a float32 constant."""
    exact = made("loss", LOSSES, "binary-cross-entropy")
    clamped = made("loss", LOSSES, "binary-cross-entropy(clamp='torch')")
    a, y = np.array([[0.0, 0.5]]), np.array([[1.0, 1.0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not np.isfinite(exact.forward(a, y))
    with np.errstate(divide="ignore"):
        assert clamped.forward(a, y) == (100 + np.log(2)) / 2
    assert clamped.da(a, y).tolist() == [[-1 / float(np.float32(1e-12)) / 2, -1.0]]
