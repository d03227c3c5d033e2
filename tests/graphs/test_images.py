"""Layers on images: by their definition in loops, mistakes of a person's at them, and sizes that do not fit."""

import re
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.arithmetic.rationals import Rationals
from harness.comparison.checks import judge_link
from impls.hand import (
    AvgPool2d,
    BatchNorm,
    Clip,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    GraphBuilder,
    Input,
    MaxPool2d,
    MeanSquaredError,
    Reshape,
    Subtract,
    Sum,
    Transpose,
    node,
)
from tests.graphs.branching import batch_of, images
from tests.helpers.evident import checked

CONVOLUTIONS = {
    "plain": (Conv2d(2, 3, 3), (5, 4)),
    "padding": (Conv2d(2, 3, 3, padding=[2, 0]), (4, 4)),
    "more padding than a window reaches": (Conv2d(1, 2, 2, padding=3), (2, 3)),
    "stride": (Conv2d(2, 3, [2, 3], stride=[3, 2], padding=1), (7, 6)),
    "dilation": (Conv2d(2, 2, [3, 2], dilation=[2, 3], padding=1), (6, 5)),
    "groups": (Conv2d(4, 6, 2, groups=2), (3, 4)),
    "depthwise": (Conv2d(3, 6, 2, groups=3, stride=2), (5, 4)),
    "same": (Conv2d(1, 2, 4, padding="same"), (5, 3)),
    "same with a stride": (Conv2d(1, 2, 3, stride=[2, 3], padding="same"), (6, 5)),
    "one by one": (Conv2d(3, 2, 1, bias=False), (2, 2)),
}


