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
