"""Elementary functions are tried at few points, so that a test is done soon."""

import pytest

from harness.surveys import arguments


@pytest.fixture(autouse=True)
def few_points(monkeypatch):
    monkeypatch.setattr(arguments, "DENSE", (16, 4000, 2))
    monkeypatch.setattr(arguments, "SPARSE", (1, 300, 1))