def terms(layer, x):
    """Every (place of z, place of x, place of W) that belong together."""
    N, _, H, V = x.shape
    (top, _), (left, _) = layer.windows.frame((H, V))
    (s, t), (d, e), (R, S), (rows, columns) = (
        layer.windows.stride, layer.windows.dilation, layer.windows.kernel, layer.windows.count((H, V)),
    )  # fmt: skip
    inside, outside = layer.inputs // layer.groups, layer.outputs // layer.groups
    for n, k, h, v, m, r, c in product(*map(range, (N, layer.outputs, rows, columns, inside, R, S))):
        i, j = h * s - top + r * d, v * t - left + c * e
        if 0 <= i < H and 0 <= j < V:
            yield (n, k, h, v), (n, k // outside * inside + m, i, j), (k, m, r, c)


POOLS = {
    "max": (MaxPool2d(2), (5, 4)),
    "overlapping max": (MaxPool2d([3, 2], [2, 1], padding=1), (6, 5)),
    "mean": (AvgPool2d(2), (4, 5)),
    "overlapping mean": (AvgPool2d(4, [1, 2], padding=[1, 2]), (5, 6)),
    "padding does not count": (AvgPool2d(2, padding=1, count_include_pad=False), (3, 4)),
}


@pytest.mark.parametrize("case", POOLS)
def test_pooling_is_its_definition_in_rationals(case):
    """On few whole numbers, so that many are equal: the first of them, row by row, has the gradient."""
    layer, size = POOLS[case]
    rng, exact = np.random.default_rng(len(case)), Rationals()
    x = rng.integers(0, 3, (2, 3, *size)).astype(float)
    ds = rng.integers(-9, 10, layer.shapes({"x": x.shape})["s"]).astype(float)
    s, dx = np.zeros(ds.shape, object), np.full(x.shape, Fraction(0))
    (s_, t), (p, q), (R, S) = layer.windows.stride, layer.windows.padding, layer.windows.kernel
    for n, m, h, v in np.ndindex(*ds.shape):
        every = [(h * s_ - p + r, v * t - q + c) for r in range(R) for c in range(S)]
        inside = [(n, m, i, j) for i, j in every if 0 <= i < size[0] and 0 <= j < size[1]]
        if isinstance(layer, MaxPool2d):
            chosen = max(inside, key=lambda at: x[at])  # the first of equal ones
            s[n, m, h, v] = Fraction(x[chosen])
            dx[chosen] += Fraction(ds[n, m, h, v])
        else:
            terms = len(every) if layer.count_include_pad else len(inside)
            s[n, m, h, v] = Fraction(sum(x[at] for at in inside)) / terms
            for at in inside:
                dx[at] += Fraction(ds[n, m, h, v]) / terms
    if isinstance(layer, AvgPool2d) or layer.windows.padding == (0, 0):
        given = exact.exact(x)
        assert_equal(layer.forward(given), s)
        assert_equal(layer.dx(exact.exact(ds), given), dx)
    np.testing.assert_allclose(layer.forward(x), s.astype(float), rtol=1e-15)
    np.testing.assert_allclose(layer.dx(ds, x), dx.astype(float), rtol=1e-14, atol=1e-14)


def assert_equal(entries, expected):
    assert [Fraction(str(entry)) for entry in entries.entries.ravel()] == expected.ravel().tolist()


SHARES = {(1, 0): "ok", (0, 1): "convention", (0.5, 0.5): "convention", (1.5, -0.5): "FAULT"}


@pytest.mark.parametrize(("share", "verdict"), SHARES.items())
def test_equal_entries_may_share_a_gradient(share, verdict):
    """As at any kink: what is shown of a tie is a subgradient, or wrong."""
    network = Graph(
        [Input("x", (1, 2, 2), gradient=True)],
        [node("pool", MaxPool2d(2), "x"), node("f", Flatten(), "pool.s"), node("fc", Dense(1, 1), "f.s")],
        MeanSquaredError(), "fc.z",
    )  # fmt: skip
    link = network.link["dx"]
    x, ds = np.array([[[[1.0, 3.0], [3.0, 2.0]]]]), np.array([[[[4.0]]]])
    shown = np.zeros(x.shape)
    shown[0, 0, 0, 1], shown[0, 0, 1, 0] = 4 * share[0], 4 * share[1]
    row = judge_link(link, {"x": x, "pool.ds": ds}, shown, profile_of("float64"), "mine", 1)
    assert row.verdict == verdict


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution_is_its_definition_in_whole_numbers(case):
    """Small whole numbers: no program rounds, so that every sum is exact."""
    layer, size = CONVOLUTIONS[case]
    rng = np.random.default_rng(len(case))
    x = rng.integers(-9, 10, (2, layer.inputs, *size)).astype(float)
    weights = {name: rng.integers(-9, 10, shape).astype(float) for name, shape in layer.weights.items()}
    z = layer.forward(x, *weights.values())
    assert z.shape == tuple(layer.shapes({"x": x.shape})["z"])
    dz = rng.integers(-9, 10, z.shape).astype(float)
    expected, dx, dW = np.zeros(z.shape), np.zeros(x.shape), np.zeros(weights["W"].shape)
    for at_z, at_x, at_W in terms(layer, x):
        expected[at_z] += x[at_x] * weights["W"][at_W]
        dx[at_x] += dz[at_z] * weights["W"][at_W]
        dW[at_W] += dz[at_z] * x[at_x]
    np.testing.assert_array_equal(z, expected + weights.get("b", np.zeros(layer.outputs))[:, None, None])
    np.testing.assert_array_equal(layer.dx(dz, weights["W"], x), dx)
    np.testing.assert_array_equal(layer.dW(dz, x), dW)
    np.testing.assert_array_equal(layer.db(dz), dz.sum(axis=(0, 2, 3)))
    exact = Rationals()
    again = layer.dx(exact.exact(dz), exact.exact(weights["W"]), exact.exact(x))
    assert again.entries.astype(float).tolist() == dx.tolist()


MISTAKES = {
    "kernel not flipped": (
        "a1.da", "kernel not flipped", lambda t, n: n["c2"].dx(t["c2.dz"], t["c2.W"][:, :, ::-1, ::-1], t["a1.a"]),
    ),
    "kernels of another group": (
        "c2.dz", "kernels of another group", lambda t, n: n["c3"].dx(t["c3.dz"], t["c3.W"][[1, 2, 3, 0]], t["c2.z"]),
    ),
    "padding not taken off": (
        "a1.da", "padding forgotten",
        lambda t, n: Conv2d(4, 4, [2, 3], stride=2, groups=2).dx(
            t["c2.dz"], t["c2.W"], np.pad(t["a1.a"], ((0, 0), (0, 0), (0, 0), (1, 1)))
        )[..., :6],
    ),
    "stride ignored": (
        "c2.dW", "stride ignored",
        lambda t, n: Conv2d(4, 4, [2, 3], padding=[0, 1], groups=2).dW(
            np.pad(t["c2.dz"], ((0, 0), (0, 0), (0, 2), (0, 3))), t["a1.a"]
        ),
    ),
    "a mean over the windows": (
        "c1.db", "mean over the windows", lambda t, n: t["c1.dz"].mean(axis=(2, 3)).sum(axis=0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_at_an_image_is_located_and_named(mistake):
    at, cause, line = MISTAKES[mistake]
    network = images()
    layers = {each.name: each.layer for each in network.nodes}
    check = checked({at: lambda t: line(t, layers)}, network=network, data=batch_of(network, 5), only=network.gradients)
    assert check.wrong == [at]
    assert cause in {found.cause for found in check.diagnoses[0].causes}


def one(layer, shape=(2, 5, 5)):
    return lambda: Graph([Input("x", shape)], [node("first", layer, "x")], MeanSquaredError(), f"first.{layer.gives}")


DO_NOT_FIT = {
    "a kernel larger than the image": (
        one(Conv2d(2, 3, 7, padding=[0, 1])),
        r"connect first, .* x = x of shape \(N, 2, 5, 5\), and its kernel takes 7 rows and 7 columns, and the image "
        r"has 5 and 7, padding included",
    ),
    "dilation makes it larger": (one(Conv2d(2, 3, 3, dilation=3)), "takes 7 rows and 7 columns"),
    "channels": (one(Conv2d(3, 3, 1)), r"shape \(N, 2, 5, 5\), and it reads images of 3 channels"),
    "no images": (one(Conv2d(2, 3, 1), (2, 5)), r"shape \(N, 2, 5\), and it reads images"),
    "groups of the inputs": (lambda: Conv2d(3, 4, 1, groups=2), "groups=2 of inputs=3 and outputs=4"),
    "groups of the outputs": (lambda: Conv2d(4, 3, 1, groups=2), "groups=2 of inputs=4 and outputs=3"),
    "no kernel": (lambda: Conv2d(1, 1, 0), "kernel=0"),
    "three sizes": (lambda: Conv2d(1, 1, [3, 3, 3]), r"kernel=\[3, 3, 3\]"),
    "half a stride": (lambda: Conv2d(1, 1, 3, stride=0.5), "stride=0.5"),
    "padding taken away": (lambda: Conv2d(1, 1, 3, padding=-1), "padding=-1"),
    "another padding": (lambda: Conv2d(1, 1, 3, padding="full"), "padding='full'"),
    "an inner product of images": (one(Reshape([7, -1])), "a sample of 50 entries does not make 7 times -1"),
    "too few entries": (one(Reshape([7, 7])), "a sample of 50 entries does not make 49"),
    "two sizes that follow": (lambda: Reshape([-1, -1]), r"shape=\[-1, -1\]"),
    "an axis twice": (lambda: Transpose([1, 1]), r"axes=\[1, 1\]"),
    "the samples": (lambda: Transpose([0, 1]), r"axes=\[0, 1\]"),
    "a window larger than the image": (
        one(MaxPool2d(6)),
        "its kernel takes 6 rows and 6 columns, and the image has 5 and 5",
    ),
    "sizes that do not repeat": (
        lambda: Graph(
            [Input("x", (2, 3)), Input("u", (1, 2))],
            [node("first", Subtract(), "x", "u")],
            MeanSquaredError(),
            "first.s",
        ),
        r"p = x of shape \(N, 2, 3\), q = u of shape \(N, 1, 2\), and it pairs them entry by entry",
    ),
    "a sum over the samples": (lambda: Sum([0]), r"axes=\[0\]"),
    "a sum along an axis that is not there": (one(Sum([4])), "it adds up along axis 4"),
    "an end below the other": (lambda: Clip(1.0, 0.5), "high=0.5"),
    "a mask of another shape": (
        lambda: Graph(
            [Input("x", 3), Input("m", 2, keep=0.5)],
            [node("first", Dropout(), "x", "m")],
            MeanSquaredError(),
            "first.s",
        ),
        r"x = x of shape \(N, 3\), m = m of shape \(N, 2\), and it masks entry by entry",
    ),
    "a rate of everything": (lambda: Dropout(1.0), "rate=1.0"),
    "a mask that is more than kept": (lambda: Input("m", 2, keep=1.5), "keep=1.5"),
    "other channels": (one(BatchNorm(3)), "it normalises 3 channels"),
    "half a channel": (lambda: BatchNorm(1.5), "channels=1.5"),
    "a momentum above 1": (lambda: BatchNorm(2, momentum=1.1), "momentum=1.1"),
    "a framework's momentum": (lambda: BatchNorm(2, momentum_from="keras"), "momentum_from='keras'"),
    "a window of padding alone": (lambda: MaxPool2d(2, padding=2), "padding=2 of kernel=2"),
    "a mean of no image": (one(GlobalAvgPool2d(), (2, 5)), "it reads images"),
    "other axes": (one(Transpose([2, 1])), "it orders 2 axes of a sample"),
}


@pytest.mark.parametrize("what", DO_NOT_FIT)
def test_sizes_that_do_not_fit_are_told_with_both_shapes_and_the_node(what):
    make, said = DO_NOT_FIT[what]
    with pytest.raises(ValueError, match=said) as error:
        make()
    assert re.fullmatch(r"Cannot .*, because .*; .*\.", str(error.value))


def test_changes_of_shape_move_every_entry_to_its_place():
    x = np.arange(48.0).reshape(2, 2, 3, 4)
    for layer, expected in (
        (Flatten(), x.reshape(2, 24)), (Reshape([-1, 6]), x.reshape(2, 4, 6)),
        (Transpose([3, 1, 2]), x.transpose(0, 3, 1, 2)),
    ):  # fmt: skip
        s = layer.forward(x)
        np.testing.assert_array_equal(s, expected)
        assert s.shape == tuple(layer.shapes({"x": x.shape})["s"])
        reads = {"ds": s, "x": x}
        back = layer.dx(*[reads[name] for name in layer.dx.__code__.co_varnames[1 : layer.dx.__code__.co_argcount]])
        np.testing.assert_array_equal(back, x)
        assert not np.shares_memory(s, x)


def test_a_network_of_images_is_built_line_by_line():
    net = GraphBuilder()
    z = net("conv", Conv2d(1, 2, 3, padding="same"), net.input("x", (1, 4, 4)))
    network = net.loss(MeanSquaredError(), net("flat", Flatten(), z))
    assert network.tensors["conv.W"].shape == (2, 1, 3, 3)
    assert network.tensors["flat.s"].sized(7) == (7, 32)
    assert network.multiply_adds(2) == 2 * (2 * 2 * 16 * 9)  # forward and dW: nobody asks for the gradient of x
