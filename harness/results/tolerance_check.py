"""What a tolerance lets pass and what it rejects, tensor by tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from msgspec import to_builtins

from harness.results.printable import Printable
from harness.results.verdicts import Judged, Outcome

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One mistake, held against the rule, against the allowance of each entry, and against the pair that is safe.

    Attributes:
        of: at how many places it was tried; 1 for a mistake of the whole.
        rule, entries, pair: at how many of these it passes; `pair` is None where no pair is safe.
        unseen: at how many it passes the rule, though the allowance of the entries catches it.
    """

    mistake: str
    of: int
    rule: int
    entries: int
    pair: int | None
    unseen: int


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The largest relative error of a whole tensor that passes, upwards and downwards; None where every one does."""

    larger: float | None
    smaller: float | None


@dataclass(frozen=True, kw_only=True)
class Safe:
    """The pair that is safe.

    Attributes:
        price, most: how many times more than needed it grants an entry: the median, and the largest.
    """

    atol: float
    rtol: float
    price: float
    most: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A rule on one tensor.

    Attributes:
        rule: with its numbers.
        where: file and line, where the rule stands in a file.
        source: where the allowance comes from.
        allowed: smallest, median and largest, of what is bounded.
        unbounded: entries at which nothing is.
        mistakes: every one that was tried.
        sizes, sizes_of_entries, sizes_of_pair: by the rule, by the allowance of each entry, by the pair that is safe.
        short: entries that are allowed more than the rule grants; None of a rule of the whole tensor.
        shortest: by how many times, at the worst of them; and its index, from 0.
        reaches: whether the rule rejects a tensor that is off everywhere by what is allowed.
        programs: right programs that were tried.
        rejected: those of them that it rejects.
        given: whether it accepts the tensor that was shown beside the expected one; None where none was.
    """

    rule: str
    where: tuple[str, int] | None
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    source: str
    allowed: tuple[float, float, float] | None
    unbounded: int
    mistakes: tuple[Tried, ...]
    sizes: Sizes
    sizes_of_entries: Sizes
    sizes_of_pair: Sizes | None
    short: int | None
    shortest: tuple[float | None, tuple[int, ...]] | None
    reaches: bool
    programs: tuple[str, ...]
    rejected: tuple[str, ...]
    safe: Safe | None
    given: bool | None = None

    @property
    def entries(self) -> int:
        """Of the tensor."""
        return math.prod(self.shape)

    @property
    def passed(self) -> list[str]:
        """Mistakes that pass, somewhere at least, though the allowance catches them there."""
        return [tried.mistake for tried in self.mistakes if tried.unseen]

    @property
    def rejects(self) -> bool:
        """Whether a right program is rejected, or may be."""
        return bool(self.rejected or self.short or self.reaches)

    @property
    def sees(self) -> bool:
        """Whether a mistake is more than what is allowed anywhere, so that it can be seen at all."""
        return any(tried.entries < tried.of for tried in self.mistakes)

    @property
    def verdict(self) -> str:
        """What is wrong with it, in words; otherwise ok, or no power where no mistake can be seen."""
        wrong = ["lets mistakes pass"] * bool(self.passed)
        wrong += ["rejects right runs"] if self.rejected else ["may reject right runs"] * self.rejects
        return ", ".join(wrong) or ("ok" if self.sees else "no power")


@dataclass(frozen=True, kw_only=True)
class ToleranceCheck(Judged, Printable, text="harness.rendering.tolerance_screen:render"):
    """Rules on the tensors of one subject.

    Attributes:
        on: what they were tried on.
        rows: every rule on every tensor.
        unread: of a file, what could not be read of its tolerances, with the line.
        written: where the allowances were written to.
        command: as it was typed, where one was.
    """

    on: str
    rows: tuple[Row, ...]
    unread: tuple[str, ...] = ()
    written: str | None = None
    command: str | None = None

    @cached_property
    def outcome(self) -> Outcome:
        """FAIL where a rule lets a mistake pass or may reject a right run.

        NO POWER where no mistake can be seen in any tensor; NOT COMPARED where there is no rule.
        """
        if not self.rows:
            return Outcome("NOT COMPARED", 3, "no tolerance could be read")
        wrong = [row for row in self.rows if row.passed or row.rejects]
        if not wrong and not any(row.sees for row in self.rows):
            return Outcome("NO POWER", 0, "no mistake is more than what is allowed, so that none can be seen")
        if not wrong:
            return Outcome("PASS", 0, "no mistake passes that can be seen, and no right run is rejected")
        passed, rejecting = [row for row in wrong if row.passed], [row for row in wrong if row.rejects]
        told = []
        if passed:
            row = max(passed, key=lambda row: len(row.passed))
            told.append(f"{row.rule} lets {len(row.passed)} of {len(row.mistakes)} mistakes in {row.tensor} pass")
        if rejecting:
            row = max(rejecting, key=lambda row: len(row.rejected))
            who = f"{row.rejected[0]}, which is right" if row.rejected else "runs that are right"
            told.append(f"{'it' if passed and passed[0].rule == row.rule else row.rule} "
                        f"{'rejects' if row.rejected else 'may reject'} {who} ({row.tensor})")  # fmt: skip
        return Outcome("FAIL", 1, "; ".join(told))

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness tolerance --json``."""
        return {
            "schema": SCHEMA,
            **self.told(),
            "on": self.on,
            "rows": [to_builtins(row) | {"verdict": row.verdict, "passed": row.passed} for row in self.rows],
            "unread": list(self.unread),
            "written": self.written,
        }
