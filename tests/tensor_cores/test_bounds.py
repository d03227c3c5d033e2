"""Bounds of products on tensor cores: never exceeded by the emulator, and at most ten times as wide as needed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arithmetic import Context, profile_of
from harness.arithmetic.profile import on_tensor_cores
from harness.arithmetic.tensor_cores import TENSOR_CORES
from harness.evaluation.references.derived import HandReference
from harness.formats import FORMATS, rounded_to
from impls.hand.layers import AttentionScores, Conv2d, Dense, MatrixProduct
from tests.tensor_cores.emulated import on_cores
from tests.tensor_cores.emulator import product

EVERY = [(architecture, operands) for architecture, known in TENSOR_CORES.items() for operands in known]
IDS = [f"{architecture}-{operands}" for architecture, operands in EVERY]


def bounded(architecture, operands, x, y):
    context = Context(on_tensor_cores(profile_of("float32"), architecture, operands))
    return context.exact(x) @ context.exact(y)


def read(array, operands):
    """Numbers of the format that a program hands over; of TF32 float32, which the instruction cuts."""
    return rounded_to(array, "float32" if operands == "tf32" else operands)


def adversarial(operands, block, terms):
    """A large product, then in each block all but one that lose almost half of them, and one that is lost whole.

    What is left of these is a number of last places that is odd, where the result keeps fewer.
    """
    unit = 15 - block.aligned  # of the last place that is kept beside 2^8 times 2^7
    powers = unit - 2 + (np.arange(terms) % block.products != block.products - 1)
    digits = 2 - 2.0 ** (1 - FORMATS[operands].digits)  # times itself almost 4
    x, y = digits * 2.0 ** (powers // 2), digits * 2.0 ** (powers - powers // 2)
    x[0], y[0] = 2.0**8, 2.0**7
    return read(np.array([x, x]), operands), read(np.array([y, y * np.where(y == y[0], 1, -1)]).T, operands)


def used(architecture, operands, x, y, **how):
    """The largest share of its bound that an entry takes; with bounds that hold it is at most 1."""
    right = bounded(architecture, operands, x, y)
    found = product(TENSOR_CORES[architecture][operands], x, y, operands, **how)
    exact = np.array([[float(sum(map(_exact, row, column))) for column in y.T] for row in x])
    assert np.all(np.abs(right.value - exact) <= right.bound)
    return float((np.abs(found - exact) / right.bound).max())


def _exact(x, y):
    return Fraction(float(x)) * Fraction(float(y))


@pytest.mark.parametrize(("architecture", "operands"), EVERY, ids=IDS)
def test_bounds_hold_and_are_at_most_ten_times_as_wide_as_needed(architecture, operands):
    rng, block = np.random.default_rng(0), TENSOR_CORES[architecture][operands]
    shares = []
    for terms in (block.products, 5 * block.products, 8 * block.products + 3):
        ordinary = read(rng.normal(size=(3, terms)), operands), read(rng.normal(size=(terms, 3)), operands)
        positive = tuple(map(np.abs, ordinary))
        cases = [ordinary, positive, adversarial(operands, block, terms)]
        for x, y in cases:
            shares += [
                used(architecture, operands, x, y), used(architecture, operands, x, y, splits=3),
                used(architecture, operands, x, y, promoted=2 * block.products),
            ]  # fmt: skip
    assert max(shares) <= 1
    assert max(shares) >= 0.1


@pytest.mark.parametrize(("architecture", "operands"), EVERY, ids=IDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_bounds_hold_for_whatever_numbers(architecture, operands, data):
    of = FORMATS[operands]
    terms = data.draw(st.integers(1, 3 * TENSOR_CORES[architecture][operands].products))
    powers = st.integers(max(of.least - of.digits, -60), min(of.most - 2, 40))
    numbers = st.builds(lambda m, e: m * 2.0**e, st.integers(-(2**of.digits), 2**of.digits), powers)
    drawn = st.lists(numbers, min_size=terms, max_size=terms)
    x, y = (read(np.clip(np.array([data.draw(drawn)]), -1e12, 1e12), operands) for _ in range(2))
    x, y = (np.where(np.isfinite(each), each, 1.0) for each in (x, y))
    assert used(architecture, operands, x, y.T) <= 1


@pytest.mark.parametrize(
    ("architecture", "operands", "exceeded"),
    [
        ("V100", "float16", True),
        ("A100", "bfloat16", True),
        ("Ada", "float8_e4m3fn", True),
        ("H100", "bfloat16", False),
    ],
)
def test_the_rule_of_ordinary_sums_does_not_hold_on_all_of_them(architecture, operands, exceeded):
    block = TENSOR_CORES[architecture][operands]
    x, y = adversarial(operands, block, 64 * block.products)
    y = np.abs(y)
    context = Context(profile_of("float32"))
    right = context.exact(x) @ context.exact(y)
    found = product(block, x, y, operands)
    assert np.any(np.abs(found - right.value) > right.bound) == exceeded


def test_subnormal_factors_are_aligned_as_if_they_were_normal():
    x, y = np.full((1, 16), 2.0**-24), np.full((16, 1), 2.0**15)
    x[0, 0] *= 3
    assert used("H100", "float16", x, y) <= 1
    tiny = np.full((1, 16), 2.0**-24), np.concatenate([np.full((1, 1), 2.0**15), np.full((15, 1), 2.0**-24)])
    assert 0.0 < used("H100", "float16", *tiny) <= 1  # all but the first product are lost


LAYERS = {
    "convolution": (Conv2d(3, 4, 3), {"x": (2, 3, 6, 6), "W": (4, 3, 3, 3), "b": (4,)}),
    "attention": (AttentionScores(), {"q": (2, 2, 6, 20), "k": (2, 2, 7, 20)}),
    "dense": (Dense(20, 4), {"x": (6, 20), "W": (20, 4), "b": (4,)}),
    "matrix product": (MatrixProduct(), {"p": (2, 7, 20), "q": (2, 20, 5)}),
}


@pytest.mark.parametrize(
    ("architecture", "operands"), [("A100", "bfloat16"), ("H100", "float8_e4m3fn"), ("A100", "tf32")]
)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_whose_products_run_on_them_are_within_their_bounds(name, architecture, operands):
    layer, shapes = LAYERS[name]
    rng = np.random.default_rng(0)
    inputs = {each: read(rng.normal(size=shape), operands) for each, shape in shapes.items()}
    reference = HandReference(layer)
    upstream = read(rng.normal(size=reference.parts(inputs)["output"]), operands)
    context = Context(on_tensor_cores(profile_of("float32"), architecture, operands))
    right, gradients = reference.computed(inputs, upstream, context.exact)
    output, found = reference.computed(inputs, upstream, on_cores(architecture, operands))
    assert right.holds(np.asarray(output))
    assert not np.array_equal(np.asarray(output), right.value)
    for each, gradient in gradients.items():
        assert gradient.holds(np.asarray(found[each])), each


@pytest.mark.parametrize(
    ("architecture", "operands", "told"),
    [
        ("K80", "float16", "because their arithmetic is not known; choose from V100, A100, Ada, H100, B200."),
        ("V100", "bfloat16", "because they do not read it; choose from float16."),
    ],
)
def test_what_there_is_not_is_told(architecture, operands, told):
    with pytest.raises(ValueError, match="Cannot use") as raised:
        on_tensor_cores(profile_of("float32"), architecture, operands)
    assert told in str(raised.value)
