"""Fitted faults: mistakes with a number in them that only the person knows.

Such a number (a learning rate, a slope, a threshold) is fitted to one entry of the tensor that shows the fault; what
the other entries say is the evidence.

Linear, ``base + c · direction``. In plain floats the entry e is the one where the direction is largest; in bounded
arithmetic the one that tells c best, which none is that an open kink leaves undecided. Behind the link everything is
linear in c, so in plain floats, T being the tensor that shows it with either rule planted,

    c = (actual_e − T(base)_e) / T(direction)_e

but where paths meet behind it: there T(direction) holds what the other paths give, T(0), which is taken off first.

The person's program has a number c* of its own. With c* planted its entry is bounded: |actual_e − (b_e + c* d_e)| is at
most E_e, b_e and d_e being the exact entries of both, so c* is within E_e / |d_e| of (actual_e − b_e) / d_e. b_e and
d_e are known within their own bounds, which the quotient carries when it is taken in bounded arithmetic with E_e as
the bound of actual_e; E_e is that of c planted as if it were exact. The rule is then planted with this bounded c, and
what its bound does to each entry is part of the allowance.

Clipped, ``min(max(g, −c), c)``. c is the largest |actual|, which clipping does not round. Shortened, ``g c / |g|``: c
is |actual|, if that is a number that a person would write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.faults.fault import DIGITS, LEAST_ENTRIES, Fault, with_number
from harness.formats import DTYPES, FORMATS, rounded_to
from impls.contract import Array
from impls.graph import Rule

TELLING = 10.0**-DIGITS / 20
"""How near to a short number a length has to be: of any lengths a tenth are, at most."""

Predicting = Callable[[Rule], Any]
"""From a rule to the tensor that shows the fault, with the rule planted in place of its link."""


@dataclass(frozen=True)
class Fitted(Fault):
    """A fault with a number in it. As a `Fault` it has the usual number, with which it can be planted.

    Attributes:
        says_with, formula_with: both texts, with ``{c}`` where the number stands.
    """

    says_with: str
    formula_with: str

    def with_number(self, c: Any) -> Fault:
        """The mistake with this number: a float, or a bounded one whose bound then travels with it."""
        number = float(getattr(c, "value", c))
        says, formula = with_number(self.says_with, number), with_number(self.formula_with, number)
        return Fault(self.cause, self.at, says, formula, self.rule_with(c))

    def rule_with(self, c: Any) -> Rule:
        """The rule with this number in it."""
        raise NotImplementedError

    def fit(self, actual: Array, predicted: Predicting) -> float | None:
        """The number that fits one entry; None if there is none."""
        raise NotImplementedError

    def fit_bounded(self, actual: Array, predicted: Predicting, c: float) -> Bounded | None:
        """The number that `fit` gave, with how far it may be off; None where that is not bounded."""
        raise NotImplementedError

    def evidence(self, actual: Array, decided: Array) -> int:
        """How many entries of a tensor show it, the one included to which it is fitted.

        Args:
            decided: the entries that are wrong, and in which the mistake and no mistake can be told apart.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Linear(Fitted):
    """``base + c · direction``, both of them rules.

    Attributes:
        meets: whether paths may meet behind the link.
    """

    base: Rule
    direction: Rule
    meets: bool = False

    def rule_with(self, c: Any) -> Rule:
        """As `Fitted.rule_with`."""
        return lambda t: self.base(t) + c * self.direction(t)

    def fit(self, actual: Array, predicted: Predicting) -> float | None:
        """As `Fitted.fit`."""
        base, direction = predicted(self.base), self._added(predicted)
        if not np.any(direction):
            return None
        entry = int(np.argmax(np.abs(direction)))
        with np.errstate(all="ignore"):
            c = float((actual.flat[entry] - base.flat[entry]) / direction.flat[entry])
        return c if np.isfinite(c) else None

    def fit_bounded(self, actual: Array, predicted: Predicting, c: float) -> Bounded | None:
        """As `Fitted.fit_bounded`."""
        base, direction = predicted(self.base), self._added(predicted)
        for _ in range(2):  # E is that of c; where a kink misled the search, c is another one after the first turn
            planted = predicted(self.rule_with(c))
            entry = sharpest(planted.bound, direction.value)
            told = Bounded(np.asarray(actual[entry], np.float64), np.asarray(planted.bound[entry]), base.context)
            number: Bounded = (told - base[entry]) / direction[entry]
            if not np.isfinite(number.bound):
                return None
            if number.holds(c):
                break
            c = float(number.value)
        return number

    def _added(self, predicted: Predicting) -> Any:
        """What the direction adds to the tensor that shows it."""
        whole = predicted(self.direction)
        return whole - predicted(lambda t: 0 * self.direction(t)) if self.meets else whole

    def evidence(self, actual: Array, decided: Array) -> int:  # noqa: ARG002
        """As `Fitted.evidence`."""
        return int(np.count_nonzero(decided))


