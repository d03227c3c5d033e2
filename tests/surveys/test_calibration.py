"""Elementary functions are measured right, and what is worse than the table is called that."""

import decimal
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import harness
from harness.arithmetic import Context
from harness.arithmetic.profile import constants_table, profile_of
from harness.arithmetic.true_values import FLOAT64, true_values
from harness.cli.surveys import calibrate_and_print
from harness.formats import DTYPES
from harness.rendering.tables import render
from harness.surveys import arguments
from harness.surveys.accuracy import evaluated, judged, known, measured
from harness.surveys.calibration import calibrate
from impls import registry
from impls.contract import CannotCompareError
from impls.hand import Network, Tanh, from_text
from impls.hand_numpy import Hand


@pytest.fixture(autouse=True)
def few_points(monkeypatch):
    monkeypatch.setattr(arguments, "DENSE", (16, 4000, 2))
    monkeypatch.setattr(arguments, "SPARSE", (1, 300, 1))


def having(**functions):
    """The hand implementation with some elementary functions replaced."""

    class Replaced(Hand):
        def elementary(self):
            return {**super().elementary(), **functions}

    return Replaced


def row_of(result, function, against, dtype="float32"):
    return next(r for r in result.rows if (r.function, r.against, r.dtype) == (function, against, dtype))


def printed(capsys, **options):
    defaults = {"as_json": False, "exhaustive": False, "seed": 0, "against": None, "function": None, "dtype": None}
    status = calibrate_and_print(**{**defaults, **options})
    return status, capsys.readouterr()


# What the table holds.

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


# What is measured.


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_library_off_by_a_known_amount_is_reported_with_that_amount(register, dtype):
    # The square root of a power of 4 is exact, and there 16 u are 8 ulp.
    register("poor", having(sqrt=lambda x: np.where(x == 4, np.sqrt(x) * (1 + 8 * np.finfo(dtype).eps), np.sqrt(x))))
    result = calibrate(["poor", "hand"], ["sqrt", "exp"], [dtype])
    assert (result.verdict, result.exit) == ("FAIL", 1)
    said = "sqrt of poor is off by 16.00 u on this machine, the table says 2 u (at x = 4.0)"
    assert result.reason == said
    assert row_of(result, "sqrt", "poor", dtype).verdict == "EXCEEDS"
    assert [row.verdict for row in result.rows].count("ok") == 3


def test_an_absolute_constant_is_measured_as_an_absolute_error():
    x = np.array([5.0], "f4")
    true = FLOAT64["erfc"](x.astype("f8"))
    off = (true + 2 * 2.0**-24).astype("f4")  # wrong in every digit, and within its constant
    assert measured("erfc", (x,), off, known("erfc", x)).error == pytest.approx(2.0, rel=1e-6)
    assert measured("erf", (x,), off, known("erf", x)).error > 1e6


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_value_that_is_not_finite_exceeds(register, wrong):
    register("poor", having(exp=lambda x: np.where((x > 1) & (x < 2), np.float32(wrong), np.exp(x))))
    result = calibrate(["poor"], ["exp"], ["float32"])
    assert result.exit == 1
    assert result.reason.startswith(f"exp of poor is {wrong} on this machine, true is ")
    assert json.loads(json.dumps(result.to_dict()["rows"][0]["largest"]).replace("Infinity", "null")) is None


def test_overflow_and_the_outside_of_a_domain_are_not_judged():
    x = np.array([1.0, 89.0, -1.0], "f4")
    exp, log = (measured(f, (x,), np.full(3, np.nan, "f4"), known(f, x)) for f in ("exp", "log"))
    assert (exp.points, log.points) == (2, 2)
    assert measured("log", (x[2:],), x[2:], known("log", x[2:])).points == 0


