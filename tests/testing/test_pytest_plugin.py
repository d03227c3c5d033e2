"""The pytest plugin: the fixture, the marker, the options, and frameworks that are missing."""

import re

import pytest

RIGHT = """
def test_right(lockstep):
    run = lockstep("4-3-2-1", data="iris", against=["right"], steps=2)
    assert (run.verdict, len(run.steps), list(run.head.implementations)) == ("PASS", 2, ["hand", "right"])
"""
ANY = """
def test_any(lockstep):
    run = lockstep(network="2-1", data="random", steps=1)
    print("compared", *run.head.implementations)
"""
NOT_INSTALLED = "Cannot compare with jax, because the package 'jax' is not installed; *"


@pytest.fixture
def without_jax(uninstall, monkeypatch):
    """Known are the hand code, ``right`` and jax, which is not installed."""
    uninstall("jax")
    monkeypatch.setattr("impls.registry.names", lambda: ["hand", "right", "jax"])


def test_a_run_that_agrees_passes_and_is_counted(session, summary):
    result = session(RIGHT)
    result.assert_outcomes(passed=1)
    (line,) = summary(result)
    pattern = r"lockstep: 1 comparison, 6 gradients agree up to rounding; worst used \d+ % \(d[Wb]\d, right\)"
    assert re.fullmatch(pattern, line)


def test_a_run_that_differs_fails_with_its_verdict_and_its_table(session, summary):
    result = session('def test_wrong(lockstep):\n    lockstep("4-3-2-1", against=["wrong"], steps=1)\n')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*lockstep(*",
            "E*GradientMismatch: FAIL  wrong: first wrong link dW2 at step 1, 6 of 6 entries outside",
            "E*formula used*",
            "E*FAULT*6 of 6*",
        ]
    )
    assert summary(result) == ["lockstep: 1 test failed: test_inner.py::test_wrong (FAIL, first wrong link dW2)"]


def test_frameworks_agree(session, summary, framework):
    result = session(
        f"def test_framework(lockstep):\n    lockstep('3-2-1', 'random', against='{framework}', steps=3)\n"
    )
    result.assert_outcomes(passed=1)
    assert summary(result)[0].startswith("lockstep: 1 comparison, 4 gradients agree up to rounding; worst used ")


def test_no_power_and_nothing_compared_fail(session, summary, register):
    from tests.broken import faults

    register("half", faults.Float32Only)
    result = session("""
def test_no_power(lockstep):
    rng = np.random.default_rng(0)
    data = harness.Data("random", rng.normal(size=(32, 400)), rng.integers(0, 10, 32), tuple("0123456789"))
    network = harness.load_network("400-300-200-10", activation="tanh", loss="cross-entropy")
    lockstep(network, data=data, against=["half"], steps=1)

def test_nothing(lockstep):
    lockstep("2-1", data="random", against=["right"], steps=0)
""")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["E*GradientMismatch: NO POWER  *", "E*GradientMismatch: NOT COMPARED  no step was run*"]
    )
    assert summary(result) == ["lockstep: 2 tests failed, first test_inner.py::test_no_power (NO POWER)"]


