"""Pytest inside pytest: runs test files in this process, for tests of the plugin."""

import sys

import pytest

from impls.hand_numpy import Hand
from tests.broken import faults

HEAD = "import harness, numpy as np, pytest\n"


class Imported:
    """What sessions import, and pytester forgets with them: some modules can be loaded only once."""

    def __init__(self):
        self.modules = {}

    def pytest_unconfigure(self):
        self.modules |= sys.modules

    def put_back(self):
        for name in self.modules.keys() - sys.modules.keys() - {"test_inner"}:
            sys.modules[name] = self.modules[name]


@pytest.fixture
def imported():
    """To be set up before `pytester`, so that it has the last word."""
    kept = Imported()
    yield kept
    kept.put_back()


@pytest.fixture
def session(imported, pytester, register, monkeypatch):
    """Run pytest on the text of a test file; no CI is set, ``right`` and ``wrong`` can be compared."""
    for variable in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(variable, raising=False)
    register("right", Hand)
    register("wrong", faults.in_layer(faults.Sign))
    always = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error", "--strict-markers")

    def run(text, *options):
        pytester.makepyfile(test_inner=HEAD + text)
        result = pytester.runpytest_inprocess(*always, *options, plugins=[imported])
        imported.put_back()
        return result

    return run


@pytest.fixture
def summary():
    """The plugin's own lines in a result."""
    return lambda result: [line for line in result.outlines if line.startswith("lockstep: ")]
