"""The safe pair: it grants every entry what is allowed, and no other pair grants less on the mean."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tolerances.safe_pair import _line, _two_digits, safe_pair
from harness.tolerances.subject import Subject

NUMBERS = st.one_of(st.just(0.0), st.floats(1e-30, 1e30))


def of(expected, allowed):
    expected, allowed = np.array(expected), np.array(allowed)
    return Subject(name="dx", expected=expected, allowed=allowed, dtype="float32", source="derived")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_every_entry_is_granted_what_it_is_allowed(points):
    expected, allowed = np.transpose(points)
    pair = safe_pair(of(expected, allowed))
    assert pair.atol >= 0
    assert pair.rtol >= 0
    assert np.all(pair.atol + pair.rtol * np.abs(expected) >= allowed * (1 - 1e-12))
    assert pair.price >= 1 - 1e-12
    assert pair.most >= pair.price


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=2, max_size=12))
def test_no_line_through_two_of_the_points_is_lower_on_the_mean(points):
    size, allowed = np.transpose(points)
    atol, rtol = _line(size, allowed)
    mean = atol + rtol * size.mean()
    lines = [(allowed.max(), 0.0), (0.0, (allowed / size).max())]
    for i in range(len(size)):
        for j in range(len(size)):
            if size[i] < size[j]:
                slope = (allowed[j] - allowed[i]) / (size[j] - size[i])
                lines.append((allowed[i] - slope * size[i], slope))
    for a, r in lines:
        if a >= 0 and r >= 0 and np.all(a + r * size >= allowed):
            assert mean <= (a + r * size.mean()) * (1 + 1e-9)


@given(st.floats(1e-300, 1e300))
def test_two_digits_are_no_smaller_and_hardly_larger(number):
    rounded = _two_digits(number)
    assert number <= rounded <= number * 1.11
    assert float(f"{rounded:.1e}") == rounded


def test_where_nothing_is_bounded_no_pair_is_safe():
    assert safe_pair(of([1.0, 2.0], [np.inf, np.inf])) is None
    assert safe_pair(of([1.0, 2.0], [np.inf, 1e-3])).atol < 2e-3
