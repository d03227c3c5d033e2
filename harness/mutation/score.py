"""The score of somebody's own test: how many wrong versions of a function it catches."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from tabulate import tabulate

from harness.inputs.plain import as_called, refused, shown
from harness.mutation.process import Again, Begun, Done, Unmutated, events_of
from harness.usage import UsageError, visible

MOST_MUTANTS = 500
"""If there are more, so many are run, evenly over all lines."""
MOST_LISTED = 40

Fate = Literal["caught", "raised", "did not end", "survived", "same results", "equal", "not reached"]


@dataclass(frozen=True)
class Tried:
    """One mutant and what became of it.

    Attributes:
        fate: ``caught`` by the test; ``raised`` by itself, so that any call fails; ``did not end`` within its time;
            ``survived``; ``same results``: survived and gave, bit by bit, what the right function gives for everything
            that the test asks; ``equal``: survived and is the same function; ``not reached``: survived because the test
            never came to its line.
        how: what failed.
    """

    target: str
    operator: str
    file: str
    line: int
    before: str
    after: str
    fate: Fate
    how: str | None = None


@dataclass(frozen=True)
class Score:
    """How many mutants of its target a test catches.

    Attributes:
        test: as pytest names it.
        target: the function that was mutated; None for the hand code's backward rules.
        tried: every mutant that was run.
        uncalled: functions that the test does not call, of which there are no mutants.
        possible: how many mutants there are; more than were run if they were too many.
        reliable: whether the unmutated test still passed after all mutants.
        seconds: that the unmutated test takes.
    """

    test: str
    target: str | None
    tried: tuple[Tried, ...]
    uncalled: tuple[str, ...]
    possible: int
    reliable: bool
    seconds: float

    def of(self, *fates: Fate) -> list[Tried]:
        """The mutants that some of these became."""
        return [tried for tried in self.tried if tried.fate in fates]

    @property
    def caught(self) -> int:
        """How many were caught, whichever way."""
        return len(self.of("caught", "raised", "did not end"))

    @property
    def total(self) -> int:
        """How many can be caught: all but those that are the same function."""
        return len(self.tried) - len(self.of("equal"))

    @property
    def survivors(self) -> list[Tried]:
        """Those that the test does not tell from the right function."""
        return self.of("survived", "same results", "not reached")

    @property
    def verdict(self) -> str:
        """PASS where every mutant is caught, NO POWER otherwise."""
        return "PASS" if self.tried and not self.survivors and self.reliable else "NO POWER"

    @property
    def exit(self) -> int:
        """Always 0: survivors are told, and fail a command only where power is required."""
        return 0

    @property
    def reason(self) -> str:
        """The rest of the first line."""
        where = self.target or "the hand code's backward rules"
        if not self.tried:
            called = "never calls" if self.uncalled else "finds nothing to mutate in"
            return f"score 0: {self.test} {called} {where}, so it would pass whatever that gives"
        if not self.reliable:
            return (
                f"the score {self.caught} of {self.total} means nothing: without a mutant {self.test} now fails, so "
                f"something keeps what a mutant left behind"
            )
        if not self.survivors:
            return f"{self.test} catches all {self.total} mutants of {where}"
        left = len(self.survivors)
        told = f"{self.test} catches {self.caught} of {self.total} mutants of {where}"
        maybe = ", which may be the same function" if left == 1 else ", some of which may be the same function"
        reached = self.of("survived", "same results")
        return f"{told}; {left} {'survives' if left == 1 else 'survive'}{maybe if reached else ''}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness power --of ... --json``."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "test": self.test,
            "target": self.target,
            "caught": self.caught,
            "total": self.total,
            "possible": self.possible,
            "reliable": self.reliable,
            "seconds": self.seconds,
            "uncalled": list(self.uncalled),
            "mutants": [vars(tried) for tried in self.tried],
        }

    def __str__(self) -> str:
        parts = [f"{self.verdict}  {self.reason}"]
        if self.tried:
            parts.append(self._counts())
        for title, tried in (
            ("survivors: the test passes with", self.of("survived", "not reached")),
            ("survivors that give the same results on all that the test asks", self.of("same results")),
            ("equal: the same function, which no test can tell", self.of("equal")),
        ):
            if tried:
                parts.append(_listed(title, tried))
        parts.append("\n".join(self._notes()))
        return "\n\n".join(filter(None, parts))

    def _counts(self) -> str:
        kinds = dict.fromkeys(tried.operator for tried in self.tried)
        table = []
        for kind in [*kinds, "all"]:
            own = [tried for tried in self.tried if kind in (tried.operator, "all")]
            counts = [sum(tried.fate == fate for tried in own) for fate in ("caught", "raised", "did not end")]
            left = sum(tried.fate in ("survived", "same results", "not reached") for tried in own)
            table.append([kind, str(len(own)), *map(str, counts), str(left), str(sum(t.fate == "equal" for t in own))])
        headers = ("slip", "planted", "caught", "raised by itself", "did not end", "survived", "equal")
        return tabulate(table, headers, disable_numparse=True, colalign=("left", *["right"] * 6))

    def _notes(self) -> list[str]:
        notes = []
        if len(self.tried) < self.possible:
            notes.append(f"sample  {len(self.tried)} of {self.possible} mutants were run, evenly over all lines")
        if self.uncalled and self.tried:
            notes.append(f"not called  {len(self.uncalled)} rules that the test does not use have no mutants here")
        if not self.tried and self.uncalled:
            notes.append(f"next  call {self.target or 'a rule of impls.hand'} in the test, or name what it does call")
        elif self.survivors:
            told = self.of("survived", "not reached")
            first, how = (told or self.survivors)[0], "a test" if told else "a test, with other inputs,"
            notes.append(
                f"next  either write {how} that tells {first.after!r} at {_place(first)} from the right line, or see "
                f"that both are the same"
            )
        return notes


def score(
    test: str,
    target: str | None = None,
    *,
    timeout: float | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> Score:
    """Run a test against every mutant of a function and return its `Score`.

    Args:
        test: as pytest names it, ``tests/test_mine.py::test_gradient``; a file or class runs all of its tests.
        target: ``mypackage.module:backward``, ``module:Class.method`` or ``FILE.py:function``; the backward rules of
            `impls.hand` if None.
        timeout: seconds for each mutant; ten times what the test takes, at least five, if None.
        progress: called with the mutants done and planned.

    Raises:
        UsageError: the test or the target cannot be used, or the test does not pass without a mutant.
    """
    if timeout is not None and not (isinstance(timeout, int | float) and isfinite(timeout) and timeout > 0):
        raise refused("timeout", timeout, "it is a time", "give seconds above 0")
    if not isinstance(test, str) or not test.strip() or test.startswith("-"):
        raise UsageError(
            f"Cannot score {shown(test)}, because it names no test; give one as pytest names it, FILE::NAME."
        )
    progress = as_called("progress", progress, "the mutants done", "those planned")
    path = test.split("::")[0]
    if not Path(path).exists():
        raise UsageError(f"Cannot score {test}, because there is no file {path}; name a test as FILE::NAME.")
    events = events_of(test, target, timeout, MOST_MUTANTS, progress)
    unmutated = next(event for event in events if isinstance(event, Unmutated))
    begun = {event.number: event for event in events if isinstance(event, Begun)}
    done = {event.number: event for event in events if isinstance(event, Done)}
    tried = tuple(_tried(begun[number], done[number]) for number in sorted(begun))
    reliable = all(event.passed for event in events if isinstance(event, Again))
    return Score(test, target, tried, unmutated.uncalled, unmutated.possible, reliable, unmutated.seconds)


def _tried(begun: Begun, done: Done) -> Tried:
    fate: Fate = "survived"
    if done.caught:
        fate = "did not end" if done.how == "did not end" else "raised" if done.itself else "caught"
    elif begun.equal:
        fate = "equal"
    elif not done.ran:
        fate = "not reached"
    elif done.alike:
        fate = "same results"
    return Tried(begun.target, begun.operator, _near(begun.file), begun.line, begun.before, begun.after, fate, done.how)


def _near(file: str) -> str:
    """A path as seen from here, if it is below."""
    here = Path.cwd()
    return os.path.relpath(file, here) if here in Path(file).parents else file


def _place(tried: Tried) -> str:
    return visible(f"{tried.file}:{tried.line}")


def _listed(title: str, tried: list[Tried]) -> str:
    """The mutants one by one, with those at a line that the test never reaches counted together."""
    lines = []
    for each in (each for each in tried if each.fate != "not reached"):
        lines.append(f"  {_place(each)}  {visible(each.before)}  ->  {visible(each.after)}")
    more = len(lines) - MOST_LISTED
    lines[MOST_LISTED:] = [f"  and {more} more; --json has them all"] if more > 0 else []
    unreached = Counter((_place(each), each.before) for each in tried if each.fate == "not reached")
    for (place, before), count in unreached.items():
        lines.append(f"  {place}  {visible(before)}  ->  any of {count}: the test never comes to this line")
    return "\n".join([title, *lines])
