"""The order and the digits of a sum, revealed by what it gives: of sums that are known, and of what is installed."""

import numpy as np
import pytest

from harness.formats import FORMATS, rounded_to
from harness.surveys.accumulation import accumulation_of
from impls import registry
from impls.contract import network_of_example

DTYPES = ["float32", "float16", "bfloat16"]


def one_by_one(digits):
    """From the first to the last, each sum rounded to so many digits."""

    def sums(x):
        total = np.float64(0)
        for number in x.astype(np.float64):
            total = rounded_to(total + number, digits)
        return total

    return sums


def pairwise(x):
    x = x.astype(np.float32)
    while len(x) > 1:
        x = x[::2] + x[1::2]
    return x[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("accumulator", ["bfloat16", "float16", "float32"])
def test_the_digits_of_an_accumulator_are_found(dtype, accumulator):
    if FORMATS[accumulator].most < FORMATS[dtype].most:
        pytest.skip(f"{accumulator} does not hold the range of {dtype}")
    found = accumulation_of(one_by_one(accumulator), 9, dtype)
    assert found.digits == FORMATS[accumulator].digits
    assert found.depth == 8
    assert str(found) == f"{found.digits} digits, one after the other"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tree_is_found(dtype):
    found = accumulation_of(pairwise, 8, dtype)
    assert found.order == (((0, 1), (2, 3)), ((4, 5), (6, 7)))
    assert (found.depth, found.digits) == (3, 24)


def test_what_is_added_at_once_stands_side_by_side():
    def blocks_of_four(x):  # as a tensor core adds products: each aligned to the largest, and cut there
        total = np.float64(0)
        for block in x.astype(np.float64).reshape(-1, 4):
            terms = np.append(block, total)
            last = 2.0 ** (np.frexp(np.abs(terms).max())[1] - 25)
            total = (np.trunc(terms / last) * last).sum()
        return total

    assert accumulation_of(blocks_of_four, 8, "float32").order == ((0, 1, 2, 3), 4, 5, 6, 7)


def test_what_has_no_order_is_told():
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="Cannot tell the order of this sum"):
        accumulation_of(lambda x: random.permutation(x).sum(), 16, "float32")
    with pytest.raises(ValueError, match=r"counts up to 256 exactly; give from 3 to that many\."):
        accumulation_of(np.sum, 257, "bfloat16")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["hand", "torch", "jax"])
def test_everybody_accumulates_as_the_profiles_say(name, dtype):
    pytest.importorskip(name if name != "hand" else "numpy")
    made = registry.load(name)(network_of_example(), dtype)
    said = made.arithmetic(None, "")
    for of, sums in made.accumulations().items():
        promised = getattr(said, {"gradient sums": "sums"}.get(of, of)) or dtype
        assert accumulation_of(sums, 32, dtype).digits >= FORMATS[promised].digits, of


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_what_jax_sums_itself_is_wider_than_what_its_differentiation_sums(dtype):
    pytest.importorskip("jax")
    sums = registry.load("jax")(network_of_example(), dtype).accumulations()
    digits = {of: accumulation_of(function, 16, dtype).digits for of, function in sums.items()}
    assert digits["sums"] == digits["products"] == 24
    assert digits["gradient sums"] == digits["meetings"] == FORMATS[dtype].digits
