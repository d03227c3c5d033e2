"""What the pytest plugin leaves behind: what a failing assert tells, the summary, JUnit properties, records."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

import harness
from impls.hand_numpy import Hand

LOCKSTEP = 'lockstep("2-1", data="random", against=["{}"], steps=1)'
RIGHT = f"def test_right(lockstep):\n    {LOCKSTEP.format('right')}\n"
WRONG = """
def test_wrong(lockstep):
    lockstep("4-3-2-1", against=["wrong"], steps=1)
"""
INHERITED = """
def shown():
    reference = harness.reference("4-3-2-1")
    given = {"x": reference.x, "y": reference.y, **reference.weights, **reference.activations}
    for link in reference.network.backward_links:
        given[link.output] = -link(given) if link.output == "dz2" else link(given)
    return {link.output: given[link.output] for link in reference.network.backward_links}, reference

def test_equal():
    mine, reference = shown()
    assert mine == harness.allow(reference)
"""


def properties(pytester):
    """Properties of each test in the JUnit file, by the test's name."""
    cases = ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    return {case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")} for case in cases}


def test_a_failing_assert_tells_the_located_fault_in_the_lines_that_pytest_shows(session, summary):
    result = session(INHERITED)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*assert mine == harness.allow(reference)",
            "E*AssertionError: assert FAIL  first wrong link: dz2; inherited by dW2, db2, da1, dz1, dW1, db1",
            "E*worst entry  *",
            "E*use '-vv' to show",
        ]
    )
    assert summary(result) == ["lockstep: 1 test failed: test_inner.py::test_equal (FAIL, first wrong link dz2)"]
    result.stdout.no_fnmatch_line("*inherited  right, given your dz2*")
    session(INHERITED, "-vv").stdout.fnmatch_lines(["E*dW2*inherited  right, given your dz2*"])


def test_a_failing_assert_tells_it_from_the_other_side_and_for_unequal(session):
    result = session("""
def test_reversed():
    reference = harness.reference("2-1")
    assert harness.allow(reference) == {}

def test_unequal():
    reference = harness.reference("2-1")
    assert reference != harness.allow(reference)

def test_others_are_told_as_ever():
    assert [1] == [2]
""")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        ["E*assert FAIL  returned an empty dictionary*", "E*assert PASS  *", "E*At index 0 diff: 1 != 2"]
    )


@pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "\u202e", "::error::"])
def test_names_that_are_hostile_are_shown_by_their_escapes(session, text):
    result = session(f"""
def test_hostile():
    reference = harness.reference("2-1")
    assert {{**reference.gradients, "dW1": None, {text!r}: 0.0}} == harness.allow(reference)
""")
    result.assert_outcomes(failed=1)
    shown = result.stdout.str()
    assert f"ignored  {harness.usage.visible(text)}: no tensors of this network" in shown
    assert text.isprintable() or f"{text}:" not in shown


