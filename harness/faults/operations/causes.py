"""Why a gradient is wrong: every fault is computed anew, and named only if it gives the numbers that came.

A cause must reproduce the gradient within the allowance in every case that is looked at, those in which the gradient is
right among them; and what is not linear in the upstream is explained by nothing that is. Faults stand in the
order in which they are believed: one that says more precisely what happened stands before one that covers it. Where
several give the same numbers in all of these cases they cannot be told apart, and all are listed. One that holds in all
cases of the first sizes and is refuted by others is named only where none holds everywhere, and says for which sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic import Bounded
from harness.arithmetic.threads import every_pool_on_one_thread
from harness.evaluation.references.expected import gradient_of
from harness.faults.catalogue import OF_OPERATIONS
from harness.faults.cause import Cause
from harness.faults.fault import FAR_OFF, number_text
from harness.faults.operations.explanation import Explanation
from harness.faults.operations.operation_fault import OperationFault, OperationFaults
from harness.faults.operations.situation import Situation
from impls.contract import Array

LOOKED_AT = 4
"""Cases of one size in which a fault must hold: the first in which the gradient is wrong."""
NEAREST = 8
"""Of the faults that do not hold, those that may be told as the next best guess."""
LISTED = 3
"""Sizes that a sentence lists."""
TURNED = -2.0
"""The upstream is multiplied by this to see what is linear in it: exact, and it turns signs."""


class _Tried(NamedTuple):
    fault: OperationFault
    family: OperationFaults
    expected: Bounded
    off: float
    holds: bool
    reproduces: bool
    """Whether every entry that is bounded is within its allowance, be it evidence or not."""
    only: str = ""
    """For which sizes, if not for all."""

    def as_cause(self, name: str) -> Cause:
        says = f"{self.fault.says}; {self.only}" if self.only else self.fault.says
        return Cause(self.fault.cause, gradient_of(name), says, "", self.off)


def cause_of(
    name: str, situations: Sequence[Situation], right: Sequence[Situation] = (), *, linear: bool = True
) -> Explanation:
    """Why one gradient is wrong in these cases: its causes, or what is known.

    Args:
        right: cases in which it is right.
        linear: False if it was seen not to be linear in the upstream.
    """
    with every_pool_on_one_thread():
        return _cause_of(name, situations, right, linear)


def _cause_of(name: str, situations: Sequence[Situation], right: Sequence[Situation], linear: bool) -> Explanation:
    wrong = _looked_at(situations)
    first = wrong[0]
    alike = [case for case in wrong if case.shapes == first.shapes]
    others = [case for case in (*wrong, *right) if case.shapes != first.shapes]
    explained: dict[str, _Tried] = {}
    tried: list[_Tried] = []
    for families in OF_OPERATIONS:
        tried += _tried(first, name, families)
        holding = {one.fault.says: one for one in tried if one.holds}
        for case in alike[1:]:
            holding = _holding(case, name, holding)
        for case in right:
            if case.shapes == first.shapes:
                holding = _uncontradicted(case, name, holding)
        if holding and not linear:
            holding = _not_linear(first, name, holding)
        refuted = dict[str, list[Situation]]()
        for case in others:
            kept = (_uncontradicted if any(case is each for each in right) else _holding)(case, name, holding)
            for says in holding.keys() - kept.keys():
                refuted.setdefault(says, []).append(case)
        explained = {says: one for says, one in holding.items() if says not in refuted}
        if any(one.fault.of == "numbers" for one in explained.values()):
            explained = {says: one for says, one in explained.items() if one.fault.of != "constant"}
        explained = explained or {
            says: one._replace(only=_sizes(first, wrong, refuted[says]))
            for says, one in holding.items()
            if one.fault.of != "size"
        }
        if explained:
            break
    # What gives these numbers in one case and is refuted by another is no guess, nor is what is no nearer than the
    # right gradient itself.
    actual, right_one = first.answered[name], first.expected[name]
    most = np.inf if actual is None else right_one.off(actual)
    guesses = [one for one in tried if not one.reproduces and one.off <= FAR_OFF and one.off < most]
    near = {one.fault.says: one for one in sorted(guesses, key=lambda one: one.off)[:NEAREST]}
    for case in right[:LOOKED_AT]:
        near = _uncontradicted(case, name, near)
    nearest = next(iter(near.values()), None)
    return Explanation(
        at=gradient_of(name),
        causes=tuple(one.as_cause(name) for one in _once(explained.values())),
        known="" if explained else patterns(first.answered[name], first.expected[name]),
        reproduced=(len(wrong) if all(not one.only for one in explained.values()) else len(alike)) if explained else 0,
        runner_up=None if nearest is None else nearest.as_cause(name),
    )


def _looked_at(situations: Sequence[Situation]) -> list[Situation]:
    """The first few cases of each size."""
    seen = Counter[Any]()
    found = []
    for case in situations:
        seen[case.shapes] += 1
        if seen[case.shapes] <= LOOKED_AT:
            found.append(case)
    return found


def _sizes(first: Situation, wrong: Sequence[Situation], refuting: Sequence[Situation]) -> str:
    """For which sizes a mistake is one, and for which it is none or another."""
    elsewhere = [case for case in wrong if not any(case.shapes == other.shapes for other in refuting)]
    return f"so where {_listed([first, *elsewhere])}, not where {_listed(refuting)}"


def _listed(cases: Sequence[Situation]) -> str:
    sizes = list(dict.fromkeys(map(_sized, cases)))
    more = f" or {len(sizes) - LISTED} more" if len(sizes) > LISTED else ""
    return " or ".join(sizes[:LISTED]) + more


def _sized(case: Situation) -> str:
    shapes = case.inputs.items()
    return ", ".join(f"{name} is {'×'.join(map(str, array.shape)) or 'one number'}" for name, array in shapes)


def _holding(case: Situation, name: str, holding: dict[str, _Tried]) -> dict[str, _Tried]:
    if not holding:
        return holding
    again = {one.fault.says for one in _tried(case, name, (), holding) if one.holds}
    return {says: one for says, one in holding.items() if says in again}


def _once(holding: Iterable[_Tried]) -> list[_Tried]:
    """One mistake, one name: where two families know a cause, the first of them tells it."""
    told: dict[str, OperationFaults] = {}
    return [one for one in holding if told.setdefault(one.fault.cause, one.family) is one.family]


def _tried(
    at: Situation, name: str, families: Sequence[OperationFaults], only: Mapping[str, _Tried] = MappingProxyType({})
) -> Iterator[_Tried]:
    """Every fault of these families, or the only ones, in one case."""
    actual = at.answered[name]
    if actual is None:
        return
    right = at.expected[name]
    for fault, family in _asked(at, name, families, only):
        try:
            with np.errstate(all="ignore"):
                if not fault.is_near(actual):
                    continue
                expected = fault.predict()
        except Exception:  # a reference may refuse what a mistake makes of its inputs; then it is no explanation
            continue
        if isinstance(expected, Bounded):
            explains = _explains(expected, actual, right, fault.of == "size")
            off, reproduces = expected.off(actual), expected.holds(actual)
            yield _Tried(fault, family, expected, off, explains, reproduces)


def _asked(
    at: Situation, name: str, families: Sequence[OperationFaults], only: Mapping[str, _Tried]
) -> Iterator[tuple[OperationFault, OperationFaults]]:
    for one in only.values():
        if one.fault.again:
            predict = partial(one.fault.again, at)
            yield one.fault._replace(predict=predict, plain=None), one.family
    regenerated = {one.family: None for one in only.values() if not one.fault.again}
    for family in regenerated if only else families:
        for fault in family(at, name):
            if not only or fault.says in only:
                yield fault, family


def _explains(expected: Bounded, actual: Array, right: Bounded, by_size: bool) -> bool:
    """Whether it holds, and by allowances that are smaller than the errors: the largest one, and half of them all."""
    if not expected.holds(actual):
        return False
    if actual.shape != right.value.shape:
        return bool(expected.bounded.any())
    wrong = right.outside(actual)
    if by_size or not np.isfinite(actual[wrong]).all():
        return bool(np.any(expected.bounded & wrong))
    with np.errstate(invalid="ignore"):  # inf - inf where the function overflows
        error = np.where(wrong, np.abs(actual - right.value), 0.0)
    sharp = expected.bounded & (expected.bound < error)
    return bool(sharp.flat[error.argmax()]) and bool(2 * np.count_nonzero(sharp & wrong) >= np.count_nonzero(wrong))


def _uncontradicted(at: Situation, name: str, holding: dict[str, _Tried]) -> dict[str, _Tried]:
    """Those that give the right numbers too where the gradient is right; one that cannot be asked there stays."""
    if not holding:
        return holding
    here = {one.fault.says: one.expected for one in _tried(at, name, (), holding)}
    actual = at.answered[name]
    return {
        says: one
        for says, one in holding.items()
        if (here[says].holds(actual) if says in here and actual is not None else one.fault.of != "constant")
    }


def _not_linear(at: Situation, name: str, holding: dict[str, _Tried]) -> dict[str, _Tried]:
    """Those whose gradient for a multiple of the upstream is not that multiple."""
    there = {one.fault.says: one.expected for one in _tried(at.turned(TURNED), name, (), holding)}
    return {
        says: one
        for says, one in holding.items()
        if says in there and one.fault.of != "size" and not _agree(TURNED * one.expected, there[says])
    }


def _agree(one: Bounded, other: Bounded) -> bool:
    return one.widened(other.bound).holds(other.value)


def patterns(actual: Array | None, right: Bounded) -> str:
    """What is known of a gradient whose cause is not: where it is wrong, signs, the range of its ratio."""
    if actual is None or actual.shape != right.value.shape:
        return "no cause known gives this shape"
    wrong = right.outside(actual)
    told = [f"{int(wrong.sum())} of {wrong.size} entries are wrong"]
    for axis in range(actual.ndim if actual.ndim > 1 else 0):
        places = np.flatnonzero(wrong.any(axis=tuple(a for a in range(actual.ndim) if a != axis)))
        if len(places) < actual.shape[axis]:
            told.append(f"only at {', '.join(map(str, places[:8]))} of axis {axis}")
    size = Bounded(right.value, np.where(right.bounded, 0.0, np.inf), right.context).off(actual)
    if 0 < size < np.inf:
        told.append(f"off by at most {size:.1e} of the largest entry")
    with np.errstate(all="ignore"):
        ratio = (np.asarray(actual, np.float64) / right.value)[wrong]
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size:
        ends = dict.fromkeys(number_text(float(f"{end:.3g}")) for end in (ratio.min(), ratio.max()))
        if ends != {"1": None}:
            told.append(f"{' to '.join(ends)} times the right ones")
        if np.all(ratio < 0):
            told.append("all of the other sign")
    elif np.all(~np.isfinite(np.asarray(actual)[wrong])):
        told.append("they are not finite")
    return ", ".join(told)
