"""Judging a rule on a tensor: what it lets pass, what it rejects, and what would do better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from harness.formats import rounded_to
from harness.results.tolerance_check import Row, Safe, Sizes, Tried
from harness.tolerances import mistakes
from harness.tolerances.rules import Pair, Rule
from harness.tolerances.safe_pair import SafePair, safe_pair
from harness.tolerances.subject import Floats, Subject

Accepts = Callable[[Floats], bool]


def judged(rule: Rule, subject: Subject, where: tuple[str, int] | None = None) -> Row:
    """A rule on one tensor.

    Raises:
        UsageError: the rule needs what the subject does not have.
    """
    safe = safe_pair(to_dtype(subject))
    by = {"rule": lambda a: rule.accepts(a, subject), "entries": subject.holds}
    pair = safe and Pair(safe.atol, safe.rtol)
    by_pair: Accepts | None = (lambda a: pair.accepts(a, subject)) if pair else None
    right = {name: actual for name, actual in subject.programs.items() if subject.holds(actual)}
    short, shortest = _short(rule.granted(subject), subject)
    bounded = subject.allowed[np.isfinite(subject.allowed)]
    spread = (float(bounded.min()), float(np.median(bounded)), float(bounded.max())) if bounded.size else None
    return Row(
        rule=rule.says, where=where, tensor=subject.name, shape=subject.expected.shape, dtype=subject.dtype,
        source=subject.source, allowed=spread, unbounded=subject.allowed.size - bounded.size,
        mistakes=tuple(_tried(subject, by["rule"], by_pair)),
        sizes=_sizes(subject, by["rule"]), sizes_of_entries=_sizes(subject, by["entries"]),
        sizes_of_pair=_sizes(subject, by_pair) if by_pair else None,
        short=short, shortest=shortest, reaches=short is None and _reaches(subject, by["rule"]),
        programs=tuple(right), rejected=tuple(name for name, actual in right.items() if not by["rule"](actual)),
        safe=_priced(safe), given=None if subject.given is None else by["rule"](subject.given),
    )  # fmt: skip


def to_dtype(subject: Subject) -> Subject:
    """With what is expected rounded to the dtype, as somebody's test compares it, and so much more allowed."""
    rounded = rounded_to(subject.expected, subject.dtype)
    rounded = np.where(np.isfinite(rounded), rounded, subject.expected)
    return replace(subject, expected=rounded, allowed=subject.allowed + np.abs(rounded - subject.expected))


def _priced(safe: SafePair | None) -> Safe | None:
    return safe and Safe(atol=safe.atol, rtol=safe.rtol, price=safe.price, most=safe.most)


def _tried(subject: Subject, rule: Accepts, pair: Accepts | None) -> Iterator[Tried]:
    """Every mistake; one that changes nothing is none."""
    e = subject.expected
    known = {name: partial(change, e) for name, change in mistakes.OF_WHOLE.items()} | dict(subject.mistakes)
    whole = chain(((name, make()) for name, make in known.items()), mistakes.of_part(e))
    for name, changed in whole:
        if not np.array_equal(changed, e):
            yield _counted(name, [changed], subject, rule, pair)
    places = mistakes.entries_of(e)
    for name, factor in mistakes.OF_ENTRY.items() if places else ():
        changes = (mistakes.with_entry(e, place, factor) for place in places)  # one at a time, as each is a copy
        yield _counted(f"one entry: {name}", changes, subject, rule, pair)


def _counted(name: str, changes: Iterable[Floats], subject: Subject, rule: Accepts, pair: Accepts | None) -> Tried:
    found = [(rule(each), subject.holds(each), pair is not None and pair(each)) for each in changes]
    return Tried(
        mistake=name, of=len(found), rule=sum(passes for passes, _, _ in found),
        entries=sum(within for _, within, _ in found),
        pair=None if pair is None else sum(passes for _, _, passes in found),
        unseen=sum(passes and not within for passes, within, _ in found),
    )  # fmt: skip


def _sizes(subject: Subject, accepts: Accepts) -> Sizes:
    e = subject.expected
    larger = mistakes.largest_passing(lambda x: accepts(e * (1 + x)))
    smaller = mistakes.largest_passing(lambda x: accepts(e * (1 - x)))
    return Sizes(
        larger=larger if np.isfinite(larger) else None, smaller=smaller if np.isfinite(smaller) else None
    )  # fmt: skip


def _short(granted: Floats | None, subject: Subject) -> tuple[int | None, tuple[float | None, tuple[int, ...]] | None]:
    """How many entries are allowed more than is granted, and the worst of them."""
    if granted is None:
        return None, None
    lacking = np.isfinite(subject.allowed) & ~(subject.allowed <= granted)
    if not lacking.any():
        return 0, None
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(lacking, subject.allowed / granted, 0.0)
    place = tuple(int(i) for i in np.unravel_index(times.argmax(), times.shape))
    worst = float(times[place])
    return int(lacking.sum()), (worst if np.isfinite(worst) else None, place)


def _reaches(subject: Subject, accepts: Accepts) -> bool:
    """Whether what is off by all that is allowed is rejected: outwards, inwards, or by turns."""
    allowed = np.where(np.isfinite(subject.allowed), subject.allowed, 0.0)
    signs = np.where(subject.expected < 0, -1.0, 1.0)
    turns = np.where(np.arange(allowed.size).reshape(allowed.shape) % 2, -1.0, 1.0)
    return not all(accepts(subject.expected + sign * allowed) for sign in (signs, -signs, turns))
