"""Forms: the same function as the hand code's to hundreds of bits, and no net through which errors slip."""

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.arithmetic.balls import Balls
from harness.diagnosis.forms import forms_at
from harness.evaluation.expected import walk
from harness.evaluation.point import Point
from impls.hand import (
    BinaryCrossEntropy,
    Dense,
    Elu,
    Gelu,
    GeluTanh,
    HardSigmoid,
    LogitBinaryCrossEntropy,
    Network,
    OneHotCrossEntropy,
    Scaled,
    Sigmoid,
    Silu,
    Softmax,
    SoftmaxCrossEntropy,
    Softplus,
    Tanh,
)

ACTIVATIONS = [
    Sigmoid(), Tanh(), Elu(1.5), Softplus(), Softplus(2.0), Silu(), Gelu(), GeluTanh(), HardSigmoid(), Softmax(),
]  # fmt: skip
LOSSES = [
    BinaryCrossEntropy(), BinaryCrossEntropy("torch"), LogitBinaryCrossEntropy(), SoftmaxCrossEntropy(),
    OneHotCrossEntropy(), Scaled(OneHotCrossEntropy(), 4.0), Scaled(SoftmaxCrossEntropy(), 4.0),
]  # fmt: skip
ROUNDED = (Gelu, GeluTanh, HardSigmoid)
"""Whose forms have constants that are not doubles, rounded once in each form."""


def point_of(activation, loss, scale=3.0, labels=None):
    """A network with both at a random point; a number of entries whose reciprocal is exact."""
    rng = np.random.default_rng(0)
    output = [Sigmoid()] if isinstance(loss, BinaryCrossEntropy) else []
    network = Network([Dense(2, 4), activation, Dense(4, 4), *output], loss)
    x = scale * rng.normal(size=(4, 2))
    if loss.labels:
        y = rng.integers(0, 4, 4)
    else:
        y = rng.integers(0, 2, (4, 4)).astype(float) if labels else rng.uniform(size=(4, 4))
    return Point(network, network.init(0), x, y, 1)


def all_forms(point):
    return [(link, form) for link in point.network.links for form in forms_at(link)]


CASES = [(a, LOSSES[0]) for a in ACTIVATIONS] + [(Tanh(), loss) for loss in LOSSES]


@pytest.mark.parametrize(("activation", "loss"), CASES, ids=str)
@pytest.mark.parametrize("scale", [0.01, 3.0])
@pytest.mark.parametrize("whole", [True, False])
def test_a_form_is_the_same_function(activation, loss, scale, whole):
    point = point_of(activation, loss, scale, whole)
    numbers = Balls(400)
    tensors = {name: numbers.exact(array) for name, array in {**point.weights, "x": point.x}.items()}
    tensors["y"] = point.y if loss.labels else numbers.exact(point.y)
    for link in point.network.links:
        tensors[link.output] = link(tensors)
    most = 2.0**-50 if isinstance(activation, ROUNDED) else 2.0**-200
    for link, form in all_forms(point):
        gap = form.rule(tensors) - tensors[link.output]
        assert gap.shape == tensors[link.output].shape
        for entry in np.asarray(gap.entries).flat:
            assert entry.is_finite(), form.says
            assert abs(entry).upper() < most, form.says


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("activation", "loss"), CASES, ids=str)
def test_a_form_holds_the_truth_and_its_own_floats_and_nothing_further_off(activation, loss, dtype):
    point, profile = point_of(activation, loss, labels=True), profile_of(dtype)
    weights = {name: w.astype(dtype) for name, w in point.weights.items()}
    y = point.y if loss.labels else point.y.astype(dtype)
    point = Point(point.network, weights, point.x.astype(dtype), y, 1)
    walked = walk(point, {}, profile)
    floats = dict(point.given)
    for link in point.network.links:
        floats[link.output] = np.asarray(link(floats), dtype)
    off = 1e-9 if dtype == "float64" else 2e-3
    for link, form in all_forms(point):
        derived, base = form.rule(walked.read), walked.expected[link.output]
        assert derived.holds(np.asarray(form.rule(floats), dtype)), form.says
        assert np.all(np.abs(derived.value - base.value) <= derived.bound + base.bound), form.says
        far = base.value + off * (1 + np.abs(base.value))
        assert not derived.holds(far), form.says


def test_where_a_form_overflows_the_hand_codes_bound_judges():
    network = Network([Dense(1, 1), Tanh(), Dense(1, 1)], OneHotCrossEntropy())
    weights = {"W1": np.ones((1, 1)), "b1": np.zeros(1), "W2": np.ones((1, 1)), "b2": np.zeros(1)}
    point = Point(network, weights, np.array([[710.0], [1e-3]]), np.ones((2, 1)), 1)
    profile, forms = profile_of("float64"), forms_at
    z = point.x
    written = 2 / (1 + np.exp(-2 * z)) - 1
    assert walk(point, {"a1": written}, profile).forms == {}
    assert "which loses digits near 0" in walk(point, {"a1": written}, profile, forms=forms).forms["a1"].says
    wrong = written + np.array([[1e-9], [0.0]])
    walked = walk(point, {"a1": wrong}, profile, forms=forms)
    assert walked.forms == {}
    assert not walked.expected["a1"].holds(wrong)
