"""Pytest inside pytest: runs test files in this process, for tests of the plugin."""

import pytest
import scipy.special  # noqa: F401  (see _import_first)

import harness.lockstep_fixture
from broken import faults
from impls.hand_numpy import Hand

HEAD = "import harness, numpy as np, pytest\n"


@pytest.fixture
def session(pytester, register, monkeypatch):
    """Run pytest on the text of a test file; no CI is set, ``right`` and ``wrong`` can be compared."""
    for variable in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(variable, raising=False)
    register("right", Hand)
    register("wrong", faults.in_layer(faults.Sign))
    _import_first()

    def run(text, *options):
        pytester.makepyfile(test_inner=HEAD + text)
        always = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error", "--strict-markers")
        return pytester.runpytest_inprocess(*always, *options)

    return run


@pytest.fixture
def summary():
    """The plugin's own lines in a result."""
    return lambda result: [line for line in result.outlines if line.startswith("lockstep: ")]


def _import_first():
    """What a session is the first to import is forgotten when it ends, and some modules load only once."""
    reference = harness.reference("3-2-1")
    assert {name: -gradient for name, gradient in reference.gradients.items()} != harness.allow(reference)
    harness.lockstep_fixture.Lockstep("", {}, None)("2-1", data="random", against=["right"], steps=1)
