"""One decision says what is inside its bound, and one which subgradient is valid: for whoever judges and diagnoses."""

import numpy as np
import pytest

from harness.arithmetic import Bounded, Context, profile_of
from harness.comparison.checks import judge_link
from harness.comparison.judge import judge
from harness.diagnosis.kinks import on_a_kink
from harness.evaluation.incremental import Reach, in_bounds
from harness.evaluation.point import Point
from impls.hand import Dense, Network, Relu, SumSquaredError

PROFILE = profile_of("float64")
NAN, INF = np.nan, np.inf

# value, bound, what is shown, whether it is inside and whether it is outside
ENTRIES = {
    "exactly it": (1.0, 0.0, 1.0, True, False),
    "on the bound": (1.0, 0.5, 1.5, True, False),
    "beyond the bound": (1.0, 0.5, 1.625, False, True),
    "off by the least, where nothing is allowed": (0.0, 0.0, 2.0**-1074, False, True),
    "NaN": (1.0, 0.5, NAN, False, True),
    "infinite": (1.0, 0.5, INF, False, True),
    "no bound": (1.0, INF, 7.0, False, False),
    "no bound, and NaN": (1.0, INF, NAN, False, False),
    "no centre": (NAN, INF, 7.0, False, False),
    "no centre, though a bound": (NAN, 1.0, 7.0, False, False),
    "an infinite centre": (INF, INF, INF, False, False),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_inside_or_outside_or_nothing_is_bounded_there(entry):
    value, bound, shown, inside, outside = ENTRIES[entry]
    expected = Bounded(np.array([value, 0.0]), np.array([bound, 0.0]), Context(PROFILE))
    actual = np.array([shown, 0.0])
    assert expected.inside(actual).tolist() == [inside, True]
    assert expected.outside(actual).tolist() == [outside, False]
    assert expected.holds(actual) is not outside
    row = judge("rounding", "dW1", "mine", 1, actual=actual, expected=expected.value, allowed=expected.bound)
    assert (row.verdict == "FAULT", row.outside) == (outside, outside)


def test_another_shape_is_not_held():
    assert not Context(PROFILE).exact(np.zeros((3, 1))).holds(np.zeros((3, 3)))


def on_kinks(shown_at_kink):
    """A point where dz1 is not bounded in its first entry, on a kink in its second and right in its third."""
    network = Network([Dense(1, 3), Relu(), Dense(3, 1)], SumSquaredError())
    point = Point(network, network.init(0), np.ones((1, 1)), np.ones((1, 1)), 1)
    shown = {
        "z1": np.array([[1.0, 0.0, 3.0]]),
        "da1": np.array([[NAN, 1.0, 2.0]]),
        "dz1": np.array([[5.0, shown_at_kink, 2.0]]),
    }
    (link,) = (link for link in network.links if link.output == "dz1")
    return point, link, shown


@pytest.mark.parametrize(("at_kink", "valid"), [(0.0, True), (0.5, True), (1.0, True), (1.5, False), (NAN, False)])
def test_where_nothing_is_bounded_judge_and_diagnosis_see_the_same_convention(at_kink, valid):
    point, link, shown = on_kinks(at_kink)
    row = judge_link(link, shown, shown["dz1"], PROFILE, "mine", 1)
    bounds = in_bounds(point, Reach(point.network, shown), shown, PROFILE, {})
    assert row.unbounded == 1
    assert (row.verdict in ("ok", "convention")) is valid
    assert on_a_kink(point.network, link, shown["dz1"], bounds) is valid
