"""Operands: what is made of given arrays and their views is made once; of no other array anything is kept."""

import numpy as np
import pytest

from harness.arithmetic.operands import Operands
from harness.arithmetic.products import Products

RNG = np.random.default_rng(0)


def test_what_is_made_of_a_given_array_is_made_once_for_all_who_read_it():
    operands, given = Operands(), RNG.normal(size=(6, 5)).astype(np.float32)
    operands.share([given])
    double = operands.double(given)
    np.testing.assert_array_equal(double, given.astype(np.float64))
    assert operands.double(given) is double
    magnitude = operands.magnitude(double)
    assert operands.magnitude(operands.double(given)) is magnitude, "of what is made of it too"
    np.testing.assert_array_equal(operands.magnitude(double.T), np.abs(given.T))
    assert np.shares_memory(operands.magnitude(double.T), magnitude), "the other way round it is the same"
    single, turned = operands.single(double), operands.single(double.T)
    assert turned.scaled.base is single.scaled
    np.testing.assert_array_equal(turned.scaled * 2.0**turned.power, np.abs(given.T))
    assert (single.power, single.largest) == (turned.power, turned.largest)
    with pytest.raises(ValueError, match="read-only"):
        magnitude[0, 0] = 1.0


@pytest.mark.parametrize(("entries", "found"), [([0.0, 1.0], False), ([0.0, -1e-3], True), ([np.nan, -1.0], False)])
def test_what_is_below_a_limit_is_no_zero_and_no_nan(entries, found):
    operands, given = Operands(), np.array(entries)
    assert operands.below(given, 1e-2) is found
    operands.share([given])
    assert [operands.below(given, 1e-2), operands.below(given, 1e-2), operands.below(given, 1e-9)] == [
        found,
        found,
        False,
    ]


def test_views_of_it_are_told_apart():
    operands, given = Operands(), RNG.normal(size=(8, 6)).astype(np.float32)
    operands.share([given])
    views = [given[a::2] for a in (0, 1)] + [given[:, a::3] for a in (0, 1, 2)] + [given[:4], given.reshape(4, 12)]
    for view in [*views, *views]:
        np.testing.assert_array_equal(operands.double(view), view.astype(np.float64))
        np.testing.assert_array_equal(operands.magnitude(operands.double(view)), np.abs(view.astype(np.float64)))


def test_of_an_array_that_is_not_given_nothing_is_kept():
    operands, own = Operands(), RNG.normal(size=(4, 3))
    first = operands.magnitude(own)
    own[0, 0] = 9.0
    assert operands.magnitude(own)[0, 0] == 9.0
    assert first[0, 0] != 9.0


def test_a_product_is_kept_where_both_operands_are_shared_and_only_there():
    operands, x, W, dz = Operands(), *(RNG.normal(size=s) for s in ((9, 4), (4, 7), (9, 7)))
    operands.share([x, W])
    products = Products(operands)
    assert products.recalled(x, W) is products.recalled(x, W)
    assert products.recalled(x.T, dz) is not products.recalled(x.T, dz)
    assert products.recalled(x, W + 1.0) is not products.recalled(x, W)
    shared, own = products.recalled(x, W), products.kept(x.T, dz)
    assert products.recalled(x.T, dz) is own
    products.forget()
    assert products.recalled(x.T, dz) is not own
    assert products.recalled(x, W) is shared
