"""The score of a test that somebody wrote, on real files in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command_line
from harness.mutation import process
from harness.mutation.score import Score, Tried

MINE = """
import functools
import lazy
import numpy as np

def loss(x, W, y):
    return np.square(x @ W - y).sum()

def backward(x, W, y):
    r = x @ W - y
    return 2 * x.T @ r

def fading(x, n):
    while n > 0:
        n -= 1
        x = x * 1
    if n < -5:
        x = x + n
    return x

@functools.cache
def slope(n):
    return 2 * n

def compiled(x):
    if x not in lazy.KEPT:
        lazy.KEPT[x] = traced(x)
    return lazy.KEPT[x]

def traced(x):
    return x + 3

def scaled(x, kept, rate=0):
    kept["shape"] = len(x)
    return x - rate

def killing(x):
    if x > 1:
        import os
        os._exit(3)
    return x
"""

SLOW = """
import os
import threading
import time
from mine import slope

while os.environ["LOADS_FOR_EVER"]:
    time.sleep(1)

def test_never():
    assert slope(3) == 6
    time.sleep(1000)

def test_compiled():
    sum(range(10**13))

def test_thread():
    threading.Thread(target=time.sleep, args=(1000,)).start()
    assert slope(3) == 6
"""

TESTS = """
import numpy as np
import pytest
from mine import backward, compiled, fading, killing, loss, scaled, slope

CALLS = []
rng = np.random.default_rng(0)
x, W, y = rng.normal(size=(5, 3)), rng.normal(size=(3, 2)), rng.normal(size=(5, 2))

def test_gradient():
    for i in range(3):
        for j in range(2):
            E = np.zeros_like(W)
            E[i, j] = 1e-6
            numeric = (loss(x, W + E, y) - loss(x, W - E, y)) / 2e-6
            assert np.isclose(numeric, backward(x, W, y)[i, j])

def test_shape_only():
    assert backward(x, W, y).shape == W.shape

def test_fading():
    assert fading(2.0, 3) == 2.0

def test_cached():
    assert slope(3) == 6

def test_compiled():
    assert compiled(2) == 5

def test_rate_0():
    assert scaled(x, {}).shape == x.shape and np.all(scaled(x, {}) == x)

def test_killing():
    assert killing(1) == 1

def test_failing():
    assert backward is None

def test_calls_nothing():
    assert True

@pytest.mark.skip(reason="not today")
def test_skipped():
    backward(x, W, y)

@pytest.mark.parametrize("sign", [1, -1])
def test_each(sign):
    assert np.allclose(backward(x, sign * W, sign * y), sign * 2 * x.T @ (x @ W - y))

def test_keeps_state():
    CALLS.append(backward(x, W, y))
    assert all(np.array_equal(c, CALLS[0]) for c in CALLS)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Somebody's project, with settings of its own."""
    root = tmp_path_factory.mktemp("project")
    (root / "mine.py").write_text(MINE)
    (root / "lazy.py").write_text("KEPT = {}\n\ndef clear_caches():\n    KEPT.clear()\n")
    (root / "tests").mkdir()
    (root / "tests" / "test_mine.py").write_text(TESTS)
    (root / "tests" / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture(autouse=True)\ndef given():\n    yield\n"
    )
    (root / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = "-x --strict-markers"\npythonpath = "."\n'
    )
    return root


@pytest.fixture
def scored(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(Path(harness.__file__).parents[1]))
    monkeypatch.setenv("PYTHONPATH", str(Path(harness.__file__).parents[1]))

    def score(test, target="mine:backward", **options):
        return harness.score(f"tests/test_mine.py::{test}", target, **options)

    return score


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_good_test_catches_every_mutant_and_leaves_nothing_behind(scored, folder):
    before = files(folder)
    score = scored("test_gradient")
    assert (score.verdict, score.caught) == ("PASS", score.total)
    assert score.total > 20
    assert {tried.fate for tried in score.tried} == {"caught", "raised"}
    assert files(folder) == before


def test_survivors_of_a_weak_test_are_listed_with_their_place(scored):
    score = scored("test_shape_only")
    assert score.verdict == "NO POWER"
    (survivor,) = [tried for tried in score.survivors if tried.after == "return -(2 * x.T @ r)"]
    line = MINE.split("\n").index("    return 2 * x.T @ r") + 1
    assert (survivor.file, survivor.line, survivor.before) == ("mine.py", line, "return 2 * x.T @ r")
    assert f"mine.py:{line}  return 2 * x.T @ r  ->  return -(2 * x.T @ r)" in str(score)
    assert str(score).startswith(f"NO POWER  tests/test_mine.py::test_shape_only catches {score.caught} of ")


def test_survivors_that_give_the_same_for_all_that_is_asked_are_told_apart(scored):
    score = scored("test_rate_0", "mine:scaled")
    fates = {tried.after: tried.fate for tried in score.tried}
    assert fates["return x + rate"] == fates["return x"] == "same results"
    assert fates["pass"] == "survived"  # what it writes into an argument counts
    assert score.verdict == "NO POWER"
    assert score.reason.endswith(f"{len(score.survivors)} survive, some of which may be the same function")
    listed = str(score).partition("survivors that give the same results on all that the test asks\n")[2]
    assert "return x - rate  ->  return x + rate" in listed
    assert "or see that both are the same" in listed


def test_what_does_not_end_is_caught_and_what_is_equal_or_never_reached_is_told_apart(scored):
    score = scored("test_fading", "mine:fading", timeout=0.5)
    fates = {tried.after: tried.fate for tried in score.tried}
    assert fates["pass"] == "did not end"
    assert fates["x = x / 1"] == "equal"
    assert fates["x = x - n"] == "not reached"
    assert "the test never comes to this line" in str(score)


