"""The table of constants holds the larger of what is documented and what was measured, against a truth in doubt."""

import decimal
import sys

import numpy as np
import pytest

from harness.arithmetic.profile import constants_table, profile_of
from harness.arithmetic.true_values import FLOAT64, true_values
from harness.formats import DTYPES
from harness.surveys.calibration import calibrate
from tests.helpers.calibrating import printed, row_of

ENTRIES = [(dtype, function) for dtype in DTYPES for function in constants_table()[dtype]]


@pytest.mark.parametrize(("dtype", "function"), ENTRIES)
def test_the_constant_is_the_larger_of_what_is_documented_and_what_was_measured(dtype, function):
    entry = constants_table()[dtype][function]
    documented = entry.get("documented", {})
    constant = profile_of(dtype).constants[function]
    assert constant >= max(*entry["measured"].values(), *documented.values(), 0.0)
    provenance = constants_table()["provenance"]
    assert entry["provenance"] in provenance
    assert set(documented) <= set(provenance["documented"])


def test_what_can_be_measured_is_in_the_table_for_both_dtypes():
    for dtype in DTYPES:
        assert set(constants_table()[dtype]) == {*FLOAT64, "power"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_framework_is_within_the_table(framework, dtype):
    result = calibrate([framework], dtypes=[dtype])
    assert (result.verdict, result.exit) == ("PASS", 0), result.reason
    assert {row.function for row in result.measured} == set(FLOAT64)
    assert all(row.points > 100 for row in result.measured)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_and_scipy_are_within_the_table(dtype):
    result = calibrate(["hand"], dtypes=[dtype])
    assert result.verdict == "PASS", result.reason
    assert {row.function for row in result.measured} == set(FLOAT64) - {"rsqrt"}
    # Division is rounded to nearest: never further than u, and close to it somewhere.
    assert 0.9 < row_of(result, "divide", "hand", dtype).largest <= 1.0


# The truth.

DECIMAL = {
    "exp": decimal.Decimal.exp,
    "log": decimal.Decimal.ln,
    "sqrt": decimal.Decimal.sqrt,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "expm1": lambda x: x.exp() - 1,
    "log1p": lambda x: (1 + x).ln(),
    "rsqrt": lambda x: 1 / x.sqrt(),
}


@pytest.mark.parametrize("function", DECIMAL)
@pytest.mark.parametrize("dtype", DTYPES)
def test_true_values_are_within_their_doubt(function, dtype):
    x = np.array([1e-3, 0.1, 0.5, 0.75, 1.5, 7.0, 20.0], dtype)
    true = true_values(function, x)
    with decimal.localcontext(prec=60):
        for argument, value, tail in zip(x, true.value, true.tail, strict=True):
            exact = DECIMAL[function](decimal.Decimal(float(argument)))
            assert abs(decimal.Decimal(value) + decimal.Decimal(tail) - exact) <= decimal.Decimal(true.doubt) * abs(
                exact
            )


def test_without_balls_float64_is_not_calibrated_and_the_remedy_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "flint", None)
    status, out = printed(capsys, against="hand", function="exp")
    assert status == 0
    assert "not calibrated  exp of hand in float64: true values in float64 need python-flint; pip install" in out.out
    status, out = printed(capsys, against="hand", function="exp", dtype="float64")
    assert status == 3
    assert "\nNOT COMPARED  true values in float64 need python-flint" in out.out
