"""Rules by which people accept a tensor a in place of an expected e, each by the name that it is known by.

    pair                   |a - e| <= atol + rtol |e|, of every entry
    allclose               the same, rtol 1e-5, atol 1e-8                   numpy, torch and jax.numpy allclose
    assert-allclose        the same, rtol 1e-7, atol 0                      numpy.testing.assert_allclose
    assert-close           the same, by dtype                               torch.testing.assert_close
    max-relative           max |a - e| / |e| <= most
    relative-to-largest    max |a - e| / max |e| <= most
    relative-norm          ||a - e|| / ||e|| <= most
    cosine-similarity      <a, e> / (||a|| ||e||) >= least
    cosine-difference      1 - 2 <a, e> / (||a||^2 + ||e||^2) <= most       DeepGEMM's calc_diff
    eager                  max |a - e| <= times max |eager - e| + plus      flash-attention's rule, and others'

A rule that looks at each entry by itself grants it a largest difference; one of the whole tensor grants none.

Sources: numpy.allclose, numpy.testing.assert_allclose and torch.testing.assert_close (`_DTYPE_PRECISIONS`) as
documented; DeepGEMM's deep_gemm/testing; flash-attention's tests/test_flash_attn.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.tolerances.subject import Floats, Subject
from harness.usage import UsageError
from impls.hand.parsing import made

ASSERT_CLOSE: Mapping[str, tuple[float, float]] = {
    "float64": (1e-7, 1e-7), "float32": (1e-5, 1.3e-6), "bfloat16": (1e-5, 1.6e-2), "float16": (1e-5, 1e-3),
}  # fmt: skip
"""atol and rtol of torch.testing.assert_close, where neither is given."""


class Rule(Protocol):
    """One way of accepting."""

    @property
    def says(self) -> str:
        """The rule with its numbers, in one line."""
        ...

    def accepts(self, actual: Floats, subject: Subject) -> bool:
        """Whether a tensor is taken for the subject's; what is no number never is."""
        ...

    def granted(self, subject: Subject) -> Floats | None:
        """The largest difference of each entry that is accepted, whatever the others are; None of a whole tensor."""
        ...


@dataclass(frozen=True)
class Pair:
    """|a - e| <= atol + rtol |e| of every entry.

    Attributes:
        scale: whose size rtol is of: the expected tensor's, or the actual one's, where the two change places.
    """

    atol: float = 0.0
    rtol: float = 0.0
    scale: str = "expected"

    def __post_init__(self) -> None:
        for name in ("atol", "rtol"):
            _checked(name, getattr(self, name))
        if self.scale not in ("expected", "actual"):
            raise UsageError(
                f"Cannot use scale={self.scale!r:.60}, because rtol is of one of two tensors; give expected or actual."
            )

    @property
    def says(self) -> str:
        """Both numbers."""
        return f"atol {self.atol:g}, rtol {self.rtol:g}" + (" of what is judged" if self.scale == "actual" else "")

    def accepts(self, actual: Floats, subject: Subject) -> bool:
        """Every entry by itself."""
        size = subject.expected if self.scale == "expected" else actual
        with np.errstate(invalid="ignore", over="ignore"):
            return bool(np.all(np.abs(actual - subject.expected) <= self.atol + self.rtol * np.abs(size)))

    def granted(self, subject: Subject) -> Floats | None:
        """atol + rtol |e|; where |a| stands for |e|, what holds for a above and below e."""
        size = np.abs(subject.expected)
        granted: Floats = self.atol + self.rtol * size
        return granted if self.scale == "expected" else granted / (1 + self.rtol)


@dataclass(frozen=True)
class AssertClose:
    """torch.testing.assert_close: a pair by the dtype, or both numbers."""

    atol: float | None = None
    rtol: float | None = None

    def __post_init__(self) -> None:
        if (self.atol is None) != (self.rtol is None):
            given = "atol" if self.rtol is None else "rtol"
            raise UsageError(
                f"Cannot use assert-close with {given} alone, because torch.testing.assert_close takes both or "
                f"neither; give the other one too."
            )
        for name in ("atol", "rtol"):
            if getattr(self, name) is not None:
                _checked(name, getattr(self, name))

    @property
    def says(self) -> str:
        """Both numbers, where they are given."""
        return "assert_close by dtype" if self.atol is None else f"assert_close, atol {self.atol:g}, rtol {self.rtol:g}"

    def accepts(self, actual: Floats, subject: Subject) -> bool:
        """As its pair."""
        return self._pair(subject).accepts(actual, subject)

    def granted(self, subject: Subject) -> Floats | None:
        """As its pair."""
        return self._pair(subject).granted(subject)

    def _pair(self, subject: Subject) -> Pair:
        if self.atol is not None and self.rtol is not None:
            return Pair(self.atol, self.rtol)
        if subject.dtype not in ASSERT_CLOSE:
            raise UsageError(
                f"Cannot use assert-close in {subject.dtype}, because torch.testing.assert_close has no numbers for "
                f"it; give them, assert-close(atol=..., rtol=...)."
            )
        return Pair(*ASSERT_CLOSE[subject.dtype])


@dataclass(frozen=True)
class _OfWhole:
    """A rule of one number of the whole tensor, which may be `most`."""

    most: float = 1e-3

    def __post_init__(self) -> None:
        _checked("most", self.most)

    def measure(self, actual: Floats, expected: Floats) -> float:
        """The number."""
        raise NotImplementedError

    def accepts(self, actual: Floats, subject: Subject) -> bool:
        """Whether the number is at most that."""
        with np.errstate(all="ignore"):
            return bool(self.measure(actual, subject.expected) <= self.most)

    def granted(self, subject: Subject) -> Floats | None:  # noqa: ARG002
        """None: it is of the whole."""
        return None


