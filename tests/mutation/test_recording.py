"""Recording what a function gives, bit by bit, to tell a survivor that changes nothing from one that is let pass."""

import sys

import numpy as np
import pytest

from harness.mutation.recording import Recording, UnreadableError, digest, recording


def recorded(function, *calls):
    told = Recording()
    with recording([(function.__code__, told)]):
        for arguments in calls:
            function(*arguments)
    return told


def double(x, rate=0.0):
    return {"y": [2 * x + rate]}


def doubled(x, rate=0.0):
    return {"y": [x + x - rate]}


def in_place(x, rate=0.0):
    x += rate
    return {"y": [2 * x]}


X = np.array([0.1, 0.7])


def test_the_same_bits_for_the_same_arguments_are_the_same():
    assert recorded(double, (X,)).same(recorded(doubled, (X,)))
    assert not recorded(double, (X, 1.0)).same(recorded(doubled, (X, 1.0)))
    assert not recorded(double, (X,)).same(recorded(double, (X,), (X,)))
    assert not recorded(double).same(recorded(doubled))  # nothing was asked
    assert sys.getprofile() is None


def test_what_is_written_into_an_argument_counts():
    assert recorded(double, (X.copy(),)).same(recorded(in_place, (X.copy(),)))
    assert not recorded(double, (X.copy(), 1.0)).same(recorded(in_place, (X.copy(), 1.0)))


def test_what_cannot_be_read_is_never_the_same():
    rng = np.random.default_rng(0)
    assert not recorded(lambda r: 1, (rng,)).same(recorded(lambda r: 1, (rng,)))
    loop = []
    loop.append(loop)
    for value in (rng, loop, iter([])):
        with pytest.raises(UnreadableError):
            digest(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.0, -0.0), (1, 1.0), (X, X.astype("float32")), (X, X[None]), ([1, [2]], [[1], 2]), ({"a": X}, {"b": X})],
)
def test_other_bits_kinds_and_shapes_are_told_apart(one, other):
    assert digest(one) != digest(other)
    assert digest(one) == digest(one)


def test_arrays_of_frameworks_are_read():
    torch = pytest.importorskip("torch")
    assert digest(torch.tensor([1.0, 2.0])) == digest(torch.tensor([1.0, 2.0])) != digest(torch.tensor([1.0, 3.0]))
