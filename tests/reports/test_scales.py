"""Scales of charts: where numbers are, and which of them are written."""

import math

import pytest

from reports.page import scales


def written(scale):
    return [text for _, text in scale.ticks]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([38.2, 3.1], ["0", "10", "20", "30", "40"]),
        ([-0.7, -0.1], ["−0.8", "−0.6", "−0.4", "−0.2", "0"]),
        ([3e-9], ["0", "1e−9", "2e−9", "3e−9"]),
        ([0.0], ["0", "1"]),
        ([math.nan, math.inf, 2.0], ["0", "0.5", "1.0", "1.5", "2.0"]),
    ],
)
def test_ticks_of_an_even_scale_are_even_and_reach_around_every_number(values, told):
    scale = scales.linear(values, 0.0, 100.0, 4)
    assert written(scale) == told
    assert (scale(scale.low), scale(scale.high)) == (0.0, 100.0)
    assert all(scale.low <= value <= scale.high for value in values if math.isfinite(value))


@pytest.mark.parametrize("value", [5e-324, 1.7e308, -1.7e308, 1e-310])
def test_the_ends_of_the_numbers_have_a_scale(value):
    scale = scales.linear([value], 0.0, 100.0, 5)
    assert 2 <= len(scale.ticks) < 20
    assert 0 <= scale(value) <= 100


def test_steps_are_whole_and_all_of_them_where_they_are_few():
    assert written(scales.steps(1, 4, 0.0, 90.0)) == ["1", "2", "3", "4"]
    assert written(scales.steps(1, 200, 0.0, 90.0))[:3] == ["10", "20", "30"]
    assert scales.steps(1, 4, 0.0, 90.0)(2) == 30


def test_a_log_scale_has_powers_of_ten_upwards():
    scale = scales.log([2e-7, 5e-4], 150.0, 0.0)
    assert written(scale) == ["1e-7", "1e-6", "1e-5", "1e-4", "1e-3"]
    assert (scale(1e-7), scale(1e-5), scale(1e-3)) == pytest.approx((150, 75, 0))
    assert len(scales.log([5e-324, 1e308], 0.0, 1.0).ticks) < 8


def test_counts_begin_at_none():
    scale = scales.counts(2500, 0.0, 10.0)
    assert written(scale) == ["0", "10", "100", "1,000"]
    assert (scale(0), scale(2500)) == (0, 10)
