"""Hypotheses: every fault that may be why a tensor is wrong, ranked in plain floats, decided in bounded arithmetic.

A hypothesis is confirmed if, with the fault planted, the wrong tensor is right within its allowance, and no shown
tensor that was right has become wrong. It explains every wrong tensor that is then right.

An entry is evidence where the allowance with the fault is smaller than the error without it: at a kink that is open
either way, everything is allowed and nothing told. Most of the wrong entries must be evidence. Lower precision has wide
allowances, so it has evidence of its own (`harness.faults.precision`). A number in a fault is fitted to one entry
(`harness.faults.fitted`), so it is evidence only from the third on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.arithmetic.rounding import holds
from harness.diagnosis.diagnosis import Cause
from harness.evaluation.expected import right
from harness.evaluation.incremental import Replay
from harness.faults import Fault, Fitted
from harness.faults.fault import in_samples, number_text
from harness.faults.left_out import LeftOut
from harness.faults.precision import DTYPES, WIDE, replayed
from harness.inputs.stride import EVERY_ENTRY, Stride
from impls.contract import Array
from impls.graph import Rule

LEAST_ENTRIES = 3
"""A number is fitted to one entry; two agree by chance more easily than three."""
MOST_RANKED = 20_000
"""Entries of a tensor, about, against which every fault is held before the best are held against all."""
MOST_CONFIRMED = 12
"""Hypotheses of one kind, best first, that are tried in bounded arithmetic, which is slow."""
MOST_REFUTED = 4
"""Refuted ones in a row after which the rest, which fits worse, is given up."""


@dataclass(frozen=True)
class Hypothesis:
    """A fault held against the tensor that shows it, in plain floats.

    Attributes:
        fault: with its number, if it has one.
        origin: the fault as the catalogue has it.
        residual: see `harness.diagnosis.Cause`.
        number: the number, if it has one.
    """

    fault: Fault
    origin: Fault
    residual: float
    number: float = np.nan

    @property
    def tier(self) -> int:
        """0 nothing free in it, 1 a fitted number, 2 a wide allowance."""
        return 2 if self.origin.cause in WIDE else int(isinstance(self.origin, Fitted))

    def as_cause(self, number: tuple[float, float] | None = None, entries: int = 0) -> Cause:
        """For the report."""
        fault = self.fault
        return Cause(fault.cause, fault.at, fault.says, fault.formula, self.residual, number, entries)


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


def ranked(faults: Sequence[Fault], tensor: str, actual: Array, floats: Replay) -> list[Hypothesis]:
    """All hypotheses that reach a tensor with finite numbers, those that fit best first.

    Of a large tensor a sample of the entries is asked.
    """
    stride = stride_of(actual)
    part, size = floats.part(tensor, actual, stride), float(np.abs(actual).max())
    found = []
    for origin in faults:
        fault: Fault | None = origin
        if isinstance(origin, LeftOut):
            fault = _read(origin, tensor, actual, part, floats, stride)
        if fault is None:
            continue
        hypothesis = _against(fault, tensor, part, size, floats, stride)
        if hypothesis is not None and np.isfinite(hypothesis.residual):
            found.append(hypothesis if fault is origin else replace(hypothesis, origin=origin))
    return sorted(found, key=lambda h: h.residual)


def _read(fault: LeftOut, tensor: str, actual: Array, part: Array, floats: Replay, stride: Stride) -> Fault | None:
    """The mistake with what is left out, as the numbers show it."""

    def off(rule: Rule) -> float:
        return residual(part, floats.predicted(fault.at, rule, [tensor], stride)[tensor], 1.0)

    return fault.read(tensor, actual, floats.expected[tensor], off, floats.rows)


def stride_of(actual: Array) -> Stride:
    """The entries of a tensor against which every fault is held."""
    return Stride(max(1, actual.size // MOST_RANKED), 0)


def _against(
    fault: Fault, tensor: str, actual: Array, size: float, floats: Replay, stride: Stride = EVERY_ENTRY
) -> Hypothesis | None:
    def predicted(rule: Rule) -> Any:
        return floats.predicted(fault.at, rule, [tensor], stride).get(tensor)

    if not isinstance(fault, Fitted):
        return Hypothesis(fault, fault, residual(actual, predicted(fault.rule), size))
    c = fault.fit(actual, predicted)
    if c is None:
        return None
    with_it = fault.with_number(c)
    return Hypothesis(with_it, fault, residual(actual, predicted(with_it.rule), size), c)


def residual(actual: Array, predicted: Array, size: float) -> float:
    """Largest |actual − predicted|, relative to the largest |actual|, `size`; infinite where either is not finite."""
    with np.errstate(all="ignore"):
        off = float(np.max(np.abs(actual - predicted)))
    if off == 0:
        return 0.0
    return off / size if np.isfinite(off) and np.isfinite(size) and size else np.inf


def in_full(hypothesis: Hypothesis, tensor: str, actual: Array, floats: Replay, where: Array) -> Hypothesis:
    """The hypothesis with its residual in every entry of `where`, the ones that are wrong without it."""
    fault, size = hypothesis.fault, float(np.abs(actual).max())
    predicted = floats.predicted(fault.at, fault.rule, [tensor])[tensor]
    return replace(hypothesis, residual=residual(actual[where], predicted[where], size))


def confirmed(
    hypotheses: Sequence[Hypothesis],
    tensor: str,
    shown: Mapping[str, Array],
    bounds: Replay,
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
            outcome = _confirm(hypothesis, tensor, shown, bounds, reach[hypothesis.fault.at], wrong)
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
    hypothesis: Hypothesis,
    tensor: str,
    shown: Mapping[str, Array],
    bounds: Replay,
    reached: Collection[str],
    wrong: Collection[str],
) -> Confirmed | None:
    as_planted = _planted(hypothesis, tensor, shown[tensor], bounds)
    if as_planted is None:
        return None
    fault, number = as_planted
    first = bounds.predicted(fault.at, fault.rule, [tensor])
    if not _reproduced(shown[tensor], first[tensor]):
        return None
    wrong_here, decided = evident(shown[tensor], bounds.expected[tensor], first[tensor])
    narrow = DTYPES.get(fault.cause) if fault.at == tensor else None
    if narrow and not holds(shown[tensor][wrong_here], narrow):
        return None
    if fault.cause not in WIDE and 2 * np.count_nonzero(decided) <= np.count_nonzero(wrong_here):
        return None
    others = [name for name in reached if name != tensor]
    rest = bounds.predicted(fault.at, fault.rule, others) if others else {}
    right_then = {name: right(shown[name], value) for name, value in rest.items()}
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


def refuted(hypothesis: Hypothesis, tensor: str, actual: Array, bounds: Replay) -> bool:
    """Whether a hypothesis is outside the allowance with its fault planted."""
    as_planted = _planted(hypothesis, tensor, actual, bounds)
    if as_planted is None:
        return False
    fault, _ = as_planted
    return not _reproduced(actual, bounds.predicted(fault.at, fault.rule, [tensor])[tensor])


def evident(actual: Array, expected: Bounded, predicted: Bounded) -> tuple[Array, Array]:
    """The entries that are wrong, and those of them in which a fault and no fault can be told apart."""
    with np.errstate(invalid="ignore"):
        off = np.abs(np.asarray(actual, np.float64) - expected.value)
        outside = ~(off <= expected.bound)
        return outside, outside & (predicted.bound < off)


def _reproduced(actual: Array, predicted: Bounded) -> bool:
    """Whether every entry is within its allowance; where nothing is bounded, nothing is reproduced."""
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(np.asarray(actual, np.float64) - predicted.value) <= predicted.bound))