@dataclass(frozen=True)
class Clipped(Fitted):
    """``min(max(g, −c), c)`` for what the rule ``whole`` gives."""

    whole: Rule

    def rule_with(self, c: Any) -> Rule:
        """As `Fitted.rule_with`."""
        return lambda t: np.minimum(np.maximum(self.whole(t), -c), c)

    def fit(self, actual: Array, predicted: Predicting) -> float | None:  # noqa: ARG002
        """As `Fitted.fit`."""
        c = float(np.abs(actual).max())
        return c if np.isfinite(c) and c > 0 else None

    def fit_bounded(self, actual: Array, predicted: Predicting, c: float) -> Bounded | None:  # noqa: ARG002
        """As `Fitted.fit_bounded`."""
        context = predicted(self.whole).context
        return Bounded(np.asarray(c), np.asarray(0.0), context)

    def evidence(self, actual: Array, decided: Array) -> int:
        """As `Fitted.evidence`."""
        c = float(np.abs(actual).max())
        entries = int(np.count_nonzero((np.abs(actual) == c) & decided))
        return max(entries, LEAST_ENTRIES) if entries and _short(c) == c else entries


@dataclass(frozen=True)
class Shortened(Fitted):
    """``g c / max(|g|, c)`` for what the rule ``whole`` gives."""

    whole: Rule

    def rule_with(self, c: Any) -> Rule:
        """As `Fitted.rule_with`."""

        def rule(t: Mapping[str, Any]) -> Any:
            g = self.whole(t)
            return g * (c / np.maximum(np.sqrt(np.square(g).sum()), c))

        return rule

    def fit(self, actual: Array, predicted: Predicting) -> float | None:  # noqa: ARG002
        """As `Fitted.fit`."""
        return short_length([actual])

    def fit_bounded(self, actual: Array, predicted: Predicting, c: float) -> Bounded | None:  # noqa: ARG002
        """As `Fitted.fit_bounded`."""
        return Bounded(np.asarray(c), np.asarray(0.0), predicted(self.whole).context)

    def evidence(self, actual: Array, decided: Array) -> int:  # noqa: ARG002
        """As `Fitted.evidence`."""
        return max(int(np.count_nonzero(decided)), LEAST_ENTRIES)


def _short(number: float) -> float:
    """The nearest number of few digits; that of float32, where it is one."""
    short = float(f"{number:.{DIGITS}g}")
    return float(np.float32(short)) if float(np.float32(number)) == number else short


def short_length(tensors: Sequence[Array], off: float = 0.0) -> float | None:
    """The length of tensors together, where it is, but for rounding, a number as short as people write it.

    Args:
        off: how far it may be off besides.
    """
    entries = np.concatenate([np.ravel(tensor) for tensor in tensors])
    with np.errstate(all="ignore"):
        length = float(np.sqrt(np.square(entries).sum()))
    if not np.isfinite(length) or not length:
        return None
    narrowest = sorted(DTYPES, key=lambda kind: FORMATS[kind].digits)
    kind = next(kind for kind in narrowest if np.all(rounded_to(entries, kind) == entries))
    short = float(f"{length:.{DIGITS}g}")
    roundings = np.sqrt(entries.size) + 8  # of the sum, as they usually add up, the root, the quotient, the product
    rounded = 2 * roundings * FORMATS[kind].u
    if rounded > TELLING:
        return None
    return short if abs(length - short) <= rounded * short + off else None


def sharpest(bound: Array, direction: Array) -> tuple[int, ...]:
    """Index of the entry that tells the number best: the bound of an entry over what the number does to it."""
    with np.errstate(all="ignore"):
        off = np.where(direction != 0, bound / np.abs(direction), np.inf)
    return tuple(int(i) for i in np.unravel_index(int(np.argmin(off)), off.shape))
