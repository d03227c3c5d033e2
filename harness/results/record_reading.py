"""Reading a record: line by line, what is damaged left out and told.

Nothing can be read without the head. A later line that is damaged, because its checksum or what it says is impossible,
is left out: the steps that it held are lost, and the rest is read. Lines that are whole and do not belong together are
no record of one run, and are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.results.record import SCHEMA, End, Head, Step, wrong_in_head, wrong_in_step
from harness.results.record_file import intact
from harness.results.steps import Steps
from harness.usage import UsageError, ordinary, reason

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
CHANGED = "is damaged: its checksum is another"
UNCHECKED = "holds no checksums, as an older version wrote it: a changed digit would not be noticed"
GIVE = "give a file that `harness run --output` wrote"
DISORDER = "its lines are not a head, steps from 1 on and an end in this order"
MOST_TOLD = 4
MOST_MISSING = 100_000
"""Lines in a row that may have been taken out of a record."""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What a damaged record lacks.

    Attributes:
        steps: by number.
        lines: which are damaged, each with what is wrong there, in words that follow "line 7".
        end: the last line, where it is whole.
    """

    steps: tuple[int, ...]
    lines: tuple[tuple[int, str], ...]
    end: End | None

    def __str__(self) -> str:
        steps = f"step{'s' * (len(self.steps) > 1)} {_listed(self.steps)}" if self.steps else ""
        first = "; ".join(f"line {number} {wrong}" for number, wrong in self.lines[:1])
        more = f", and so {_are(len(self.lines) - 1)}" if len(self.lines) > 1 else ""
        return ": ".join(filter(None, [steps or "its end", f"{first}{more}"]))


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A record as it was read; `lost` is None where no line is damaged, `unchecked` says what cannot be told."""

    head: Head
    steps: Steps
    end: End | None
    lost: Lost | None
    unchecked: str | None


def read_lines(path: Path, strange: Callable[[Head], Callable[[Step], str | None]]) -> Lines:
    """The lines of a record; no end for a run that was cut off.

    Args:
        strange: from the head to what finds in a step what this head does not allow, in words that follow "line 7".

    Raises:
        UsageError: the file cannot be read, is no run record, says what cannot be or has a newer schema.
    """
    lines = enumerate(_whole(path), 1)
    _, first = next(lines, (0, b""))
    if not first:
        raise UsageError(f"Cannot read {path}, because it holds no whole line; give a run record.")
    head = _head(path, first)
    wrong_in = strange(head)
    decoder: msgspec.json.Decoder[Head | Step | End] = msgspec.json.Decoder(Head | Step | End)
    checked = intact(first) is not None
    steps, missing, damaged, end = Steps(), list[int](), list[tuple[int, str]](), None
    for number, line in lines:
        try:
            part, wrong = decoder.decode(line), None
        except _UNDECODABLE as error:
            part, wrong = None, f"is not part of a run record ({error})"
        if isinstance(part, Step):
            wrong = wrong_in_step(head, part) or wrong_in(part)
            if part.step > number + MOST_MISSING:
                wrong = wrong or f"is step {part.step}"
        if wrong is None and checked and not intact(line):
            wrong = CHANGED
        if wrong is not None:
            damaged.append((number, wrong))
        elif isinstance(part, Head) or end is not None or (isinstance(part, Step) and part.step <= len(steps)):
            raise UsageError(f"Cannot read {path}, because {DISORDER}; {GIVE}.")
        elif isinstance(part, Step):
            missing += _fill(steps, part.step - 1)
            steps.append(part)
        elif isinstance(part, End):
            end = part
    if end is not None:
        missing += _fill(steps, min(end.steps, head.steps, len(steps) + MOST_MISSING))
    if damaged and len(missing) == len(steps):
        number, wrong = damaged[0]
        raise UsageError(f"Cannot read {path}, because line {number} {wrong}, and no step is left; {GIVE}.")
    lost = Lost(steps=tuple(missing), lines=tuple(damaged), end=end) if damaged or missing else None
    return Lines(head=head, steps=steps, end=end, lost=lost, unchecked=None if checked else UNCHECKED)


def _whole(path: Path) -> Iterator[bytes]:
    """The lines that have an end, one at a time."""
    try:
        with ordinary(path).open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line.rstrip(b"\r\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {path}, because {reason(error)}; give a run record.") from None


def _head(path: Path, line: bytes) -> Head:
    try:
        head = msgspec.json.decode(line, type=Head | Step | End)
    except _UNDECODABLE as error:
        _refuse_newer(path, line)
        wrong = CHANGED if intact(line) is False else f"is not part of a run record ({error})"
        raise UsageError(f"Cannot read {path}, because line 1 {wrong}; {GIVE}.") from None
    if not isinstance(head, Head):
        raise UsageError(f"Cannot read {path}, because {DISORDER}; {GIVE}.")
    if head.schema > SCHEMA:
        _refuse_newer(path, line)
    if said := wrong_in_head(head) or (CHANGED if intact(line) is False else None):
        raise UsageError(f"Cannot read {path}, because line 1 {said}; {GIVE}.")
    return head


def _fill(steps: Steps, upto: int) -> list[int]:
    """Put an empty step in the place of every one that is missing up to a number; their numbers."""
    missing = list(range(len(steps) + 1, upto + 1))
    for number in missing:
        steps.append(Step(step=number, digest="", checked="none", losses={}, rows=[], findings=[]))
    return missing


def _refuse_newer(path: Path, line: bytes) -> None:
    try:
        schema = msgspec.json.decode(line).get("schema", 0)
    except (*_UNDECODABLE, AttributeError):
        return
    if isinstance(schema, int) and schema > SCHEMA:
        raise UsageError(
            f"Cannot read {path}, because its schema is {schema} and this version knows schema {SCHEMA}; "
            f"install a newer backprop-harness."
        )


def _listed(numbers: tuple[int, ...]) -> str:
    *some, last = [str(number) for number in numbers[:MOST_TOLD]]
    if len(numbers) > MOST_TOLD:
        return f"{', '.join([*some, last])} and {len(numbers) - MOST_TOLD} more"
    return f"{', '.join(some)} and {last}" if some else last


def _are(more: int) -> str:
    return f"is {more} more" if more == 1 else f"are {more} more"
