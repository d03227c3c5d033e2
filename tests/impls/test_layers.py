"""Every layer of a family: all implementations within the bounds, the truth too, and every mistake of its own named."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from harness.arithmetic import profile_of
from harness.comparison.checks import formula, rounding
from harness.diagnosis import diagnose
from harness.evaluation.point import Point
from harness.evaluation.truth import true_tensors
from harness.faults import faults_at
from impls import registry
from impls.contract import Inputs
from impls.graph import evaluate
from impls.graph.node import as_names
from impls.hand import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Concatenate,
    Conv1d,
    ConvTranspose2d,
    CumulativeSum,
    Einsum,
    Gather,
    Graph,
    GroupNorm,
    Input,
    Max,
    MeanSquaredError,
    Pad,
    Pow,
    Power,
    RMSNorm,
    ScatterAdd,
    Slice,
    Split,
    Stack,
    Variance,
    Where,
    node,
)  # fmt: skip
from tests.graphs.layers import FAMILIES, batch_of, network_of
from tests.helpers.diagnosing import faulty

FEW = {"no power", "ok", "convention"}
ROWS = {"float32": 3, "float64": 1}


@cache
def point(family, rows=3, dtype="float64"):
    return point_of(network_of(FAMILIES[family]), rows, dtype)


def point_of(network, rows, dtype):
    x, y = batch_of(network, rows, dtype)
    return Point(network, network.init(0, dtype), x, y, 1)


@pytest.mark.parametrize("dtype", ROWS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_implementation_is_within_the_bounds(family, dtype):
    """Far from 0 and where an exponential underflows some bounds have no power; those of one row in two have."""
    there = point(family, ROWS[dtype], dtype)
    for name in registry.OWN:
        made = registry.load(name)(there.network, dtype)
        result = made.differentiate(there.weights, there.x, there.y)
        rows = rounding(there, name, result, profile_of(dtype, getattr(made, "eager", False)))
        rows += formula(there, name, result) if dtype == "float64" else []
        verdicts = Counter(row.verdict for row in rows)
        assert set(verdicts) <= FEW, [row for row in rows if row.verdict not in FEW]
        assert verdicts["ok"] > 0.8 * len(rows), verdicts


@pytest.mark.parametrize("family", FAMILIES)
def test_the_truth_is_within_the_bounds_of_the_centre(family):
    there = point(family, 1)
    truth = true_tensors(there.network, there.weights, there.x, there.y, bits=200)
    for name, bounded in there.centre("float64").tensors.items():
        true = truth.tensors[name]
        known = np.isfinite(true.radius) & np.isfinite(bounded.bound)
        assert np.all((true.distance(bounded.value) <= bounded.bound + 2 * true.radius) | ~known), name
        assert known.mean() > 0.5, name


@cache
def everywhere():
    """Causes of a link that only moves entries: what can go wrong in any rule."""
    there = point("indexed")
    return {fault.cause for name in ("f1.s", "n1.ds") for fault in faults_at(there.network, there.network.link[name])}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_mistake_of_its_own_is_located_and_named(family):
    tally, missed = Counter(), []
    for case in FAMILIES[family]:
        network = network_of([case])
        there = point_of(network, 4, "float64")
        for link in network.links:
            own = link.layer is case[0]
            for fault in faults_at(network, link) if own else []:
                if fault.cause in everywhere():
                    continue
                shown = shown_with(there, fault)
                wrong = faulty(there, shown) if all(np.isfinite(each).all() for each in shown.values()) else []
                if not wrong:
                    tally["changes nothing"] += 1
                    continue
                found = diagnose(there, shown, profile_of("float64"), wrong)
                assert [each.at for each in found] == [fault.at], fault
                named = fault.cause in {cause.cause for cause in found[0].causes}
                tally.update(planted=1, named=named)
                if not named:
                    missed.append((fault.cause, fault.at, case[0]))
    print(family, dict(tally), missed)
    assert tally["named"] >= 0.95 * tally["planted"] > 10, missed
    assert tally["changes nothing"] < 0.3 * tally["planted"]


def shown_with(there, fault):
    tensors = dict(there.named)
    with np.errstate(all="ignore"):
        evaluate(there.network.links, tensors, planted={fault.at: fault.rule})
    return {name: tensors[name] for name in there.network.link if not there.network.tensors[name].through}


def one(layer, *shapes):
    """The layer by itself on inputs of these shapes."""
    reads = as_names(layer.reads)
    whole = getattr(layer, "whole", {})
    inputs = [Input(name, shape, whole.get(name, 0)) for name, shape in zip(reads, shapes, strict=True)]
    return lambda: Graph(
        inputs, [node("first", layer, *reads)], MeanSquaredError(), f"first.{as_names(layer.gives)[0]}"
    )


DO_NOT_FIT = {
    "a row of another width": (one(RMSNorm(4), (3, 5)), r"x = x of shape \(N, 3, 5\), and it normalises rows of 4"),
    "no width": (lambda: RMSNorm(0), "width=0"),
    "no eps": (lambda: RMSNorm(3, eps=0), "eps=0"),
    "groups that do not divide": (lambda: GroupNorm(3, 4), "groups=3 of channels=4, .* divides 4"),
    "other channels": (one(GroupNorm(2, 4), (3, 5)), r"shape \(N, 3, 5\), and it normalises 4 channels"),
    "the axis of the samples": (lambda: Slice(0, 1), "axis=0"),
    "an axis that is not there": (one(Slice(2, 1), (3,)), r"x of shape \(N, 3\), and it takes entries along axis 2"),
    "nothing taken": (one(Slice(1, 3), (3,)), "it takes none of the 3 entries along axis 1"),
    "a step back": (lambda: Slice(1, step=-1), "step=-1"),
    "half a start": (lambda: Slice(1, 0.5), "start=0.5"),
    "padding of an axis too few": (one(Pad([[1, 1]]), (2, 3)), r"shape \(N, 2, 3\), and it pads 1 axes"),
    "padding taken away": (lambda: Pad([[0, -1]]), r"widths=\[\[0, -1\]\]"),
    "padding on one side": (lambda: Pad([[1]]), r"widths=\[\[1\]\]"),
    "padding without a number": (lambda: Pad([[1, 1]], float("nan")), "value=nan"),
    "other entries": (one(Gather(4), 5, 2), r"\(N, 5\), i = i of shape \(N, 2\), and it takes from 4 entries"),
    "numbers of another shape": (one(ScatterAdd(4), 5, 2), r"i = i of shape \(N, 2\), and it puts each entry"),
    "no entries": (lambda: Gather(0), "entries=0"),
    "two shapes stacked": (one(Stack(), 3, 2), r"p = p of shape \(N, 3\), q = q of shape \(N, 2\), and it stacks"),
    "joined along an axis that differs elsewhere": (one(Concatenate(1), (2, 3), (2, 4)), "what differs in axis 1 only"),
    "split behind the end": (one(Split(3, 1), (3, 2)), "no entry after the first 3"),
    "a condition of another shape": (one(Where(), 2, 3, 3), r"c = c of shape \(N, 2\), .* entry by entry"),
    "a power of 0": (lambda: Power(0), "exponent=0, because nothing depends on z"),
    "an infinite power": (lambda: Power(float("inf")), "exponent=inf"),
    "the largest sample": (lambda: Max([0]), r"axes=\[0\]"),
    "the largest along no axis": (one(Max([2]), 3), "it takes the largest along axis 2"),
    "an unbiased variance of one": (one(Variance([1], True), 1), "one entry has no unbiased variance"),
    "a kernel longer than the sequence": (one(Conv1d(2, 3, 7), (2, 5)), "its kernel takes 1 rows and 7 columns"),
    "channels of a sequence": (one(Conv1d(3, 3, 1), (2, 5)), r"\(N, 2, 5\), and it reads sequences of 3 channels"),
    "groups of a sequence": (lambda: Conv1d(3, 4, 1, groups=2), "groups=2 of inputs=3"),
    "two sizes of a sequence": (lambda: Conv1d(1, 1, [3, 3]), r"kernel=\[3, 3\]"),
    "another window": (lambda: ConvTranspose2d(1, 1, 3, stride=2, output_padding=2), "output_padding=2"),
    "all taken off": (one(ConvTranspose2d(1, 1, 3, padding=2), (1, 2, 2)), "its padding leaves 0 rows and 0 columns"),
    "no mean": (lambda: AdaptiveAvgPool2d(0), "size=0"),
    "no image": (one(AdaptiveAvgPool2d(2), (2, 5)), "it reads images"),
    "no subscripts": (lambda: Einsum("nij,njk"), "'nij,njk', because it names the axes"),
    "samples that are summed over": (lambda: Einsum("ni,ni->i"), "the samples are the first axis"),
    "a letter twice": (lambda: Einsum("nii,ni->ni"), "i stands twice in one"),
    "a letter alone": (lambda: Einsum("nij,nj->nj"), "i stands in one of the three only"),
    "two sizes of an axis": (one(Einsum("ni,ni->ni"), 3, 2), "its axis i has 3 entries in one and 2 in the other"),
    "sums along no axis": (one(CumulativeSum(2), 3), "it adds up along axis 2"),
}  # fmt: skip


@pytest.mark.parametrize("what", DO_NOT_FIT)
def test_what_does_not_fit_is_told_with_the_shapes_and_the_node(what):
    make, said = DO_NOT_FIT[what]
    with pytest.raises(ValueError, match=said) as error:
        make()
    assert re.fullmatch(r"Cannot .*, because .*; .*\.", str(error.value))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_is_made_again_from_what_is_printed_of_it(family):
    for layer, _, _ in FAMILIES[family]:
        again = eval(repr(layer), {type(layer).__name__: type(layer)})
        assert again.parameters() == layer.parameters()


def test_a_base_of_0_is_a_power_of_0_and_its_exponent_has_no_gradient():
    network = network_of([(Pow(), {"p": (3,), "q": (3,)}, "normal")])
    there = point_of(network, 2, "float32")
    p, q = np.array([[0, 2, 0], [0.5, 0, 3]], np.float32), np.array([[2, 3, 1], [2.5, 1.5, 1]], np.float32)
    x = Inputs({source.name: given for source, given in zip(network.sources, (p, q), strict=True)})
    there = Point(network, there.weights, x, there.y, 1)
    for name in registry.OWN:
        shown = registry.load(name)(network, "float32").differentiate(there.weights, x, there.y)
        assert {row.verdict for row in rounding(there, name, shown, profile_of("float32"))} == {"ok"}
        of_exponent = shown.gradients[network.gradient["q0_normal"]]
        np.testing.assert_array_equal(of_exponent == 0, p == 0)


@pytest.mark.parametrize("layer", [AdaptiveAvgPool2d((2, 3)), AvgPool2d(3, padding=1, count_include_pad=False)])
def test_a_mean_of_a_window_keeps_the_dtype_of_what_it_is_of(layer):
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 7)).astype(np.float32)
    s = layer.forward(x)
    assert s.dtype == layer.dx(s, x).dtype == np.float32
