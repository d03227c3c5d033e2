"""Confirmation: which hypotheses hold in bounded arithmetic, and what each of them explains.

A hypothesis is confirmed if, with the fault planted, the wrong tensor is right within its allowance, and no shown
tensor that was right has become wrong. It explains every wrong tensor that is then right.

An entry is evidence where the allowance with the fault is smaller than the error without it: at a kink that is open
either way, everything is allowed and nothing told. Most of the wrong entries must be evidence. Lower precision has wide
allowances, so it has evidence of its own (`harness.faults.precision`). A number in a fault is fitted to one entry
(`harness.faults.fault`), so it is evidence only from the third on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.arithmetic import Bounded
from harness.arithmetic.bounded import holds
from harness.diagnosis.hypotheses import Hypothesis, Planted, evident, in_full
from harness.evaluation.incremental import Replay
from harness.faults import Fault, Fitted
from harness.faults.cause import Cause
from harness.faults.fault import FAR_OFF, LEAST_ENTRIES, in_samples, number_text
from harness.faults.precision import DTYPES, WIDE, replayed
from impls.contract import Array
from impls.graph import Rule

MOST_CONFIRMED = 12
"""Hypotheses of one kind, best first, that are tried in bounded arithmetic, which is slow."""
MOST_REFUTED = 4
"""Refuted ones in a row after which the rest, which fits worse, is given up."""


@dataclass(frozen=True)
class Confirmed:
    """A hypothesis that reproduces the numbers.

    Attributes:
        explains: the wrong tensors that are right with it.
        rule: to be planted, to go on from there.
    """

    hypothesis: Hypothesis
    cause: Cause
    explains: frozenset[str]
    rule: Rule = field(repr=False)

    @property
    def rank(self) -> int:
        """0 for what leaves nothing free, 1 for what does, 2 where too few entries can tell the number in it."""
        too_few = self.cause.number is not None and self.cause.entries < LEAST_ENTRIES
        return 2 if too_few else min(self.hypothesis.tier, 1)


def confirmed(
    hypotheses: Sequence[Hypothesis],
    tensor: str,
    now: Planted,
    reach: Mapping[str, Collection[str]],
    wrong: Collection[str],
    *,
    numbers: bool = False,
) -> list[Confirmed]:
    """Those that hold in bounded arithmetic.

    Args:
        reach: the shown tensors that show each link.
        wrong: the tensors that are wrong without a fault planted.
        numbers: whether those with a number in them are wanted even if one without explains everything.
    """
    found: list[Confirmed] = []
    for tier in range(3):
        told = [c for c in found if c.rank == 0]
        complete = any(c.explains >= frozenset(wrong) for c in told) and not (numbers and tier == 1)
        if complete or (tier == 2 and told):
            break
        failed = 0
        for hypothesis in [h for h in hypotheses if h.tier == tier][:MOST_CONFIRMED]:
            outcome = _confirm(hypothesis, tensor, now, reach[hypothesis.fault.at], wrong)
            if outcome:
                found.append(outcome)
            failed = 0 if outcome else failed + 1
            if failed == MOST_REFUTED:
                break
    return found


def best_of(found: Sequence[Confirmed]) -> list[Confirmed]:
    """Of what was confirmed, what explains most, and of that the sharpest."""
    found = [c for c in found if c.rank < 2] or list(found)
    most = max((len(c.explains) for c in found), default=0)
    best = [c for c in found if len(c.explains) == most]
    sharpest = min((c.rank for c in best), default=0)
    return [c for c in best if c.rank == sharpest]


def _confirm(
    hypothesis: Hypothesis, tensor: str, now: Planted, reached: Collection[str], wrong: Collection[str]
) -> Confirmed | None:
    shown, bounds = now.shown, now.bounds
    as_planted = _planted(hypothesis, tensor, shown[tensor], bounds)
    if as_planted is None:
        return None
    fault, number = as_planted
    first = bounds.predicted(fault.at, fault.rule, [tensor])
    if not _reproduced(shown[tensor], bounds.expected[tensor], first[tensor]):
        return None
    wrong_here, decided = evident(shown[tensor], bounds.expected[tensor], first[tensor])
    narrow = DTYPES.get(fault.cause) if fault.at == tensor else None
    if narrow and not holds(shown[tensor][wrong_here], narrow):
        return None
    if fault.cause not in WIDE and 2 * np.count_nonzero(decided) <= np.count_nonzero(wrong_here):
        return None
    others = [name for name in reached if name != tensor]
    rest = bounds.predicted(fault.at, fault.rule, others) if others else {}
    right_then = {name: value.holds(shown[name]) for name, value in rest.items()}
    if not all(ok for name, ok in right_then.items() if name not in wrong):
        return None
    explains = frozenset([tensor, *(name for name, ok in right_then.items() if ok and name in wrong)])
    entries, origin = 0, hypothesis.origin
    if isinstance(origin, Fitted):
        predicted = {**first, **rest}
        for name in explains:
            _, telling = evident(shown[name], bounds.expected[name], predicted[name])
            entries += origin.evidence(shown[name], telling)
    cause = replace(hypothesis, fault=fault).as_cause(number, entries)
    says = cause.says + (f"; its wrong entries are exactly {narrow} numbers" if narrow else "")
    if number and (ratio := in_samples(*number, rows=bounds.rows)):
        says = says.replace(number_text(number[0]), f"{number_text(number[0])} = {ratio}")
    return Confirmed(hypothesis, replace(cause, says=says), explains, fault.rule)


def _planted(
    hypothesis: Hypothesis, tensor: str, actual: Array, bounds: Replay
) -> tuple[Fault, tuple[float, float] | None] | None:
    """The fault as bounded arithmetic is to plant it, with its number and how far that may be off; None if it may
    be anything.
    """
    origin, fault = hypothesis.origin, hypothesis.fault
    if isinstance(origin, Fitted):
        predicted = lambda rule: bounds.predicted(origin.at, rule, [tensor])[tensor]  # noqa: E731
        with np.errstate(all="ignore"):
            c = origin.fit_bounded(actual, predicted, hypothesis.number)
        return None if c is None else (origin.with_number(c), (float(c.value), float(c.bound)))
    if fault.cause in WIDE and fault.at != tensor:
        return replace(fault, rule=replayed(fault.rule)), None
    return fault, None


def runner_up(tried: Sequence[Hypothesis], causes: Sequence[Cause], tensor: str, now: Planted) -> Cause | None:
    """The best guess that is refuted, at a link where the mistake may be; None if it is far off."""
    actual, where = now.shown[tensor], now.outside(tensor)
    accepted, places = {(c.cause, c.at) for c in causes}, {c.at for c in causes}
    for guess in tried:
        known = (guess.fault.cause, guess.fault.at) in accepted or (places and guess.fault.at not in places)
        if guess.tier == 2 or known:
            continue
        full = in_full(guess, tensor, actual, now.floats, where)
        if not full.residual <= FAR_OFF:
            return None
        if _refuted(guess, tensor, actual, now.bounds):
            return full.as_cause()
    return None


def _refuted(hypothesis: Hypothesis, tensor: str, actual: Array, bounds: Replay) -> bool:
    """Whether a hypothesis is outside the allowance with its fault planted."""
    as_planted = _planted(hypothesis, tensor, actual, bounds)
    if as_planted is None:
        return False
    fault, _ = as_planted
    return not _reproduced(actual, bounds.expected[tensor], bounds.predicted(fault.at, fault.rule, [tensor])[tensor])


def _reproduced(actual: Array, expected: Bounded, predicted: Bounded) -> bool:
    """Whether the entries that are wrong are as predicted, and no entry is wrong then.

    Where nothing is bounded, nothing is reproduced.
    """
    return predicted.holds(actual) and bool(predicted.inside(actual)[expected.outside(actual)].all())