def test_assert_gradients_match_is_told_and_counted(session):
    result = session("""
def test_match():
    reference = harness.reference("2-1")
    harness.assert_gradients_match(reference, reference)

def test_mismatch():
    reference = harness.reference("2-1")
    harness.assert_gradients_match(dict(reference.gradients, db1=reference.gradients["db1"] / 2), reference)
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [">*assert_gradients_match*", "E*harness.GradientMismatch: FAIL  first wrong link: db1"]
    )
    assert "allowing.py" not in result.stdout.str()


def test_a_test_that_expects_a_difference_counts_for_nothing(session, summary):
    result = session("""
def test_expected():
    reference = harness.reference("2-1")
    assert {} != harness.allow(reference)
    with pytest.raises(harness.GradientMismatch):
        harness.assert_gradients_match({}, reference)
""")
    result.assert_outcomes(passed=1)
    assert summary(result) == []


def test_comparisons_of_all_tests_come_to_one_line(session, summary):
    text = f"@pytest.mark.parametrize('n', range(3))\ndef test_each(lockstep, n):\n    {LOCKSTEP.format('right')}\n"
    text += "def test_equal():\n    r = harness.reference('3-2-1')\n    assert r == harness.allow(r)\n"
    for options in ([], ["-q"], ["--no-header"], ["-qq", "--no-summary"]):
        (line,) = summary(session(text, *options))
        assert line.startswith("lockstep: 4 comparisons, 10 gradients agree up to rounding; worst used ")
    result = session(text, "-p", "no:terminal")
    assert (result.ret, summary(result)) == (0, [])
    assert summary(session("def test_nothing():\n    pass\n")) == []


def test_properties_stand_in_the_junit_file(session, pytester):
    session(RIGHT + WRONG + "def test_other():\n    pass\n", "--junitxml=junit.xml")
    found = properties(pytester)
    right, wrong = found["test_right"], found["test_wrong"]
    assert (right["lockstep_verdict"], right["lockstep_comparisons"], right["lockstep_gradients"]) == ("PASS", "1", "2")
    assert 0 <= float(right["lockstep_worst_used"]) <= 1
    assert right["lockstep_worst"] in ("dW1, right", "db1, right")
    assert 0 < float(right["lockstep_sees"]) < 1
    assert "lockstep_first_wrong_link" not in right
    assert (wrong["lockstep_verdict"], wrong["lockstep_first_wrong_link"]) == ("FAIL", "dW2")
    assert found["test_other"] == {}


def test_every_run_and_check_has_a_record_of_its_own(session, pytester):
    text = f"""
@pytest.mark.parametrize("n", ["a b", "a-b", "a/b", "A-b", "..", "x" * 300, "\\x1b"])
def test_similar(lockstep, n):
    {LOCKSTEP.format("right")}

def test_twice(lockstep):
    {LOCKSTEP.format("right")}
    with pytest.raises(harness.GradientMismatch):
        lockstep("4-3-2-1", against=["wrong"], steps=2)

def test_check(lockstep):
    lockstep.check(lambda weights, x, y: harness.reference("2-1", weights, x, y).gradients, "2-1")
"""
    folder = pytester.path / "deep" / "records"
    session(text, "--lockstep-report", str(folder)).assert_outcomes(passed=9)
    records = sorted(folder.iterdir())
    assert len({path.name.lower() for path in records}) == 10
    assert all(path.suffix == ".jsonl" and path.name.isascii() and len(path.name) < 100 for path in records)
    checks = [path for path in records if "test_check" in path.name]
    verdicts = [harness.read_run(path).verdict for path in records if path not in checks]
    assert sorted(verdicts) == ["FAIL", *["PASS"] * 8]
    assert [json.loads(path.read_text())["verdict"] for path in checks] == ["PASS"]
    before = {path: path.read_bytes() for path in records}
    session(text, "--lockstep-report", str(folder)).assert_outcomes(passed=9)
    assert len(list(folder.iterdir())) == 20
    assert all(path.read_bytes() == content for path, content in before.items())


def test_records_stand_where_the_session_says_wherever_a_test_goes(session, pytester, monkeypatch):
    text = "def test_elsewhere(lockstep, tmp_path, monkeypatch):\n    monkeypatch.chdir(tmp_path)\n"
    text += f"    {LOCKSTEP.format('right')}\n"
    session(text, "--lockstep-report", "named").assert_outcomes(passed=1)
    assert len(list((pytester.path / "named").iterdir())) == 1
    pytester.makeini("[pytest]\nlockstep_report = kept\n")
    monkeypatch.chdir(pytester.mkdir("below"))
    session(text, "..").assert_outcomes(passed=1)
    assert len(list((pytester.path / "kept").iterdir())) == 1


def test_an_interrupt_ends_the_session_and_keeps_the_record(session, pytester, register):
    class Interrupts(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            raise KeyboardInterrupt

    register("interrupts", Interrupts)
    text = "def test_long(lockstep):\n    lockstep('2-1', data='random', against='interrupts', steps=3)\n" + RIGHT
    with pytest.raises(KeyboardInterrupt):  # which the session inside hands on
        session(text, "--lockstep-report", "records")
    (record,) = (pytester.path / "records").iterdir()
    assert harness.read_run(record).how == "interrupted"


def test_a_report_that_is_a_file_is_refused(session, pytester):
    (pytester.path / "records").write_text("mine")
    result = session(RIGHT, "--lockstep-report", "records")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: Cannot write run records to *records, because it is no folder; *"])


def test_workers_of_xdist_tell_the_same(session, summary, pytester):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    equal = "def test_equal_{0}():\n    r = harness.reference('3-2-1')\n    assert r == harness.allow(r)\n"
    text = "".join(map(equal.format, range(4))) + INHERITED + "@pytest.mark.lockstep(against='hand')\n"
    text += "def test_run(lockstep):\n    lockstep('2-1', data='random', steps=1)\n"
    result = session(text, "-n", "2", "--junitxml=junit.xml", "--lockstep-report", "records")
    result.assert_outcomes(passed=5, failed=1)
    assert summary(result) == ["lockstep: 1 test failed: test_inner.py::test_equal (FAIL, first wrong link dz2)"]
    assert properties(pytester)["test_equal_3"]["lockstep_verdict"] == "PASS"
    assert len(list((pytester.path / "records").iterdir())) == 1


def test_loading_the_plugin_imports_neither_a_framework_nor_numpy():
    code = (
        "import sys, harness.testing.plugin\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'numpy', 'torch', 'jax', 'optax', 'msgspec'}),"
        " sorted(m for m in sys.modules if m.startswith(('harness', 'impls'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own = ["harness", *(f"harness.testing{module}" for module in ("", ".plugin", ".tally"))]
    assert done.stdout == f"[] {own}\n"


OPERATION = """
import numpy as np
from impls.hand import Tanh

def forward(z):
    return np.tanh(z)

def right(upstream, z):
    return upstream * (1 - np.tanh(z) ** 2)

def wrong(upstream, z):
    return upstream * (1 - np.tanh(z))
"""


def test_an_operation_is_compared_and_counted(session, summary):
    result = session(f"""{OPERATION}
def test_fixture(lockstep):
    assert lockstep.check_vjp(forward, right, reference=Tanh()).verdict == "PASS"

def test_assertion():
    harness.assert_vjp_matches(forward, right, reference=Tanh())
""")
    result.assert_outcomes(passed=2)
    assert summary(result)[0].startswith("lockstep: 2 comparisons, 2 gradients agree up to rounding; worst used ")


def test_a_wrong_operation_fails_with_its_gradient_and_cause(session, summary):
    result = session(f"""{OPERATION}
def test_fixture(lockstep):
    lockstep.check_vjp(forward, wrong, reference=Tanh())

def test_assertion():
    harness.assert_vjp_matches(forward, wrong, reference=Tanh())

def test_nothing(lockstep):
    lockstep.check_vjp(forward)
""")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["E*GradientMismatch: FAIL  dz is wrong in 22 of 22 cases: 1 − a is written for*"])
    result.stdout.fnmatch_lines(["E*UsageError: Cannot check without reference, because nothing would be compared;*"])
    assert summary(result) == [
        "lockstep: 2 tests failed, first test_inner.py::test_fixture (FAIL, first wrong link dz)"
    ]
