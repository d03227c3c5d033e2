"""Beyond the catalogue: the edits of a link's rule that give the numbers shown, for all entries or for the wrong ones.

Every edit at every suspect is held against the wrong tensor in plain floats, in all entries and in those alone that are
wrong; few come within rounding, and these are decided in bounded arithmetic (`confirmation`). An edit that is right for
the wrong entries alone is the mistake of a condition, a loop or a slice: the rest of the tensor was computed rightly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.diagnosis.confirmation import Confirmed
from harness.diagnosis.hypotheses import Hypothesis, Planted, evident, ranked, residual
from harness.diagnosis.parts import Part, chosen
from harness.diagnosis.screening import NEAR, Screen
from harness.evaluation.incremental import in_floats
from harness.faults import Fault, Fitted
from harness.faults.cause import Cause
from harness.faults.edits import EditFault, Numbered
from harness.faults.fault import Read
from harness.faults.precision import WIDE
from impls.contract import Array, is_real
from impls.graph import Rule, evaluate

SAME = 1e-9
"""Two functions that differ by less of the largest entry, at a point of no special values, are one."""
MOST_ENTRIES = 200_000_000
"""Entries of links, about, that a search computes: a second or two."""
AT_LEAST = 5_000
"""What an edit costs however small it is, in entries."""
OF_A_PAIR = 1_000
"""What a pair of edits costs."""
MOST_REPLAYED = 20_000
"""Numbers in a network's tensors for which a whole pass is worth a try with each edit."""
MOST_TOGETHER = 4
MOST_DECIDED = 16
"""Hypotheses, best first, that are worth a try in bounded arithmetic."""


@dataclass
class Work:
    """What the search may still compute.

    Attributes:
        left: entries of links, about.
        missed: edits that were not tried any more.
    """

    left: int = MOST_ENTRIES
    missed: int = 0

    def allows(self, fault: Fault, now: Planted) -> bool:
        """Whether a fault is to be tried; it is paid for then."""
        if self.left <= 0:
            self.missed += 1
            return False
        self.left -= AT_LEAST + int(np.size(now.floats.expected[fault.at]))
        return True

    def allows_pair(self) -> bool:
        """Whether another pair of edits is to be tried; it is paid for then."""
        if self.left <= 0:
            self.missed += 1
            return False
        self.left -= OF_A_PAIR
        return True


def near(
    faults: Iterable[Fault], tensor: str, now: Planted, parts: Mapping[str, Sequence[Part]], work: Work
) -> list[Hypothesis]:
    """The faults that come near the numbers, in all entries or in a part; the best first.

    Args:
        faults: edits, which are tried in all entries too, and others.
        parts: of what each link gives, those that may be wrong alone.
    """
    found, screens, links = list[Hypothesis](), dict[str, Screen](), now.point.network.link
    with np.errstate(all="ignore"):
        for fault in faults:
            plain = not isinstance(fault, Fitted | Read) and fault.cause not in WIDE
            if plain and work.allows(fault, now):
                screen = screens.setdefault(fault.at, Screen(links[fault.at], tensor, now))
                found += _near(fault, tensor, now, parts.get(fault.at, ()), screen)
    return _best(found, now)


def fitted(faults: Iterable[Fault], tensor: str, now: Planted, work: Work) -> list[Hypothesis]:
    """The edits with a number of their own that come near the numbers; the best first."""
    with np.errstate(all="ignore"):
        free = [
            fault
            for fault in faults
            if isinstance(fault, Numbered) and work.allows(fault, now) and _is_linear(fault, now)
        ]
        return _best([h for h in ranked(free, tensor, now.shown[tensor], now.floats) if h.residual <= NEAR], now)


def _best(found: Iterable[Hypothesis], now: Planted) -> list[Hypothesis]:
    best = sorted(found, key=lambda h: h.residual)[:MOST_DECIDED]
    return [h for h in best if _is_bounded(h.fault.rule, now)]


def _is_linear(fault: Numbered, now: Planted) -> bool:
    try:
        return fault.linear(now.floats.tensors)
    except Exception:
        return False


def _near(fault: Fault, tensor: str, now: Planted, parts: Sequence[Part], screen: Screen) -> Iterator[Hypothesis]:
    actual, floats = now.shown[tensor], now.floats
    right = floats.expected[fault.at]
    value = _value(fault.rule, floats.tensors, np.shape(right))
    if value is None:
        return
    link = now.rules_in_floats.get(fault.at, now.point.network.link[fault.at])
    candidates: list[tuple[Fault, Array]] = [(fault, value)] if isinstance(fault, EditFault) else []
    for part in parts:
        planted = replace(part.of(fault), rule=part.rule(fault.rule, link))
        candidates.append((planted, chosen(part.mask, value, right)))
    size = float(np.abs(actual).max())
    for planted, given in candidates:
        if not screen.passes(given):
            continue
        predicted = floats.predicted(fault.at, partial(_given, given), [tensor]).get(tensor)
        off = np.inf if predicted is None else residual(actual, predicted, size)
        if off <= NEAR:
            yield Hypothesis(planted, fault, off)


