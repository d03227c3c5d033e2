"""Whose weight is whose: by numbers, names, shapes and order, or as the user says; and how it lies there."""

import numpy as np
import pytest

from harness import UsageError
from harness.programs.pairs.arrangement import Arrangement, arrangements
from harness.programs.pairs.mapping import mapped, tried
from harness.programs.pairs.pair import leaves_with
from impls.captured import Leaf

DRAWN = np.random.default_rng(0)


def leaves(**shapes):
    return [
        Leaf(name=name.replace("__", "."), array=DRAWN.normal(size=shape).astype(np.float32), role="weight")
        for name, shape in shapes.items()
    ]


def pairs(sources, targets, said=None, uses=({}, {})):
    found = mapped(sources, targets, tuple((lambda used=used: used) for used in uses), said, ("A", "B"))
    return {pair.target.name: (pair.source.name + pair.arrangement.text, pair.how) for pair in found.pairs}, found


def test_numbers_tell_a_square_matrix_that_was_transposed():
    sources = leaves(a__weight=(4, 4), b__weight=(4, 4))
    ported = [
        Leaf(name="x.kernel", array=sources[1].array.T, role="weight"),
        Leaf(name="y.kernel", array=sources[0].array, role="weight"),
    ]
    assert pairs(sources, ported)[0] == {
        "x.kernel": ("b.weight.T", "numbers"), "y.kernel": ("a.weight", "numbers"),
    }  # fmt: skip


def test_a_square_matrix_lies_as_others_of_its_kind_do():
    sources = leaves(a__weight=(4, 4), b__weight=(4, 6))
    assert pairs(sources, leaves(a__kernel=(4, 4), b__kernel=(6, 4)))[0]["a.kernel"][0] == "a.weight.T"
    assert pairs(sources, leaves(a__weight=(4, 4), b__weight=(4, 6)))[0]["a.weight"][0] == "a.weight"


def test_where_all_are_square_both_ways_are_tried():
    sources, targets = leaves(a__weight=(4, 4), b__weight=(3, 3)), leaves(a__kernel=(4, 4), b__kernel=(3, 3))
    _, found = pairs(sources, targets)
    assert all(pair.undecided for pair in found.pairs)
    assert {way.arrangement.text for way in tried(found.pairs, lambda each: not _turned(each))} == {".T"}
    assert {way.arrangement.text for way in tried(found.pairs, _turned)} == {""}


def _turned(given):
    return sum(pair.arrangement.turns for pair in given)


def test_layers_go_together_whatever_they_are_called():
    """Flax calls layers in the order in which they are made, which may not be that of use."""
    sources = leaves(**{"0__weight": (4, 3), "0__bias": (4,), "2__weight": (4, 4, 1), "2__bias": (4,)})
    targets = leaves(Dense_0__bias=(4,), Dense_0__kernel=(4, 4, 1), Dense_1__bias=(4,), Dense_1__kernel=(3, 4))
    found, _ = pairs(sources, targets)
    assert (found["Dense_1.bias"][0], found["Dense_0.bias"][0]) == ("0.bias", "2.bias")
    assert found["Dense_1.kernel"] == ("0.weight.T", "shape")


def test_ten_comes_behind_two_and_statistics_are_no_weights():
    many = {f"h__{n}__weight": (4, 4) for n in range(12)}
    found, _ = pairs(leaves(**many), leaves(**{f"Block_{n}__kernel": (4, 4) for n in sorted(range(12), key=str)}))
    assert all(found[f"Block_{n}.kernel"][0] == f"h.{n}.weight.T" for n in range(12))
    norm = leaves(bn__weight=(4,), bn__bias=(4,), bn__running_mean=(4,), bn__running_var=(4,))
    found, _ = pairs(norm, leaves(s__bn__mean=(4,), s__bn__var=(4,), p__bn__bias=(4,), p__bn__scale=(4,)))
    assert {target: source for target, (source, _) in found.items()} == {
        "s.bn.mean": "bn.running_mean", "s.bn.var": "bn.running_var", "p.bn.bias": "bn.bias", "p.bn.scale": "bn.weight",
    }  # fmt: skip


def test_a_fused_projection_is_cut_as_the_user_says():
    sources, targets = (
        leaves(qkv__weight=(12, 4)),
        leaves(q__kernel=(4, 2, 2), k__kernel=(4, 2, 2), v__kernel=(4, 2, 2)),
    )
    said = {f"{n}.kernel": f"qkv.weight[{4 * i}:{4 * i + 4}].T.reshape(4, 2, 2)" for i, n in enumerate("qkv")}
    _, found = pairs(sources, targets, said)
    given = leaves_with(found.pairs)
    assert np.array_equal(given["k.kernel"], sources[0].array[4:8].T.reshape(4, 2, 2))


WRONG = {
    "nothing": ({"c.kernel": "a.weight"}, r"Cannot map 'c.kernel' of B, because there is no such array"),
    "no source": ({"a.kernel": "c.weight.T"}, r"Cannot map 'c.weight.T' of A, because there is no such array"),
    "a shape": ({"a.kernel": "a.weight"}, r"because that is \(4, 3\) and this \(3, 4\); add .T"),
    "no such rows": ({"a.kernel": "a.weight.reshape(5, 5)"}, "cannot reshape array"),
    "one to two": ({"a.kernel": "a.weight.T", "b.kernel": "a.weight.T"}, "because a part of either is mapped already"),
    "many": ({"kernel": "a.weight.T"}, "because 2 arrays end so"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_map_that_cannot_be(case):
    said, why = WRONG[case]
    with pytest.raises(UsageError, match=why):
        pairs(leaves(a__weight=(4, 3), b__weight=(4, 3)), leaves(a__kernel=(3, 4), b__kernel=(3, 4)), said)


@pytest.mark.parametrize(
    ("given", "wanted", "first"),
    [
        ((5, 3), (3, 5), ".T"),
        ((4, 3, 5, 5), (5, 5, 3, 4), ".transpose(2, 3, 1, 0)"),
        ((5, 5, 3, 4), (4, 3, 5, 5), ".transpose(3, 2, 0, 1)"),
        ((3, 3, 3, 3), (3, 3, 3, 3), ""),
        ((8, 8), (8, 2, 4), ".reshape(8, 2, 4)"),
    ],
)
def test_how_one_shape_lies_in_another(given, wanted, first):
    ways = list(arrangements(given, wanted))
    assert ways[0].text == first
    assert all(way.of(np.zeros(given)).shape == wanted for way in ways)
    assert len(set(ways)) == len(ways)


def test_an_arrangement_is_nothing_else():
    for text in (".foo()", "import os", ".T.", "[1]", ".reshape()"):
        with pytest.raises(ValueError, match="none of"):
            Arrangement(text)
