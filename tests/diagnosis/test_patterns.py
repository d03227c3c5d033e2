"""Patterns: what numbers tell by themselves, and what rounding alone must not make them tell."""

import numpy as np
import pytest

from harness.arithmetic import Bounded, Context, profile_of
from harness.diagnosis.patterns import ratio, told_by

CONTEXT = Context(profile_of("float64"))
VALUE = np.random.default_rng(3).normal(size=(5, 4))


def expected(value, allowed=1e-15):
    return Bounded(value, np.full(value.shape, allowed), CONTEXT)


def with_entries(change):
    actual = VALUE.copy()
    change(actual)
    return actual


def zero_row(a):
    a[2] = 0


def zero_last_column(a):
    a[:, -1] = 0


def nan(a):
    a[1, 2] = np.nan


def flipped_some(a):
    a[0] *= -1


CASES = {
    "every entry is 0.25 times what it should be": VALUE / 4,
    "every entry has the opposite sign and the right size": -VALUE,
    "every entry is off by the same 0.5": VALUE + 0.5,
    "every entry is 0": 0 * VALUE,
    "every row is the same": np.tile(VALUE[1], (5, 1)),
    "it is the transpose, read row by row in the right shape": VALUE.T.reshape(5, 4),
    "the samples are right, but in reverse order": VALUE[::-1],
    "the samples are right, but moved by one": np.roll(VALUE, 1, axis=0),
    "the neurons are right, but moved by minus one": np.roll(VALUE, -1, axis=1),
    "the numbers are right, but at other entries": np.random.default_rng(0).permutation(VALUE.ravel()).reshape(5, 4),
    "every sample is right but for a factor of its own: 1, 2, 3, 4, 5": VALUE * np.arange(1, 6)[:, None],
    "every neuron is right but for a factor of its own: 1, 2, 3, 4": VALUE * np.arange(1, 5),
    "only sample 2 (counted from 0) is wrong": with_entries(zero_row),
    "only neuron 4, the last, is wrong": with_entries(zero_last_column),
    "5 entries are 0 where they should not be, the first at sample 0 (counted from 0), neuron 4": with_entries(
        zero_last_column
    ),
    "1 of 20 entries are NaN, the first at sample 1 (counted from 0), neuron 3": with_entries(nan),
    "every entry has the right size; 4 of 20 have the opposite sign": with_entries(flipped_some),
    "all of its 20 entries are wrong": np.sin(3 * VALUE) + 1,
}  # fmt: skip


@pytest.mark.parametrize("sentence", CASES)
def test_what_the_numbers_tell(sentence):
    assert sentence in told_by(CASES[sentence], expected(VALUE), "sample", "neuron")


def test_a_square_matrix_is_told_to_be_transposed():
    square = VALUE[:4]
    assert "it is transposed" in told_by(square.T, expected(square), "input", "neuron")


def test_values_that_stand_at_one_size_are_told_to_be_clipped():
    told = told_by(np.clip(VALUE, -0.5, 0.5), expected(VALUE), "sample", "neuron")
    clipped = int((np.abs(VALUE) >= 0.5).sum())
    assert f"no entry is larger than 0.5, where {clipped} stand: it is clipped there" in told


def test_a_vector_has_no_rows_and_columns():
    value = VALUE[0]
    told = told_by(value * [1, 1, 1, 2], expected(value), "neuron", "")
    assert "only neuron 4, the last, is wrong" in told


def test_a_ratio_within_rounding_of_one_is_one_and_no_factor_of_everything():
    told = told_by(VALUE * [1, 1 + 2.3e-16, 1, 0], expected(VALUE), "sample", "neuron")
    assert "every neuron is right but for a factor of its own: 1, 1, 1, 0" in told
    near = VALUE + 3e-15 * np.eye(5, 4, 3)
    told = told_by(near, expected(VALUE, 2e-15), "sample", "neuron")
    assert "1 of 20 entries are wrong" in told
    assert not any("times what it should be" in fact for fact in told)


def test_a_factor_of_all_that_is_not_zero_does_not_contradict_itself():
    value = VALUE * [1, 0, 1, 1]
    told = told_by(value / 2, expected(value), "sample", "neuron")
    assert told[0] == "every entry is 0.5 times what it should be"
    assert not any("entries are wrong" in fact for fact in told)


def test_a_ratio_in_the_number_of_samples_is_told_by_name():
    told = told_by(VALUE * 128 / 127, expected(VALUE), "input", "neuron", samples=128)
    assert "every entry is 1.00787 = N/(N − 1) times what it should be" in told
    assert "every entry is 1.00787 times what it should be" in told_by(
        VALUE * 1.00787, expected(VALUE), "", "", samples=128
    )


def test_a_ratio_holds_up_to_rounding_and_no_further():
    allowed = np.full(VALUE.shape, 1e-12)
    number, off = ratio(VALUE / 3, VALUE, allowed)
    assert abs(number - 1 / 3) <= off
    near = VALUE / 3
    near[4, 3] += 1e-9
    assert ratio(near, VALUE, allowed) is None
    assert ratio(VALUE, 0 * VALUE, allowed) is None


def test_an_entry_at_which_nothing_is_bounded_contradicts_nothing():
    value, allowed, actual = VALUE.copy(), np.full(VALUE.shape, 1e-15), VALUE / 4
    value[2, 1], allowed[2, 1], actual[2, 1] = np.nan, np.inf, 7.0
    assert "every entry is 0.25 times what it should be" in told_by(actual, Bounded(value, allowed, CONTEXT), "", "")
    actual[2, 2] = 7.0
    assert not any("every entry" in fact for fact in told_by(actual, Bounded(value, allowed, CONTEXT), "", ""))


def test_the_cosine_ends_the_list():
    assert told_by(-VALUE, expected(VALUE), "sample", "neuron")[-1] == "its cosine with what it should be is −1.000"
