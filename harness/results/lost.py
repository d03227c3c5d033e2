"""What a damaged record lacks, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass

from harness.results.record import End

MOST_TOLD = 4


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What a damaged record lacks.

    Attributes:
        steps: by number.
        lines: which are damaged, each with what is wrong there, in words that follow "line 7".
        end: the last line, where it is whole.
        whole: number of the last line that is not damaged.
    """

    steps: tuple[int, ...]
    lines: tuple[tuple[int, str], ...]
    end: End | None
    whole: int

    def __str__(self) -> str:
        steps = f"step{'s' * (len(self.steps) > 1)} {_listed(self.steps)}" if self.steps else ""
        end = "its end" if self.end is None and self.lines and self.lines[-1][0] > self.whole else ""
        lacking = " and ".join(filter(None, [steps, end])) or "no step"
        first = "; ".join(f"line {number} {wrong}" for number, wrong in self.lines[:1])
        more = f", and so {_are(len(self.lines) - 1)}" if len(self.lines) > 1 else ""
        return ": ".join(filter(None, [lacking, f"{first}{more}"]))


def _listed(numbers: tuple[int, ...]) -> str:
    *some, last = [str(number) for number in numbers[:MOST_TOLD]]
    if len(numbers) > MOST_TOLD:
        return f"{', '.join([*some, last])} and {len(numbers) - MOST_TOLD} more"
    return f"{', '.join(some)} and {last}" if some else last


def _are(more: int) -> str:
    return f"is {more} more" if more == 1 else f"are {more} more"
