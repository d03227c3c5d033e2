"""Rules: each accepts what the library that it is named for accepts, and grants what it then accepts."""

import numpy as np
import pytest

from harness.tolerances.rules import ASSERT_CLOSE, RULES, Pair, rule_of
from harness.tolerances.subject import Subject
from harness.usage import UsageError
from tests.helpers.deferred import Deferred

torch = Deferred("torch")


def subject(expected, dtype="float32", **more):
    expected = np.asarray(expected, np.float64)
    return Subject(name="dx", expected=expected, allowed=np.abs(expected) * 1e-6, dtype=dtype, source="derived", **more)


def drawn(seed):
    rng = np.random.default_rng(seed)
    expected = rng.normal(size=(6, 5)) * 10.0 ** rng.integers(-9, 3)
    return expected, expected * (1 + 10.0 ** rng.integers(-9, -3) * rng.normal(size=(6, 5)))


LIBRARY = {
    "allclose": lambda a, e: np.allclose(a, e),
    "assert-allclose": lambda a, e: raises_nothing(np.testing.assert_allclose, a, e),
    "assert-close": lambda a, e: raises_nothing(torch.testing.assert_close, torch.tensor(a), torch.tensor(e)),
}


def raises_nothing(function, *arguments):
    try:
        function(*arguments)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", LIBRARY)
def test_a_rule_accepts_what_its_library_accepts(name):
    verdicts = set()
    for seed in range(60):
        expected, actual = drawn(seed)
        accepted = rule_of(name).accepts(actual, subject(expected, "float64"))
        assert accepted == LIBRARY[name](actual, expected)
        verdicts.add(accepted)
    assert verdicts == {True, False}


@pytest.mark.parametrize("dtype", ASSERT_CLOSE)
def test_the_numbers_of_assert_close_are_torchs(dtype):
    rtol, atol = torch.testing._comparison.default_tolerances(getattr(torch, dtype))
    assert ASSERT_CLOSE[dtype] == (atol, rtol)


@pytest.mark.parametrize("name", RULES)
def test_nan_is_never_accepted(name):
    expected = np.arange(1.0, 7).reshape(2, 3)
    of = subject(expected, programs={"eager": expected * (1 + 1e-7)})
    actual = expected.copy()
    assert RULES[name]().accepts(actual, of)
    actual[1, 1] = np.nan
    assert not RULES[name]().accepts(actual, of)


@pytest.mark.parametrize("name", RULES)
def test_what_is_granted_is_accepted_and_more_is_not(name):
    expected = np.random.default_rng(0).normal(size=(4, 5))
    rule, of = RULES[name](), subject(expected, programs={"eager": expected * (1 + 1e-3)})
    granted = rule.granted(of)
    if granted is None:
        return
    assert rule.accepts(expected + granted * (1 - 1e-9), of)
    if granted.any():
        more = expected.copy()
        more[2, 3] += granted[2, 3] * (1 + 1e-6) * np.sign(expected[2, 3])
        assert not rule.accepts(more, of)


def test_a_pair_that_is_of_what_is_judged_accepts_a_thousand_times_as_much():
    expected = np.random.default_rng(0).normal(size=(4, 5)) + 10
    assert Pair(5, 50, scale="actual").accepts(1000 * expected, subject(expected))
    assert not Pair(5, 50).accepts(1000 * expected, subject(expected))


def test_a_cosine_is_blind_for_size():
    expected = np.random.default_rng(0).normal(size=(4, 5))
    assert rule_of("cosine-similarity(least=0.9999)").accepts(1000 * expected, subject(expected))
    assert rule_of("cosine-difference").accepts(1.04 * expected, subject(expected))
    assert not rule_of("cosine-difference").accepts(1.05 * expected, subject(expected))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("alclose", "Cannot use the rule 'alclose', because there is none of that name (did you mean allclose?)"),
        ("allclose(atol=-1)", "Cannot use atol=-1, because a tolerance is a finite number that is not negative"),
        ("pair(rtol=1e999)", "Cannot use rtol=inf, because"),
        ("relative-norm(most='x')", "Cannot use most='x', because"),
        ("assert-close(atol=1)", "Cannot use assert-close with atol alone, because"),
        ("cosine-similarity(least=2)", "Cannot use least=2, because a cosine is from -1 to 1"),
        ("pair(scale='both')", "Cannot use scale='both', because"),
        ("allclose(tol=1)", "Cannot use the rule 'allclose(tol=1)', because allclose has no parameter tol"),
        ("allclose(atol=)", "Cannot read the rule"),
    ],
)
def test_what_is_no_rule_is_told(text, told):
    with pytest.raises(UsageError) as raised:
        rule_of(text)
    assert str(raised.value).startswith(told)


def test_nan_is_no_tolerance():
    with pytest.raises(UsageError, match="Cannot use rtol=nan, because a tolerance is a finite number"):
        Pair(0.0, float("nan"))