class RelativeToLargest(_OfWhole):
    """max |a - e| / max |e|."""

    @property
    def says(self) -> str:
        """Its formula."""
        return f"max |a - e| / max |e| <= {self.most:g}"

    def measure(self, actual: Floats, expected: Floats) -> float:
        """Of these two."""
        return float(np.abs(actual - expected).max() / np.abs(expected).max())

    def granted(self, subject: Subject) -> Floats | None:
        """The same of every entry."""
        return np.full(subject.expected.shape, self.most * np.abs(subject.expected).max(initial=0.0))


class RelativeNorm(_OfWhole):
    """||a - e|| / ||e||."""

    @property
    def says(self) -> str:
        """Its formula."""
        return f"||a - e|| / ||e|| <= {self.most:g}"

    def measure(self, actual: Floats, expected: Floats) -> float:
        """Of these two."""
        return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


class CosineDifference(_OfWhole):
    """1 - 2 <a, e> / (||a||^2 + ||e||^2), which is ||a - e||^2 / (||a||^2 + ||e||^2)."""

    @property
    def says(self) -> str:
        """Its formula."""
        return f"1 - 2 <a, e> / (||a||^2 + ||e||^2) <= {self.most:g}"

    def measure(self, actual: Floats, expected: Floats) -> float:
        """Of these two."""
        return float(1 - 2 * np.vdot(actual, expected) / (np.vdot(actual, actual) + np.vdot(expected, expected)))


@dataclass(frozen=True)
class CosineSimilarity:
    """<a, e> / (||a|| ||e||) >= least: blind for size."""

    least: float = 0.999

    def __post_init__(self) -> None:
        if not isinstance(self.least, int | float) or not -1 <= self.least <= 1:
            raise UsageError(
                f"Cannot use least={self.least!r:.60}, because a cosine is from -1 to 1; give a number between them."
            )

    @property
    def says(self) -> str:
        """Its formula."""
        return f"<a, e> / (||a|| ||e||) >= {self.least:g}"

    def accepts(self, actual: Floats, subject: Subject) -> bool:
        """Whether both point in one direction."""
        e = subject.expected
        with np.errstate(all="ignore"):
            return bool(np.vdot(actual, e) / (np.linalg.norm(actual) * np.linalg.norm(e)) >= self.least)

    def granted(self, subject: Subject) -> Floats | None:  # noqa: ARG002
        """None: it is of the whole."""
        return None


@dataclass(frozen=True)
class Eager:
    """max |a - e| <= times max |eager - e| + plus, with another program of the same dtype as the unit."""

    times: float = 2.0
    plus: float = 0.0

    def __post_init__(self) -> None:
        for name in ("times", "plus"):
            _checked(name, getattr(self, name))

    @property
    def says(self) -> str:
        """Its formula."""
        return f"max |a - e| <= {self.times:g} max |eager - e| + {self.plus:g}"

    def accepts(self, actual: Floats, subject: Subject) -> bool:
        """Whether it is off by no more than so many times what the other program is off by."""
        with np.errstate(invalid="ignore", over="ignore"):
            return bool(np.abs(actual - subject.expected).max() <= self._most(subject))

    def granted(self, subject: Subject) -> Floats | None:
        """The same of every entry."""
        return np.full(subject.expected.shape, self._most(subject))

    def _most(self, subject: Subject) -> float:
        eager = next(iter(subject.programs.values()), None)
        if eager is None:
            raise UsageError(
                "Cannot use the rule eager, because there is no other program's tensor beside the expected one; give "
                "an operation, or a file that holds one called eager."
            )
        return self.times * float(np.abs(eager - subject.expected).max()) + self.plus


def max_relative(most: float = 1e-3) -> Pair:
    """Max |a - e| / |e| <= most: a pair without atol."""
    _checked("most", most)
    return Pair(0.0, most)


def allclose(rtol: float = 1e-5, atol: float = 1e-8) -> Pair:
    """As numpy.allclose, torch.allclose and jax.numpy.allclose by default."""
    return Pair(atol, rtol)


def assert_allclose(rtol: float = 1e-7, atol: float = 0.0) -> Pair:
    """As numpy.testing.assert_allclose by default."""
    return Pair(atol, rtol)


RULES: Mapping[str, Any] = {
    "pair": Pair, "allclose": allclose, "assert-allclose": assert_allclose, "assert-close": AssertClose,
    "max-relative": max_relative, "relative-to-largest": RelativeToLargest, "relative-norm": RelativeNorm,
    "cosine-similarity": CosineSimilarity, "cosine-difference": CosineDifference, "eager": Eager,
}  # fmt: skip
"""From the name of a rule to what makes it of its parameters."""


def rule_of(text: str) -> Rule:
    """The rule that a text names, its parameters in brackets.

    >>> rule_of("cosine-difference(most=1e-5)").says
    '1 - 2 <a, e> / (||a||^2 + ||e||^2) <= 1e-05'

    Raises:
        UsageError: there is none of that name, or a parameter cannot be used.
    """
    try:
        rule: Rule = made("rule", RULES, text)
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    return rule


def _checked(name: str, number: Any) -> None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not (math.isfinite(number) and number >= 0):
        raise UsageError(
            f"Cannot use {name}={number!r:.60}, because a tolerance is a finite number that is not negative; give one, "
            f"such as 1e-5."
        )
