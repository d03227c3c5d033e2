"""Code with side effects never runs with an edit in it."""

import math
import os

import numpy as np
import pytest

from harness import check_vjp
from harness.candidates.harmless import harmless

FACTORS = (1.0, 2.0)
SEEN: list[float] = []


def halved(x):
    return x / 2


def deep(u, x):
    return np.where(x > 0, u, 0.0) * FACTORS[0] + halved(math.pi * len(x))


def removes(u, x):
    if x.size == 0:
        os.remove("precious.txt")  # noqa: PTH107
    return u * x


def ends(u, x):
    if x.size == 0:
        os._exit(0)
    return u * x


def calls_one_that_removes(u, x):
    return removes(u, x)


def prints(u, x):
    print(x)
    return u


def writes(u, x):
    np.save("file.npy", x)
    return u


def imports(u, x):
    import shutil

    return shutil.rmtree(x)


@pytest.mark.parametrize("function", [halved, deep])
def test_what_computes_is_harmless(function):
    assert harmless(function)


@pytest.mark.parametrize("function", [removes, ends, calls_one_that_removes, prints, writes, imports])
def test_what_does_anything_else_is_not(function):
    assert not harmless(function)


def test_a_branch_that_never_ran_does_not_run_for_a_cause():
    calls = []

    def cleared(x):
        calls.append(len(x))
        return x

    def backward(u, x):
        if x.size == 0:
            cleared(x)
        return u * np.tanh(x)

    found = check_vjp(np.tanh, backward, reference=np.tanh, inputs={"x": ("N", "M")})
    assert found.verdict == "FAIL"
    assert not calls
    assert "one edit of your code" not in str(found)
