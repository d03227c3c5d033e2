"""Balls and rationals: the hand code's operations on them, constants, comparisons, and what each encloses."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arithmetic.balls import Balls
from harness.arithmetic.rationals import IrrationalError, Rationals
from harness.arithmetic.true_values import TrueTensor
from impls.hand.activations.gelu import erf
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.losses.squared import sign_of_difference
from impls.hand.optimizers import Adam
from impls.hand.optimizers.adaptive import moving_average

KINDS = {"balls": lambda: Balls(128), "rationals": Rationals, "fractions": lambda: Rationals(flint=False)}


@pytest.fixture(params=KINDS)
def numbers(request):
    return KINDS[request.param]()


def fractions_of(array):
    """The entries as fractions, where they are exact."""
    assert not array.numbers.radii(array.entries).any()
    return [array.numbers.midpoint(entry) for entry in array.entries.flat]


def encloses(array, fraction):
    """Is this fraction in the one ball of the array?"""
    (radius,) = array.numbers.radii(array.entries).flat
    return abs(array.numbers.midpoint(array.entries.item()) - fraction) <= Fraction(float(radius))


def test_constants_are_the_doubles_nearest_to_what_is_written(numbers):
    one = numbers.exact(np.ones(1))
    assert fractions_of(0.1 * one) == [Fraction(0.1)] != [Fraction(1, 10)]
    assert fractions_of(one + 3) == [4]
    assert fractions_of(one * np.float64(0.3)) == [Fraction(0.3)]
    assert fractions_of(numbers.exact(np.float32([0.1]))) == [Fraction(float(np.float32(0.1)))]


def test_a_power_of_a_primitives_number_is_not_rounded():
    """1 - 0.9^50 in Python's floats is off by a rounding; the truth is not."""
    numbers = Balls(4096)  # enough for all digits of 0.9^50
    one, beta = numbers.exact(np.ones(1)), Fraction(0.9)
    assert encloses(moving_average(one, 3 * one, 0.9), beta + (1 - beta) * 3)
    assert fractions_of(numbers.exact(np.array(0.9)) ** np.asarray(50)) == [beta**50] != [Fraction(0.9**50)]
    step = Adam(lr=1.0, beta1=0.9, epsilon=1.0).W(0 * one, one, 0 * one, np.asarray(50))
    assert encloses(-step, 1 / (1 - beta**50))
    assert not encloses(-step, 1 / Fraction(1 - 0.9**50))


def test_what_is_changed_in_place_is_changed_once(numbers):
    da = numbers.exact(np.arange(6.0).reshape(2, 3))
    kept = +da
    da[np.arange(2), np.array([0, 2])] -= 1
    da *= numbers.exact(np.array([2.0, 1.0, 1.0]))
    da /= 4
    assert fractions_of(da) == [Fraction(n, 4) for n in (-2, 1, 2, 6, 4, 4)]
    assert fractions_of(kept) == [0, 1, 2, 3, 4, 5]


def test_shapes_sums_and_products_are_numpys(numbers):
    x = np.arange(6.0).reshape(2, 3) - 2
    a = numbers.exact(x)
    assert (a.shape, a.T.shape, a.ndim, a.size, len(a)) == ((2, 3), (3, 2), 2, 6, 2)
    for exact, plain in (
        (a @ a.T, x @ x.T), (a.sum(axis=0), x.sum(axis=0)), (np.sum(a, axis=1, keepdims=True), x.sum(1, keepdims=True)),
        (a.sum(), x.sum()), (a.mean(axis=1), x.mean(axis=1)), (np.mean(a), x.mean()),
        (a.max(axis=1, keepdims=True), x.max(axis=1, keepdims=True)), (a.max(), x.max()),
        (np.min(a, axis=0), x.min(axis=0)), (a.max(keepdims=True), x.max(keepdims=True)), (a[1, :2], x[1, :2]),
        (np.maximum(a, 0.5), np.maximum(x, 0.5)), (np.minimum(a, 0), np.minimum(x, 0)), (np.sign(a), np.sign(x)),
        (np.absolute(a), np.absolute(x)), (np.square(a), np.square(x)), (-a, -x), (a**2, x**2), (a - 1, x - 1),
        (np.where(a > 0, a, 2 * a), np.where(x > 0, x, 2 * x)), (a >= 1, x >= 1), (a < 1, x < 1), (a <= 1, x <= 1),
        (a == 2, x == 2),
    ):  # fmt: skip
        assert exact.shape == np.shape(plain)
        assert fractions_of(exact) == [Fraction(float(p)) for p in np.ravel(plain)]
    assert numbers.undecided == 0


def test_a_comparison_that_is_decided_is_a_truth_value(numbers):
    one = numbers.exact(np.array(1.0))
    assert one > 0.5
    assert not one < 0.5
    assert one >= 0
    assert one <= 1


def uncertain(numbers, middle=0.0):
    """A number of which the last half of the bits is not known, or exactly 0 with an unknown rest."""
    third = numbers.exact(np.array([1.0])) / 3
    return 3 * third - 1 + middle


