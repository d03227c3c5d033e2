"""Ties and kinks: whoever takes the gradient, it is given once; every right way to share it passes."""

import numpy as np
import pytest

from harness import check_vjp
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import Expected
from harness.evaluation.references.measured import MeasuredReference
from harness.inputs.cases import drawn, random_upstream
from harness.inputs.outputs import whole_shape
from harness.inputs.signature import signature_of
from impls.hand.layers import Maximum, MaxPool2d, Minimum

AB = {"a": (5, 7), "b": (5, 7)}
OTHERS = [
    "positive", "negative", "saturated", "small", "large range", "far out", "zeros in the upstream", "upstream of ones",
    "transposed", "strided", "wider rows", "offset", "stride 0", "repeated calls",
]  # fmt: skip
"""What shows no tie."""


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def larger(share):
    """The derivative of max(a, b), where they tie a share for a and the rest, or another share, for b."""

    def backward(u, a, b):
        of_a, of_b = share if isinstance(share, tuple) else (share, 1 - share)
        return u * np.where(a == b, of_a, a > b), u * np.where(a == b, of_b, b > a)

    return backward


RIGHT = [0, 0.25, 1]
WRONG = [(1, 1), (0, 0), (1.5, -0.5), (0.25, 0.25)]
REFERENCES = ["torch", "jax", "hand"]


def maximum(which):
    if which == "hand":
        return Maximum(), {"p": (5, 7), "q": (5, 7)}
    module = pytest.importorskip("torch") if which == "torch" else pytest.importorskip("jax").numpy
    return module.maximum, AB


def at_ties(reference, inputs, seed=0):
    """The operation where every input is tied, with itself and with the others."""
    tensors = signature_of(inputs, "float64").tensors
    drawn_there = next(case for case in drawn(tensors, "float64", seed) if case.name == "ties")
    layer = HandReference.knows(reference)
    right = HandReference(reference) if layer else MeasuredReference(reference, drawn_there.inputs)
    upstream = random_upstream(whole_shape(right.parts(drawn_there.inputs)), "float64", np.random.default_rng(seed))
    return Expected(right, drawn_there.inputs, upstream, "float64")


def valid(at, backward):
    """Whether every gradient is right at a point, by itself and beside the others."""
    found = backward(at.upstream, *at.given.values())
    shown = dict(zip(at.inputs, found if isinstance(found, tuple) else (found,), strict=True))
    return all(at.right(tensor, shown) for tensor in shown)


@pytest.mark.parametrize("which", REFERENCES)
def test_of_two_inputs_that_tie_either_takes_a_share(which):
    at = at_ties(*maximum(which))
    assert [valid(at, larger(share)) for share in RIGHT] == [True] * len(RIGHT)
    assert [valid(at, larger(share)) for share in WRONG] == [False] * len(WRONG)


def test_a_check_says_so(torch):
    options = {"reference": torch.maximum, "inputs": AB, "leave_out": OTHERS}
    assert check_vjp(np.maximum, larger(1), **options).verdict == "PASS"
    twice = check_vjp(np.maximum, larger((1, 1)), **options)
    assert {(row.gradient, twice.case(row)) for row in twice.rows if row.verdict == "FAULT"} >= {
        ("da", "ties"), ("db", "ties"),
    }  # fmt: skip


def test_a_minimum_of_the_hand_code_in_float32():
    def smaller(share):
        def backward(u, a, b):
            return tuple(gradient.astype(u.dtype) for gradient in larger(share)(u, -a, -b))

        return backward

    options = {"reference": Minimum(), "inputs": {"p": (5, 7), "q": (5, 7)}, "leave_out": OTHERS, "dtype": "float32"}
    assert check_vjp(np.minimum, smaller(1), **options).verdict == "PASS"
    assert check_vjp(np.minimum, smaller((1, 1)), **options).verdict == "FAIL"


def test_inputs_of_other_shapes_that_tie(torch):
    """Of a row that is repeated the gradients add up, and with them what ties."""

    def backward(share):
        def of(u, a, b):
            da, db = larger(share)(u, a, np.broadcast_to(b, a.shape))
            return da, db.sum(0)

        return of

    at = at_ties(torch.maximum, {"a": (5, 7), "b": (7,)})
    assert [valid(at, backward(share)) for share in (1, 0, 0.5, (1, 1))] == [True, True, True, False]