def test_flushing_what_is_subnormal_is_within_the_table(register):
    def flushed(function):
        def evaluate(*x):
            x = [np.where(np.abs(operand) < np.finfo("f4").tiny, operand * 0, operand) for operand in x]
            result = function(*x)
            return np.where(np.abs(result) < np.finfo("f4").tiny, result * 0, result)

        return evaluate

    plain = Hand(None, "float32").elementary()
    register("flushes", having(**{name: flushed(function) for name, function in plain.items()}))
    result = calibrate(["flushes"], list(plain), ["float32"])
    assert result.verdict == "PASS", result.reason


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_quotient_by_a_reciprocal_that_is_flushed_is_within_its_rule(register, dtype):
    def by_reciprocal(x, y):  # what XLA makes of x / y for a single number y
        reciprocal = 1 / y
        return x * np.where(np.abs(reciprocal) < np.finfo(dtype).tiny, reciprocal * 0, reciprocal)

    profile = profile_of(dtype)
    x, y = np.array([0.75 / profile.eta], dtype), np.array(1.5 / profile.eta, dtype)
    assert by_reciprocal(x, y) == 0
    context = Context(profile)
    quotient = context.exact(x) / context.exact(y)
    assert np.abs(0 - quotient.value) <= quotient.bound
    near = context.exact(x) / context.exact(y / 2)
    assert near.bound < 4 * profile.u * near.value  # no wider where the reciprocal is normal
    assert measured("divide", (x, y), by_reciprocal(x, y), known("divide", x, y)).points == 0
    register("reciprocal", having(divide=by_reciprocal))
    assert calibrate(["reciprocal"], ["divide"], [dtype]).verdict == "PASS"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x: np.exp(x).astype("f8"), "returned float64 of shape"),
        (lambda x: np.exp(x)[:3], "instead of float32 of shape"),
        (lambda x: list(x), "returned list, not a NumPy array"),
        (lambda x: 1 / 0, "raised ZeroDivisionError"),
    ],
)
def test_a_function_that_breaks_the_contract_fails_and_the_others_go_on(register, wrong, said):
    register("broken", having(exp=wrong))
    result = calibrate(["broken", "hand"], ["exp", "log"], ["float32"])
    assert (result.verdict, result.exit) == ("FAIL", 1)
    assert result.reason.startswith("exp of broken ")
    assert said in result.reason
    assert [row.verdict for row in result.rows] == ["failed", "ok", "ok", "ok"]


# What is tried.


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sample_has_every_binade_of_both_signs_and_is_reproducible(dtype):
    x = arguments.sample(dtype, 7)
    assert x.dtype == dtype
    assert np.all(np.isfinite(x))
    info = np.finfo(dtype)
    for sign in (x[x > 0], -x[x < 0]):
        assert set(np.frexp(sign)[1]) == set(range(info.minexp - info.nmant + 1, info.maxexp + 1))
    assert np.array_equal(x, arguments.sample(dtype, 7))
    assert not np.array_equal(x, arguments.sample(dtype, 8))


def test_parts_of_a_sample_have_one_shape(monkeypatch):
    monkeypatch.setattr(arguments, "CHUNK", 1000)
    parts = arguments.batches("exp", "float32", 0)
    assert len(parts) > 10
    assert len({x.shape for (x,) in parts}) == 1
    assert {y.ndim for _, y in arguments.batches("divide", "float32", 0)} == {0, 1}


def test_exhaustive_tries_every_bit_pattern_once(register):
    first, last = 0x42AFF000, 0x42B18000  # from 87.97 up to where exp overflows, and beyond
    patterns = range(first, last)
    result = calibrate(["hand"], ["exp"], exhaustive=True, patterns=patterns)
    x = np.arange(first, last, dtype=np.uint32).view("f4")
    with np.errstate(over="ignore"):
        true, computed = np.exp(x.astype("f8")), np.exp(x).astype("f8")
    fits = true * (1 + 5.52 * 2.0**-24) <= np.finfo("f4").max
    row = row_of(result, "exp", "hand")
    assert row.points == np.count_nonzero(fits) < len(patterns)
    assert row.largest == pytest.approx(np.max(np.abs(computed - true)[fits] / true[fits]) * 2**24, abs=1e-6)


def test_every_bit_pattern_is_a_finite_number_or_left_out():
    around_infinity = range(0x7F7FFFF0, 0x7F800010)
    assert sum(x.size for (x,) in arguments.every_float32(around_infinity)) == 16
    assert sum(x.size for (x,) in arguments.every_float32(range(2**32 - 100, 2**32))) == 0
    assert next(arguments.every_float32())[0].size == arguments.CHUNK
    assert 2**23 % arguments.CHUNK == 0  # the NaNs of one sign fill whole chunks


def test_an_interrupt_keeps_what_was_finished(register, capsys):
    def interrupted(x):
        raise KeyboardInterrupt

    register("mine", having(log=interrupted))
    status, out = printed(capsys, against="mine", function="exp,log,tanh", dtype="float32", exhaustive=False)
    assert status == 130
    assert "(interrupted: what was finished)" in out.out
    assert "exp " in out.out
    assert "tanh" not in out.out


# What is said.


def test_the_command_prints_verdict_unit_table_and_what_to_do_next(capsys):
    status, out = printed(capsys, against="hand", function="exp,tanh")
    lines = out.out.splitlines()
    assert status == 0
    assert lines[3].startswith("PASS  the elementary functions of hand are within the table; nearest to it ")
    assert sum("half the distance from 1 to the next number" in line for line in lines) == 1
    assert [line.split()[0] for line in lines if line.endswith(" ok") or " ok " in line] == ["exp", "tanh"] * 2
    assert "a sample underestimates it" in lines[-2]
    assert lines[-1].startswith("next  harness calibrate --exhaustive")