def test_an_undecided_comparison_is_counted_and_both_branches_are_enclosed():
    numbers = Balls(64)
    z = uncertain(numbers)
    mask = z > 0
    assert numbers.undecided == 1
    assert encloses(mask, 0)
    assert encloses(mask, 1)
    with pytest.raises(ValueError, match="undecided"):
        bool(mask)
    chosen = np.where(mask, numbers.exact(np.array([5.0])), numbers.exact(np.array([-7.0])))
    assert encloses(chosen, 5)
    assert encloses(chosen, -7)
    sign = sign_of_difference(z, 0 * z)
    assert numbers.undecided == 2
    assert all(encloses(sign, s) for s in (-1, 0, 1))
    for other in (z < 0, z >= 0, z <= 0, z == 0):
        assert encloses(other, 0)
        assert encloses(other, 1)
    assert numbers.undecided == 6
    assert encloses(np.maximum(z, 0), 0)
    assert uncertain(numbers, 1.0) > 0
    assert not uncertain(numbers, 1.0) < 0
    assert numbers.undecided == 6


def test_bare_object_arrays_would_have_guessed():
    """Why there is an array type: NumPy takes one branch and says nothing."""
    from flint import arb

    z = np.array([arb(0, 1e-3)], object)
    assert np.maximum(z, arb(0))[0].is_exact()
    numbers = Balls(64)
    wide = np.maximum(uncertain(numbers), 0)
    assert numbers.radii(wide.entries)[0] > 0


FUNCTIONS = {
    "exp": (np.exp, "exp"), "expm1": (np.expm1, "expm1"), "tanh": (np.tanh, "tanh"), "erf": (erf, "erf"),
    "sigmoid": (sigmoid, lambda mp, x: 1 / (1 + mp.exp(-x))),
    "logaddexp": (lambda a: np.logaddexp(a, 0), lambda mp, x: mp.log(1 + mp.exp(x))),
    "log of the square": (lambda a: np.log(np.square(a)), lambda mp, x: mp.log(x * x)),
    "log1p of the square": (lambda a: np.log1p(np.square(a)), lambda mp, x: mp.log1p(x * x)),
    "root of the square": (lambda a: np.sqrt(np.square(a)), lambda mp, x: abs(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("bits", [53, 128, 300])
def test_a_ball_holds_the_value_that_mpmath_finds(name, bits):
    import mpmath

    function, meant = FUNCTIONS[name]
    points = [-700.0, -30.25, -1.5, -0.1, -1e-9, 1e-30, 0.3, 1.0, 17.0, 650.0]
    numbers = Balls(bits)
    for point in points:
        found = function(numbers.exact(np.array([point])))
        with mpmath.workdps(500):
            x = mpmath.mpf(point)
            true = getattr(mpmath, meant)(x) if isinstance(meant, str) else meant(mpmath, x)
            sign, mantissa, exponent, _ = true._mpf_
        fraction = (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** exponent
        tail = Fraction(10) ** -480 * abs(fraction)  # mpmath's own rounding
        (radius,) = numbers.radii(found.entries)
        assert abs(numbers.midpoint(found.entries.item()) - fraction) <= Fraction(float(radius)) + tail
        if abs(point) < 100:  # farther out a radius may be too small for float64
            assert float(radius) <= abs(float(fraction)) * 2.0 ** (4 - bits)


def test_arguments_of_any_size_have_finite_values():
    numbers = Balls(128)
    z = numbers.exact(np.array([-1e300, -800.0, 800.0, 1e300]))
    for value in (sigmoid(z), np.tanh(z), erf(z), np.logaddexp(z, 0)):
        assert np.all(np.isfinite(numbers.radii(value.entries)))
    assert np.allclose(TrueTensor(sigmoid(z)).value, [0, 0, 1, 1], rtol=0, atol=1e-300)


def test_where_nothing_is_defined_nothing_is_known():
    numbers = Balls(128)
    zero = numbers.exact(np.array([0.0]))
    for nothing in (zero / zero, np.log(zero - 1), np.sqrt(zero - 1), zero / zero > 0, np.where(zero / zero, 1, 2)):
        assert np.isinf(numbers.radii(nothing.entries)).all()
    assert numbers.undecided == 0


@pytest.mark.parametrize("function", [np.exp, np.sqrt, erf, np.tanh], ids=lambda f: f.__name__)
def test_rationals_refuse_what_is_irrational_by_name(function):
    for numbers in (Rationals(), Rationals(flint=False)):
        with pytest.raises(IrrationalError, match=f"Cannot evaluate {function.__name__} on rationals"):
            function(numbers.exact(np.ones(2)))


OPERATIONS = [
    lambda a, b: a + b, lambda a, b: a - 0.1 * b, lambda a, b: a * b, lambda a, b: a / (1 + np.square(b)),
    lambda a, b: np.maximum(a, b), lambda a, b: np.where(a > b, a, 0.3 * b), lambda a, b: a * (b > 0),
    lambda a, b: (a[:, None] @ b[None, :]).sum(axis=0), lambda a, b: np.minimum(np.absolute(a), 3 * b),
    lambda a, b: np.sign(a) * b,
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(data=st.data(), bits=st.sampled_from([20, 53, 128]))
def test_balls_hold_the_rationals_through_any_operations(data, bits):
    floats = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, 0.1, 1e-30])
    given_ = [data.draw(st.lists(floats, min_size=3, max_size=3)) for _ in range(2)]
    systems = [Balls(bits), Rationals(), Rationals(flint=False)]
    pairs = [[numbers.exact(np.array(values)) for values in given_] for numbers in systems]
    for operation in data.draw(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=4)):
        pairs = [[operation(a, b), a] for a, b in pairs]
    (balls, _), (rationals, _), (fractions, _) = pairs
    assert fractions_of(rationals) == fractions_of(fractions)
    for ball, fraction in zip(balls, fractions_of(rationals), strict=True):
        assert encloses(ball, fraction)