def test_a_distance(torch):
    def distance(at_tie):
        def backward(u, a, b):
            sign = np.where(a == b, at_tie[0], np.sign(a - b)), np.where(a == b, at_tie[1], np.sign(b - a))
            return u * sign[0], u * sign[1]

        return backward

    at = at_ties(lambda a, b: (a - b).abs(), AB)
    assert [valid(at, distance(right)) for right in ((0, 0), (1, -1), (-0.5, 0.5))] == [True] * 3
    assert [valid(at, distance(wrong)) for wrong in ((1, 1), (1, 0), (2, -2))] == [False] * 3


def pool_backward(whole):
    """Of the largest of 2×2 windows; where some tie all of them take the upstream, or the first does."""

    def backward(u, x):
        n, c, h, w = u.shape
        windows = x[:, :, : 2 * h, : 2 * w].reshape(n, c, h, 2, w, 2).swapaxes(3, 4).reshape(n, c, h, w, 4)
        chosen = windows == windows.max(-1, keepdims=True)
        if not whole:
            chosen &= chosen.cumsum(-1) == 1
        dx = np.zeros_like(x)
        spread = (u[..., None] * chosen).reshape(n, c, h, w, 2, 2).swapaxes(3, 4)
        dx[:, :, : 2 * h, : 2 * w] = spread.reshape(n, c, 2 * h, 2 * w)
        return dx

    return backward


@pytest.mark.parametrize("which", ["torch", "hand"])
def test_windows(torch, which):
    at = at_ties(
        MaxPool2d(2) if which == "hand" else lambda x: torch.nn.functional.max_pool2d(x, 2), {"x": (2, 3, 4, 5)}
    )
    assert [valid(at, pool_backward(whole)) for whole in (False, True)] == [True, False]


def test_what_is_sorted_and_a_median(torch):
    def ordered(turned):
        def backward(u, x):
            order = np.argsort(x[:, ::-1] if turned else x, axis=1, kind="stable")
            dx = np.zeros_like(x)
            np.put_along_axis(dx, x.shape[1] - 1 - order if turned else order, u, 1)
            return dx

        return backward

    def each(u, x):  # every one of those that tie takes what the first takes
        ranks = (x[:, :, None] > x[:, None, :]).sum(2)
        return np.take_along_axis(u, ranks, 1)

    at = at_ties(lambda x: torch.sort(x, 1).values, {"x": (5, 7)})
    assert [valid(at, of) for of in (ordered(False), ordered(True), each)] == [True, True, False]

    def median(x):
        return np.sort(x, 1)[:, (x.shape[1] - 1) // 2]

    def all_of_it(u, x):
        return u[:, None] * (x == median(x)[:, None])

    def shared(u, x):
        taken = all_of_it(np.ones_like(u), x)
        return u[:, None] * taken / taken.sum(1, keepdims=True)

    at = at_ties(lambda x: torch.median(x, 1).values, {"x": (5, 7)})
    assert [valid(at, of) for of in (shared, all_of_it)] == [True, False]


def test_at_a_kink_one_share_holds_for_all_that_depend_on_it(torch):
    """The share that relu has at 0 is the same in every gradient behind it."""

    def backward(of_x, of_w):
        def both(u, x, w):
            z = x * w
            return u * w * np.where(z == 0, of_x, z > 0), u * x * np.where(z == 0, of_w, z > 0)

        return both

    x, w = np.random.default_rng(0).normal(size=(2, 5, 7))
    x[0], w[1, :3] = 0, 0
    reference = MeasuredReference(lambda x, w: torch.relu(x * w), {"x": x, "w": w})
    at = Expected(reference, {"x": x, "w": w}, np.ones((5, 7)), "float64")
    assert [valid(at, backward(*shares)) for shares in ((0, 0), (0.5, 0.5), (1, 1), (2, 0))] == [True] * 3 + [False]
