"""Products: the same matrices give the same product once, others never; their bound is the one that is derived."""

from dataclasses import replace

import numpy as np
import pytest

from harness.arithmetic import Context, profile_of
from harness.arithmetic.products import Products

RNG = np.random.default_rng(0)


def test_a_product_of_the_same_entries_is_recalled_and_of_any_other_computed():
    products, x, y = Products(), RNG.normal(size=(40, 30)), RNG.normal(size=(30, 20))
    known = products.kept(x, y)
    assert products.recalled(x.copy(), y.copy()) is known
    assert products.recalled(x.T.copy().T, y) is known, "in another memory order"
    for place in np.ndindex(2, 3):
        for which in (0, 1):
            other = [x.copy(), y.copy()]
            other[which][place] = np.nextafter(other[which][place], 9)
            np.testing.assert_array_equal(products.recalled(*other), other[0] @ other[1])
            assert products.recalled(*other) is not known
    single = products.recalled(x.astype(np.float32), y.astype(np.float32))
    assert single.dtype == np.float32
    assert np.isnan(products.recalled(np.full((40, 30), np.nan), y)).all()


def magnitudes(*shape: int) -> np.ndarray:
    """Of any size up to 1, some of them 0, as of a layer behind relu."""
    drawn = 10.0 ** RNG.uniform(-6, 0, shape) * (RNG.random(shape) < 0.7)
    return (drawn / drawn.max()).astype(np.float32)


def moved(known: np.ndarray, by: float) -> np.ndarray:
    return np.minimum(known * (1 + by * RNG.uniform(-1, 1, known.shape)), 1).astype(np.float32)


@pytest.mark.parametrize("by", [0.0, 2.0**-23, 2.0**-12])
@pytest.mark.parametrize("moves", ["x", "y", "x and y"])
def test_of_magnitudes_near_by_a_product_tells_what_no_entry_is_above(by, moves):
    products, x, y = Products(), magnitudes(60, 50), magnitudes(50, 40)
    known = products.kept(x, y)
    other_x, other_y = moved(x, by) if "x" in moves else x, moved(y, by) if "y" in moves else y
    told = products.near(other_x, other_y)
    exact = other_x.astype(np.float64) @ other_y.astype(np.float64)
    assert told.dtype == np.float32
    assert np.all(told * (1 + 2 * (50 + 4) * 2.0**-24) >= exact)
    room = by * (x.max(1, keepdims=True) * y.sum(0) + x.sum(1, keepdims=True) * y.max(0))
    assert np.all(told <= exact * (1 + 50 * 2.0**-23) + 1.1 * room)
    assert not np.array_equal(told, other_x @ other_y) or by == 0, "it is told, and not computed"
    products.forget()
    np.testing.assert_array_equal(products.near(x, y), known)


@pytest.mark.parametrize("which", [0, 1])
def test_of_magnitudes_that_are_not_near_everywhere_it_is_computed(which):
    products, operands = Products(), [magnitudes(60, 50), magnitudes(50, 40)]
    products.kept(*operands)
    other = [each.copy() for each in operands]
    other[which][3, 4] = 1 - other[which][3, 4]  # which no probe looks at
    np.testing.assert_array_equal(products.near(*other), other[0] @ other[1])
    other[which] = magnitudes(*other[which].shape)
    np.testing.assert_array_equal(products.near(*other), other[0] @ other[1])
    stacked = [each[None] for each in operands]
    np.testing.assert_array_equal(products.near(*stacked), stacked[0] @ stacked[1])


@pytest.mark.parametrize("u", [2.0**-24, 2.0**-12, 2.0**-8])
@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("sign", [-1.0, 0.0])
def test_the_bound_of_a_product_is_that_of_every_order_of_summation(u, n, sign):
    """u M + (n - 1) u P, P = min(M, (M + |V|) / 2 + n u M), with the centre's own roundings: no less, hardly more."""
    profile = replace(profile_of("float32"), u=u, u_acc=u)
    context = Context(profile)
    x, y = RNG.uniform(sign, 1, (5, n)), RNG.uniform(sign, 1, (n, 4))
    made = context.exact(x) @ context.exact(y)
    magnitude, value = np.abs(x) @ np.abs(y), np.abs(x @ y)
    partial = np.minimum(magnitude, (magnitude + value) / 2 + n * u * magnitude)
    derived = u * magnitude + (n - 1) * u * partial
    assert np.all(made.bound >= derived)
    most = 1.5 if 2 * n * u > 2.0**-7 else 1.01
    assert np.all(made.bound <= most * derived + n * 2.0**-51 * magnitude + 3 * n * profile.eta)