def test_a_mutant_that_ends_the_process_is_caught_and_the_others_go_on(scored):
    score = scored("test_killing", "mine:killing")
    fates = {tried.after: tried.fate for tried in score.tried}
    assert fates["if x >= 1:"] == "raised"
    assert fates["return -x"] == "caught"
    assert fates["if x > 2:"] == "same results"
    assert score.reliable


def test_a_test_that_never_ends_is_refused_and_one_that_leaves_a_thread_is_scored(scored, folder, monkeypatch):
    (folder / "tests" / "test_slow.py").write_text(SLOW)
    monkeypatch.setenv("LOADS_FOR_EVER", "")
    monkeypatch.setattr(process, "GRACE", 0.2)
    for name in "never", "compiled":
        with pytest.raises(harness.UsageError, match=r"it does not end within 0.5 s without any mutant; make it end"):
            harness.score(f"tests/test_slow.py::test_{name}", "mine:slope", timeout=0.5)
    assert harness.score("tests/test_slow.py::test_thread", "mine:slope").verdict == "PASS"
    monkeypatch.setenv("LOADS_FOR_EVER", "1")
    monkeypatch.setattr(process, "COLLECTED", 4.0)
    with pytest.raises(harness.UsageError, match=r"it is not collected within 4 s; load less there"):
        harness.score("tests/test_slow.py::test_never", "mine:slope")


def test_what_a_decorator_keeps_is_forgotten(scored):
    score = scored("test_cached", "mine:slope")
    assert {tried.after: tried.fate for tried in score.tried}["return 2 / n"] == "caught"


def test_what_a_compiler_keeps_is_forgotten(scored):
    """As jax.jit keeps what it traced, until jax.clear_caches()."""
    score = scored("test_compiled", "mine:traced")
    assert score.total > 5
    assert (score.caught, score.reliable) == (score.total, True)


def test_every_case_of_a_parametrised_test_counts(scored):
    score = scored("test_each")
    assert score.caught == score.total


def test_a_test_that_keeps_what_a_mutant_left_is_not_trusted(scored):
    score = scored("test_keeps_state")
    assert not score.reliable
    assert score.verdict == "NO POWER"
    assert "means nothing" in str(score)


def test_a_test_that_never_calls_the_target_scores_0(scored):
    score = scored("test_calls_nothing")
    assert (score.verdict, score.total, score.uncalled) == ("NO POWER", 0, ("mine:backward",))
    assert "score 0" in score.reason
    assert "never calls mine:backward" in score.reason


@pytest.mark.parametrize(
    ("test", "target", "why"),
    [
        ("test_failing", "mine:backward", "it fails without any mutant"),
        ("test_skipped", "mine:backward", "test_skipped is skipped .*not today"),
        ("test_nothing", "mine:backward", "pytest does not run it .*not found"),
        ("test_gradient", "mine:bakward", r"mine has no bakward \(did you mean backward\?\)"),
    ],
)
def test_wrong_use_is_told(scored, test, target, why):
    with pytest.raises(harness.UsageError, match=why):
        scored(test, target)


@pytest.mark.parametrize(
    ("test", "options", "why"),
    [
        ("nowhere.py::test_x", {}, "there is no file nowhere.py"),
        ("", {}, "it names no test"),
        ("--pdb", {}, "it names no test"),
        ("tests/test_mine.py::test_gradient", {"timeout": 0}, "give seconds above 0"),
    ],
)
def test_what_names_no_test_is_refused_at_once(scored, test, options, why):
    with pytest.raises(harness.UsageError, match=why):
        harness.score(test, "mine:backward", **options)


def test_without_a_target_the_hand_codes_rules_are_mutated(scored, folder):
    (folder / "tests" / "test_hand.py").write_text(
        "import numpy as np\nfrom impls.hand import Tanh\n\ndef test_tanh():\n"
        "    a = np.array([[0.5, -0.25]])\n    assert np.array_equal(Tanh().dz(2 * a, a), 2 * a * (1 - a * a))\n"
    )
    score = harness.score("tests/test_hand.py::test_tanh")
    assert {tried.target.rpartition(":")[2] for tried in score.tried} == {"Tanh.dz", "tanh_vjp"}
    assert score.verdict == "PASS"
    assert [tried.after for tried in score.of("equal")] == ["return tanh_vjp(da, -a)"]  # 1 - a^2 is even
    assert "impls.hand.layers.dense:Dense.dW" in score.uncalled


def test_the_command_exits_with_4_only_where_power_is_required(folder, scored, monkeypatch):
    command = [sys.executable, "-m", "harness", "power", "--of", "tests/test_mine.py::test_shape_only"]
    command += ["--target", "mine:backward", "--json", "--require-power"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit"], told["verdict"]) == (4, 4, "NO POWER")
    assert told["total"] - told["caught"] == sum(m["fate"] == "survived" for m in told["mutants"]) > 0
    tried = Tried("m:f", "sign", "m.py", 3, "x = y", "x = -y", "survived")
    monkeypatch.setattr(
        "harness.mutation.score.score", lambda *_, **__: Score("t.py::t", "m:f", (tried,), (), 1, True, 0.1)
    )
    arguments = ["power", "--of", "t.py::t", "--target", "m:f"]
    for options, status in (([], 0), (["--require-power"], 4)):
        assert CliRunner().invoke(command_line, [*arguments, *options]).exit_code == status


def test_a_sample_says_that_it_is_one():
    tried = Tried("m:f", "sign", "m.py", 3, "x = y", "x = -y", "caught", "AssertionError")
    score = Score("t.py::test", "m:f", (tried,), (), 900, True, 0.1)
    assert "sample  1 of 900 mutants were run, evenly over all lines" in str(score)
