"""A check of an operation that must pass without a word."""

import pytest

from harness import check_vjp

BOTH = pytest.mark.parametrize("dtype", ["float64", "float32"])


def passes(*functions, **options):
    found = check_vjp(*functions, **options)
    assert (found.verdict, found.exit) == ("PASS", 0), str(found)
    assert found.findings == []
    return found
