"""Formats: what each can hold, and how numbers are rounded to it, against NumPy and ml_dtypes bit by bit."""

import ml_dtypes
import numpy as np
import pytest

from harness.formats import FORMATS, format_of, rounded_to

NARROW = ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]


def every(name):
    """Every number of a format of 8 or 16 bits, NaNs that signal among them, in float64."""
    dtype = np.dtype(name)
    with np.errstate(invalid="ignore"):
        return np.arange(2 ** (8 * dtype.itemsize)).astype(f"u{dtype.itemsize}").view(dtype).astype(np.float64)


def with_neighbours(name):
    """Every finite number as float32, what lies halfway to the next, and the neighbours of both."""
    numbers = np.unique(every(name))
    numbers = numbers[np.isfinite(numbers)]
    step = numbers[-1] - numbers[-2]
    between = np.append((numbers[1:] + numbers[:-1]) / 2, [numbers[-1] + step / 2, numbers[0] - step / 2])
    with np.errstate(over="ignore"):
        points = np.concatenate([numbers, between]).astype(np.float32)
        beside = [np.nextafter(points, np.float32(end)) for end in (-np.inf, np.inf)]
    return np.concatenate([points, *beside, np.float32([np.inf, -np.inf, np.nan, -0.0, 3e38, -1e-45])])


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "tf32"])
def test_a_format_is_what_ml_dtypes_says(name):
    info, of = ml_dtypes.finfo(name), FORMATS[name]
    assert (of.digits, of.least, of.most) == (info.nmant + 1, info.minexp, info.maxexp - 1 if of.infinite else 8)
    assert of.largest == float(info.max)
    assert of.smallest_normal == float(info.smallest_normal)
    assert of.smallest_subnormal == float(info.smallest_subnormal)
    assert 2 * of.u == float(info.eps)
    assert of.infinite == bool(np.isinf(np.array(np.inf).astype(name).astype(np.float64)))


@pytest.mark.parametrize("name", NARROW)
def test_rounds_to_nearest_as_ml_dtypes_does(name):
    points = with_neighbours(name)
    with np.errstate(all="ignore"):
        expected = points.astype(name).astype(np.float64)
    found = rounded_to(points, name)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("name", NARROW)
def test_keeps_every_number_of_its_own(name):
    numbers = every(name)
    for mode in ("nearest", "truncated"):
        np.testing.assert_array_equal(rounded_to(numbers, name, mode), numbers)


@pytest.mark.parametrize(("name", "bits"), [("bfloat16", 16), ("tf32", 13)])
def test_truncation_cuts_the_last_bits_of_a_float32(name, bits):
    points = np.concatenate([with_neighbours("bfloat16"), with_neighbours("float16")])
    points = points[~np.isnan(points)]
    expected = (points.view(np.uint32) >> bits << bits).view(np.float32)
    np.testing.assert_array_equal(rounded_to(points, name, "truncated"), expected.astype(np.float64))


@pytest.mark.parametrize("name", NARROW)
def test_truncation_is_the_next_number_towards_0(name):
    points = with_neighbours(name).astype(np.float64)
    points = points[np.isfinite(points)]
    numbers = np.unique(every(name))
    numbers = numbers[np.isfinite(numbers)]
    expected = np.sign(points) * numbers[np.searchsorted(numbers, np.abs(points), side="right") - 1]
    np.testing.assert_array_equal(rounded_to(points, name, "truncated"), expected)


def test_rounds_a_float64_once():
    twice = 1 + 2.0**-8 + 2.0**-40  # by way of float32 it becomes a tie, and goes down
    assert rounded_to(twice, "bfloat16") == 1 + 2.0**-7
    assert float(np.float32(twice).astype("bfloat16")) == 1.0


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_rounds_to_the_wide_formats_as_numpy_does(name):
    numbers = np.random.default_rng(5).integers(0, 2**64, 20_000, np.uint64, endpoint=False).view(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_array_equal(rounded_to(numbers, name), numbers.astype(name).astype(np.float64))


def test_an_unknown_format_or_mode_is_told_with_what_there_is():
    with pytest.raises(ValueError, match=r"Cannot use the format 'bf16'.*choose from float32, float64, float16, bf"):
        format_of("bf16")
    with pytest.raises(ValueError, match=r"Cannot round 'up'.*choose from nearest, truncated\."):
        rounded_to(1.0, "float16", "up")