def test_the_fixture_checks_a_backward_pass(session):
    result = session("""
def backward(weights, x, y):
    a1 = 1 / (1 + np.exp(-(x @ weights["W1"] + weights["b1"])))
    dz1 = 2 * (a1 - y) * a1 * (1 - a1)
    dW1, db1 = x.T @ dz1, dz1.sum(axis=0)
    return locals()

def flipped(weights, x, y):
    return {name: -value if name == "dW1" else value for name, value in backward(weights, x, y).items()}

@pytest.mark.lockstep(network="4-1", data="iris", steps=3)
def test_right(lockstep):
    assert lockstep.check(backward, dtype="float64").verdict == "PASS"

def test_flipped(lockstep):
    lockstep.check(flipped, "4-1")
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([">*lockstep.check(flipped*", "E*GradientMismatch: FAIL  first wrong link: dW1*"])


def test_the_marker_gives_defaults_and_the_call_has_the_last_word(session, summary):
    result = session("""
@pytest.mark.lockstep(network="3-2-1", data="random", against=["right"], steps=5, dtype="float64")
class TestMarked:
    def test_all(self, lockstep):
        run = lockstep()
        assert (run.head.description[:5], run.head.dtype, len(run.steps)) == ("3-2-1", "float64", 5)

    @pytest.mark.lockstep(steps=2)
    def test_closest(self, lockstep):
        run = lockstep(dtype="float32")
        assert (run.head.description[:5], run.head.dtype, len(run.steps)) == ("3-2-1", "float32", 2)
""")
    result.assert_outcomes(passed=2)
    assert summary(result)[0].startswith("lockstep: 2 comparisons, 8 gradients agree")


def test_a_marker_with_positional_arguments_is_an_error(session):
    result = session("@pytest.mark.lockstep('4-3-1')\ndef test_positional(lockstep):\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Cannot read the arguments of the marker lockstep*"])


def test_the_option_and_the_ini_file_name_what_is_compared(session, pytester):
    session(ANY, "-s", "--lockstep-against", "right, hand").stdout.fnmatch_lines(["*compared hand right"])
    pytester.makeini("[pytest]\nlockstep_against = right\n")
    session(ANY, "-s").stdout.fnmatch_lines(["*compared hand right"])
    session(ANY, "-s", "--lockstep-against", "hand").stdout.fnmatch_lines(["*compared hand"])


def test_a_missing_framework_is_left_out_and_told(session, summary, without_jax):
    result = session(ANY, "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*compared hand right"])
    assert summary(result)[0].endswith("; not installed: jax")


def test_a_test_that_has_nothing_else_to_compare_with_is_skipped_with_the_reason(
    session, summary, without_jax, monkeypatch
):
    monkeypatch.setattr("impls.registry.names", lambda: ["hand", "jax"])
    result = session(ANY, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"SKIPPED*{NOT_INSTALLED}"])
    assert summary(result) == []


def test_a_missing_framework_is_an_error_in_ci(session, without_jax, monkeypatch):
    monkeypatch.setenv("CI", "true")
    result = session(ANY)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([NOT_INSTALLED])


@pytest.mark.parametrize("way", ["argument", "marker", "option"])
def test_a_missing_framework_that_is_named_is_an_error(session, without_jax, way):
    mark = "@pytest.mark.lockstep(against=['jax', 'right'])\n" if way == "marker" else ""
    argument = ", against='jax'" if way == "argument" else ""
    options = ["--lockstep-against", "right,jax"] if way == "option" else []
    result = session(f"{mark}def test_named(lockstep):\n    lockstep(steps=1{argument})\n", *options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([NOT_INSTALLED])


def test_a_framework_that_is_required_must_be_installed(session, without_jax, pytester):
    result = session(RIGHT, "--lockstep-require", "right,jax")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {NOT_INSTALLED}"])
    session(RIGHT, "--lockstep-require", "right").assert_outcomes(passed=1)
    pytester.makeini("[pytest]\nlockstep_require = jax\n")
    assert session(RIGHT).ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("option", ["--lockstep-against", "--lockstep-require"])
def test_an_unknown_name_ends_the_session(session, option):
    result = session(RIGHT, option, "tocrh")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: Cannot compare with 'tocrh', *did you mean torch?*"])


def test_wrong_usage_is_told_at_the_line_of_the_test(session):
    result = session("def test_usage(lockstep):\n    lockstep('4-3', steps=1, against=['tocrh'])\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*lockstep('4-3'*", "E*UsageError: Cannot compare with 'tocrh'*"])
    assert "arguments.py" not in result.stdout.str()


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("lockstep('3-2', activation='tanh')", "activation='tanh', because the fixture takes what harness.run takes; "
         "give harness.load_network(..., activation='tanh') as the network."),
        ("lockstep('3-2', stepz=3)", "stepz=3, because the fixture takes what harness.run takes (did you mean steps?); "
         "give some of network, data, against, *"),
        ("lockstep.check(None, '3-2', loss='huber')", "loss='huber', because lockstep.check takes what harness.check "
         "takes; give harness.load_network(..., loss='huber') as the network."),
        ("lockstep('3-2', 'iris', network='3-2')", "the fixture so, because there are multiple values for argument "
         "'network'; it takes what harness.run takes."),
        ("lockstep.check(network='3-2')", "nothing, because no function is given; *"),
    ],
)  # fmt: skip
def test_what_the_fixture_does_not_take_is_told_at_the_line_of_the_test(session, call, told):
    result = session(f"def test_usage(lockstep):\n    {call}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f">*{call.replace('[', '[[]')}", f"E*UsageError: Cannot * {told}"])
    assert "inspect.py" not in result.stdout.str()
    assert len(result.stdout.lines) < 30


def test_a_typing_error_in_a_marker_is_told(session):
    result = session("@pytest.mark.lockstep(stepz=3)\ndef test_marked(lockstep):\n    lockstep('3-2')\n")
    result.assert_outcomes(errors=1)
    told = "Cannot use stepz=3, because the marker lockstep takes what harness.run takes (did you mean steps?); give *"
    result.stdout.fnmatch_lines([told])
    assert len(result.stdout.lines) < 20


def test_what_only_one_of_run_and_check_takes_is_a_default_of_that(session):
    result = session("""
@pytest.mark.lockstep(arrays="numpy", network="2-1", data="random", steps=1, against=["right"])
def test_both(lockstep):
    assert lockstep().verdict == "PASS"
    assert lockstep.check(lambda weights, x, y: harness.reference("2-1", weights, x, y).gradients).verdict == "PASS"
""")
    result.assert_outcomes(passed=1)