def _given(value: Array, _: Mapping[str, Any]) -> Array:
    return value


def _value(rule: Rule, tensors: Mapping[str, Any], shape: tuple[int, ...]) -> Array | None:
    """What an edited rule gives; None where that is no tensor of the right shape."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(rule(tensors), np.float64)
    except Exception:  # an edit may do anything: an axis too many, shapes that do not fit
        return None
    return value if value.shape == shape else None


def _is_bounded(rule: Rule, now: Planted) -> bool:
    """Whether an edited rule runs on bounded arrays: what it calls may have no rule there."""
    try:
        with np.errstate(all="ignore"):
            return isinstance(rule(now.bounds.tensors), Bounded)
    except Exception:
        return False


def everywhere(
    edits: Sequence[Sequence[Fault]], tensor: str, now: Planted, wrong: Sequence[str]
) -> tuple[list[EditFault], Planted, frozenset[str]] | None:
    """The same edit at several links at once, of which none explains the tensor alone, with what it explains.

    Args:
        edits: of each of the links.
    """
    written = [{e.written: e for e in some if isinstance(e, EditFault) and e.written} for some in edits]
    actual = now.shown[tensor]
    size, found = float(np.abs(actual).max()), []
    for text in written[0] if sum(np.size(t) for t in now.floats.tensors.values()) <= MOST_REPLAYED else ():
        together = [some[text] for some in written if text in some]
        with np.errstate(all="ignore"):
            try:
                expected = now.plus_all({e.at: e.rule for e in together}).floats.expected
            except Exception:
                continue
            off = residual(actual, expected[tensor], size) if expected[tensor].shape == actual.shape else np.inf
        if off <= NEAR:
            found.append((off, together))
    for _, together in sorted(found, key=lambda each: each[0])[:MOST_TOGETHER]:
        planted = now.plus_all({e.at: e.rule for e in together})
        try:
            bounds = planted.bounds
        except Exception:
            continue
        expected, rest = bounds.expected[tensor], [name for name in now.shown if not now.wrong(name)]
        outside, decided = evident(actual, now.bounds.expected[tensor], expected)
        evidence = 2 * np.count_nonzero(decided) > np.count_nonzero(outside)
        if evidence and expected.holds(actual) and not any(planted.wrong(name) for name in rest):
            return together, planted, frozenset(name for name in wrong if not planted.wrong(name))
    return None


def shortest(best: Sequence[Confirmed], now: Planted) -> list[Confirmed]:
    """Of what gives the same numbers: edits for all entries before those for a part, the shortest first.

    Of several that are one function, written otherwise, the shortest: they agree at another point too.
    """
    whole = [c for c in best if isinstance(c.hypothesis.origin, Fitted) or c.hypothesis.fault is c.hypothesis.origin]
    whole = whole or list(best)
    tensors = _elsewhere(now)
    found: list[tuple[Confirmed, Array | None]] = []
    links = now.point.network.link
    for c in sorted(whole, key=lambda c: (links[c.cause.at].of is None, len(c.cause.formula))):
        value = _value(c.hypothesis.fault.rule, tensors, np.shape(tensors[c.cause.at]))
        if not any(c.cause.at == other.cause.at and _same(value, there) for other, there in found):
            found.append((c, value))
    return [c for c, _ in found]


def at_their_source(found: Sequence[Confirmed], now: Planted) -> Iterator[Cause]:
    """What gives the same numbers one link before: the tensor that an edit takes another one for may be that itself.

    So it is where no other link reads that tensor whose numbers are shown.
    """
    network = now.point.network
    for c in found:
        fault = c.hypothesis.origin
        if not isinstance(fault, EditFault | Numbered) or not fault.right:
            continue
        for name in network.link[c.cause.at].inputs:
            if name not in network.link or name in now.shown or network.link[name].of is not None:
                continue
            others = [r.output for r in network.readers[name] if r.output != fault.at and now.reach.of(r.output)]
            parts = re.split(rf"(?<![\w.]){re.escape(name)}\b", fault.right)
            match = re.fullmatch("(.+)".join(map(re.escape, parts)), c.cause.formula) if len(parts) > 1 else None
            if match and not others and len(set(match.groups())) == 1:
                taken = match.group(1)
                yield replace(c.cause, at=name, says=f"{name} itself is {taken}, which gives the same", formula=taken)


def _elsewhere(now: Planted) -> Mapping[str, Any]:
    """The tensors of the network at other weights and with other numbers in the batch."""
    point, rng = now.point, np.random.default_rng(0)
    tensors = {
        name: array if not is_real(np.asarray(array)) else array * rng.uniform(0.7, 0.95, np.shape(array))
        for name, array in in_floats(point, now.reach, {}, {}).tensors.items()
        if name not in now.point.network.link
    }
    with np.errstate(all="ignore"):
        return evaluate(point.network.links, tensors)


def _same(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None:
        return one is other
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(one - other) <= SAME * np.abs(one).max()))
