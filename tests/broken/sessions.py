"""Pytest inside pytest: runs test files in this process, for tests of the plugin."""

import pytest

import harness.allowing
import harness.lockstep_fixture  # noqa: F401  (what a session is the first to import is forgotten when it ends)
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

    def run(text, *options):
        pytester.makepyfile(test_inner=HEAD + text)
        always = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error", "--strict-markers")
        return pytester.runpytest_inprocess(*always, *options)

    return run


def summary(result):
    """The plugin's own lines."""
    return [line for line in result.outlines if line.startswith("lockstep: ")]
