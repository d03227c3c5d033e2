"""Weighted cross-entropies, Kullback-Leibler, hinge and cosine: right on what they take, and refused on what not."""

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.comparison.checks import formula, rounding
from harness.evaluation.point import Point
from impls import registry
from impls.hand import CosineDistance, Dense, Hinge, KullbackLeibler, Network, OneHotCrossEntropy, SoftmaxCrossEntropy
from impls.hand import WeightedCrossEntropy as Weighted
from impls.hand.losses.cross_entropy import softmax_cross_entropy_vjp

A = np.random.default_rng(0).normal(size=(7, 3))
Y = np.array([0, 2, 1, -100, 1, 2, 0])
LOSSES = {
    "plain": (Weighted(), abs(Y) % 3),
    "everything": (Weighted(ignore_index=-100, label_smoothing=0.3, class_weights=[0.1, 2.5, 1.0]), Y),
    "a class that is ignored": (Weighted(ignore_index=1, class_weights=[0.3, 7.0, 1.7]), abs(Y) % 3),
    "spread wholly": (Weighted(label_smoothing=1.0), abs(Y) % 3),
    "kullback-leibler": (KullbackLeibler(), np.array([[0, 0.25, 0.75], *[[0.2, 0.5, 0.3]] * 6])),
    "hinge": (Hinge(), np.sign(A[::-1])),
    "cosine": (CosineDistance(), A[::-1] * 1e3),
}


@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("which", LOSSES)
def test_hand_torch_and_jax_agree_up_to_rounding(which, scale):
    loss, y = LOSSES[which]
    network = Network([Dense(2, 3)], loss)
    for dtype in ("float32", "float64") if scale == 1 else ("float32",):
        weights = {name: scale * w for name, w in network.init(0, dtype).items()}
        targets = y if loss.labels else y.astype(dtype)
        point = Point(network, weights, A[:, :2].astype(dtype), targets, 1)
        for name in registry.OWN:
            made = registry.load(name)(network, dtype)
            shown = made.differentiate(point.weights, point.x, point.y)
            rows = rounding(point, name, shown, profile_of(dtype, getattr(made, "eager", False)))
            assert {row.verdict for row in [*rows, *formula(point, name, shown)]} <= {"ok", "no power"}
            assert {row.verdict for row in rows if row.gradient == "dz1"} == {"ok"}


@pytest.mark.parametrize("which", LOSSES)
def test_a_gradient_is_the_slope_of_the_loss(which):
    loss, y = LOSSES[which]
    da, h = loss.da(A, y), 1e-6
    for index in np.ndindex(A.shape):
        step = np.zeros_like(A)
        step[index] = h
        assert da[index] == pytest.approx((loss.forward(A + step, y) - loss.forward(A - step, y)) / (2 * h), abs=1e-8)


def test_ignored_smoothed_and_weighted_labels_are_what_they_are_called():
    labels, kept = abs(Y) % 3, Y != -100
    np.testing.assert_allclose(Weighted().da(A, labels), softmax_cross_entropy_vjp(A, labels), rtol=1e-13)
    ignored = Weighted(ignore_index=-100)
    assert ignored.forward(A, Y) == pytest.approx(SoftmaxCrossEntropy().forward(A[kept], Y[kept]), rel=1e-14)
    assert not ignored.da(A, Y)[3].any()
    spread = 0.9 * np.eye(3)[labels] + 0.1 / 3
    assert Weighted(label_smoothing=0.1).forward(A, labels) == pytest.approx(OneHotCrossEntropy().forward(A, spread))
    doubled = np.concatenate([A, A[labels == 1]]), np.concatenate([labels, labels[labels == 1]])
    weighted = Weighted(class_weights=[1.0, 2.0, 1.0])
    assert weighted.forward(A, labels) == pytest.approx(SoftmaxCrossEntropy().forward(*doubled), rel=1e-14)


def test_on_the_margin_either_side_is_a_subgradient():
    a, y = np.array([[1.0, 0.5, 2.0]]), np.array([[1.0, -1.0, 1.0]])
    on, below, above = Hinge().one_sided(a, y)
    assert on.tolist() == [[True, False, False]]
    assert (below[0, 0], above[0, 0], Hinge().da(a, y)[0, 0]) == (0, -1 / 3, 0)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: CosineDistance(eps=0), "eps=0"),
        (lambda: Weighted(ignore_index=0.5), "ignore_index=0.5"),
        (lambda: Weighted(label_smoothing=1.5), "label_smoothing=1.5"),
        (lambda: Weighted(label_smoothing=-0.1), "label_smoothing=-0.1"),
        (lambda: Weighted(class_weights=[1.0, 0.0]), "class_weights=0.0"),
        (lambda: Weighted(class_weights=[1.0, 2.0]).check_targets((7, 3), abs(Y) % 3), "2 weights with 3 outputs"),
        (lambda: Weighted(ignore_index=1).check_targets((7, 3), np.ones(7, int)), "every label is 1, which is ignored"),
        (lambda: Weighted().check_targets((7, 3), Y), "labels from -100 to 2 with 3 outputs"),
        (lambda: KullbackLeibler().check_targets((7, 3), 2 + A), "reads them as probabilities"),
    ],
)
def test_what_cannot_be_used_is_refused(make, match):
    with pytest.raises(ValueError, match=f"^Cannot .*{match}"):
        make()