def test_the_command_writes_json():
    words = ["calibrate", "--against", "hand", "--function", "log1p", "--dtype", "float32", "--json"]
    done = subprocess.run([sys.executable, "-m", "harness", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"verdict", "exit", "reason", "seed", "ended", "implementations", "environment", "u"} <= set(found)
    (row,) = found["rows"]
    assert row["constant"] == profile_of("float32").constants["log1p"]
    assert row["largest"] <= row["constant"]
    assert row["points"] > 1_000_000


WRONG = {
    "a function": ({"function": "tahn"}, "tanh"),
    "an implementation": ({"against": "hnad"}, "hand"),
    "a dtype": ({"dtype": "float16"}, "float32"),
    "no name": ({"function": ","}, "--function"),
    "every float64": ({"dtype": "float64", "exhaustive": True}, "2^64"),
    "a seed": ({"seed": -1}, "from 0 on"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_of(what, capsys):
    options, said = WRONG[what]
    status, out = printed(capsys, **options)
    assert status == 2
    assert out.out == ""
    assert said in out.err
    assert len(out.err.splitlines()) == 1


def test_a_missing_implementation_is_fatal_only_if_it_was_named(monkeypatch, capsys):
    load = registry.load

    def load_all_but_torch(name):
        if name == "torch":
            raise registry.NotInstalledError("Cannot compare with torch, because it is not installed; install it.")
        return load(name)

    monkeypatch.setattr(registry, "load", load_all_but_torch)
    monkeypatch.setattr(registry, "names", lambda: ["hand", "torch"])
    status, out = printed(capsys, against="torch,hand", function="exp", dtype="float32")
    assert status == 3
    assert "\nNOT COMPARED  Cannot compare with torch, because it is not installed" in out.out
    assert "\nexp " in out.out
    status, out = printed(capsys, function="exp", dtype="float32")
    assert status == 0
    assert "not calibrated  exp of torch in float32: Cannot compare with torch" in out.out


def test_an_implementation_that_shows_no_functions_is_not_calibrated(register):
    class Silent(Hand):
        elementary = None

    class OneDtype(Hand):
        def __init__(self, network, dtype):
            if dtype == "float64":
                raise CannotCompareError("Cannot run in float64, because there is none here.")
            super().__init__(network, dtype)

    register("silent", lambda network, dtype: Silent(network, dtype))
    register("single", OneDtype)
    result = calibrate(["silent", "single"], ["exp"])
    assert result.exit == 3
    assert row_of(result, "exp", "silent").reason == "silent shows no elementary functions"
    assert row_of(result, "exp", "single").verdict == "ok"
    assert "no float64" in row_of(result, "exp", "single", "float64").reason or "none here" in result.rows[-1].reason


# What a run says.


class PoorTanh(Tanh):
    def forward(self, z):
        return poor_tanh(z)


def poor_tanh(z):
    """Off by 20 u in float32 and 80 u in float64, give or take what tanh and the product are off by."""
    return np.tanh(z) * z.dtype.type(1 + {4: 10, 8: 40}[z.itemsize] * np.finfo(z.dtype).eps)


def with_poor_tanh(shows):
    def build(network, dtype):
        layers = [PoorTanh() if isinstance(layer, Tanh) else layer for layer in network.layers]
        return having(**({"tanh": poor_tanh} if shows else {}))(Network(layers, network.loss), dtype)

    return build


def run_with_tanh(dtype="float32"):
    return harness.run(from_text("4-3-2-1", activation="tanh"), against=["poor"], steps=1, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_names_the_elementary_function_that_is_worse_than_the_table(register, dtype):
    register("poor", with_poor_tanh(shows=True))
    run = run_with_tanh(dtype)
    assert (run.verdict, run.exit) == ("FAIL", 1)
    constant, off = profile_of(dtype).constants["tanh"], {"float32": "2", "float64": "8"}[dtype]
    sentence = run.find("rounding", "a1", "poor").cause
    assert re.match(
        rf"tanh of poor is off by {off}\d\.\d\d u on this machine, the table says {constant:g} u ", sentence
    )
    assert run.outcome.reason.startswith(f"poor: {sentence}: a1 at step 1, ")
    assert "wrong link" not in run.outcome.reason
    assert sentence in render(run)
    assert all(row.cause is None for row in run.rows if row.against == "hand" or row.verdict != "FAULT")


def test_a_wrong_link_with_good_functions_is_called_wrong(register):
    register("poor", with_poor_tanh(shows=False))
    run = run_with_tanh()
    assert run.verdict == "FAIL"
    assert "first wrong link a1" in run.outcome.reason
    assert all(row.cause is None for row in run.rows)


def test_evaluating_gives_copies_of_the_arguments_away():
    x = np.ones(3, "f4")

    def writes(y):
        y.flags.writeable = True
        y[0] = 7
        return y

    assert evaluated(writes, x)[0] == 7
    assert x[0] == 1
    assert judged("exp", "mine", "float32", "sample", measured("exp", (x,), x, known("exp", x))).verdict == "EXCEEDS"
