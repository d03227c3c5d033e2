"""Elementary functions are measured right, and what is worse than the table is called that."""

import json
import subprocess
import sys

import numpy as np
import pytest

from harness.arithmetic import Context
from harness.arithmetic.profile import profile_of
from harness.arithmetic.true_values import FLOAT64
from harness.surveys import arguments
from harness.surveys.accuracy import known, measured
from harness.surveys.calibration import calibrate
from impls import registry
from impls.contract import CannotCompareError
from impls.hand_numpy import Hand
from tests.helpers.calibrating import having, printed, row_of

WIDE = ["float32", "float64"]

# What is measured.


@pytest.mark.parametrize("dtype", WIDE)
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


@pytest.mark.parametrize("dtype", WIDE)
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


@pytest.mark.parametrize("dtype", WIDE)
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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_of_16_bits_every_number_is_tried_without_being_asked_for(dtype):
    result = calibrate(["hand"], ["tanh", "divide"], [dtype])
    assert result.verdict == "PASS"
    assert {row.function: row.tried for row in result.rows} == {"tanh": f"every {dtype}", "divide": "sample"}
    assert (
        row_of(result, "tanh", "hand", dtype).points == sum(x.size for (x,) in arguments.every_number(dtype)) > 60_000
    )


def test_torchs_erf_has_an_absolute_error_near_0_that_the_table_knows(framework):
    if framework != "torch":
        pytest.skip("it is torch's")
    assert calibrate(["torch"], ["erf"], ["bfloat16", "float16"]).verdict == "PASS"
    relative = {dtype: profile_of(dtype).besides["erf"] * profile_of(dtype).u for dtype in ("bfloat16", "float16")}
    assert all(1e-7 < absolute < 3e-7 for absolute in relative.values())


def test_every_bit_pattern_is_a_finite_number_or_left_out():
    around_infinity = range(0x7F7FFFF0, 0x7F800010)
    assert sum(x.size for (x,) in arguments.every_number("float32", around_infinity)) == 16
    assert sum(x.size for (x,) in arguments.every_number("float32", range(2**32 - 100, 2**32))) == 0
    assert next(arguments.every_number())[0].size == arguments.CHUNK
    assert 2**23 % arguments.CHUNK == 0  # the NaNs of one sign fill whole chunks


def test_an_interrupt_keeps_what_was_finished(register, capsys):
    def interrupted(x):
        raise KeyboardInterrupt

    register("mine", having(log=interrupted))
    status, out = printed(capsys, against="mine", function="exp,log,tanh", dtype="float32")
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
    assert [line.split()[0] for line in lines if line.endswith(" ok") or " ok " in line] == ["exp", "tanh"] * 4
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
    "a dtype": ({"dtype": "tf32"}, "float32"),
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
    assert "none here" in row_of(result, "exp", "single", "float64").reason
