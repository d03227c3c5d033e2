"""Run records: one JSON line for the head, one per step, one for the end, each written as it happens.

A run that is killed keeps every finished step: a last line without its newline is dropped on reading.
Numbers round-trip (shortest representation), and what is not a finite number is null.

A line says behind its kind a checksum of the line as it is without it, ``"crc32":"0c1b2a39"``, in hexadecimal. CRC-32
tells every change within 32 bits that follow one another, so that of any one digit (Peterson and Brown, "Cyclic codes
for error detection", 1961).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from harness.results.record import SCHEMA, End, Head, Lost, Step, wrong_in_head, wrong_in_step
from harness.results.steps import Steps
from harness.usage import UsageError, ordinary, reason, visible

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
CHANGED = "is damaged: its checksum is another"
UNSUMMED = "is damaged: it has no checksum, and other lines have one"
UNCHECKED = "holds no checksums, as an older version wrote it: a changed digit would not be noticed"
GIVE = "give a file that `harness run --output` wrote"
DISORDER = "its lines are not a head, steps from 1 on and an end in this order"
MOST_MISSING = 100_000
"""Lines in a row that may have been taken out of a record."""

_SUM = re.compile(rb'^{"kind":"[a-z]+",("crc32":"([0-9a-f]{8})",)')


def line_of(part: Head | Step | End) -> bytes:
    """A line of a record, without its end."""
    text = msgspec.json.encode(part)
    place = text.index(b",") + 1  # behind the kind
    return b'%b"crc32":"%08x",%b' % (text[:place], crc32(text), text[place:])


def intact(line: bytes) -> bool | None:
    """Whether a line is as it was written; None where it has no checksum that could tell."""
    found = _SUM.search(line)
    return None if found is None else crc32(line[: found.start(1)] + line[found.end(1) :]) == int(found[2], 16)


class Writer:
    """The record of one run: a new file, one line after the other, each written at once.

    A file that exists is refused, so that no run is lost. A line that cannot be written (the disk is full
    or gone) does not end the run: what the file lacks is tried again with every later line. On leaving the
    ``with`` block the file is closed; one that holds nothing, because no run began, is removed.

    Attributes:
        path: as it was given.
        lines: number of whole lines in the file.
        error: why it lacks some, or None.
    """

    def __init__(self, path: str | Path) -> None:
        self.path, self.lines = os.fspath(path), 0
        self.error: str | None = None
        self._size = 0  # of the whole lines, in bytes
        try:
            # The file system creates or refuses in one step, so that of two processes one wins. Unbuffered:
            # what is not yet on its way to the disk is lost with the process.
            self._file = FileIO(self.path, "x")
        except (OSError, ValueError) as error:
            shown = self.path or "''"
            raise UsageError(f"Cannot write the run to {shown}, because {_why_not(self.path, error)}.") from None
        self._absolute = Path(self.path).absolute()  # an implementation may change the working directory

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            empty = not (self.lines or self.gone)
            self._file.close()
            if empty:
                self._absolute.unlink(missing_ok=True)
        except OSError as error:
            self.error = reason(error)

    @property
    def gone(self) -> bool:
        """Whether what was written is no longer where it was to be: somebody removed or replaced the file."""
        try:
            return not os.path.samestat(self._absolute.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return True

    def keep(self, head: Head, steps: Sequence[Step], end: End | None = None) -> None:
        """Write every line of the run that the file does not hold yet."""
        try:
            while self.lines <= len(steps):
                self._append(steps[self.lines - 1] if self.lines else head)
            if end is not None:
                self._append(end)
        except OSError as error:
            self.error = reason(error)
        else:
            self.error = None

    def complaint(self, steps: int) -> str | None:
        """What the file lacks of a run of so many steps, why, and what to do; None if nothing."""
        if self.gone:
            return visible(
                f"Cannot keep the run in {self.path}, because the file was removed or replaced while it went on; run "
                f"again, and leave the file where it is."
            )
        if self.error is None:
            return None
        kept = f"holds the first {self.lines - 1} of {steps} steps and can be read" if self.lines else "is removed"
        return visible(
            f"Cannot keep the whole run in {self.path}, because {self.error}; the file {kept}; make room and run again."
        )

    def _append(self, line: Head | Step | End) -> None:
        text = line_of(line) + b"\n"
        # An interrupt or a full disk may have left a part of a line: the whole one takes its place.
        self._file.truncate(self._size)
        self._file.seek(self._size)
        rest = memoryview(text)
        while rest:
            rest = rest[self._file.write(rest) :]
        end = self._size + len(text)
        self._size, self.lines = end, self.lines + 1  # no call in this line, so that no interrupt parts the two


def _why_not(path: str, error: Exception) -> str:
    folder = Path(path).parent
    if isinstance(error, FileExistsError) and not Path(path).is_dir():
        return "the file exists and would be lost; remove it or choose another name"
    if isinstance(error, FileExistsError | IsADirectoryError):
        return "it is a directory; name a file in it"
    if path and isinstance(error, FileNotFoundError) and not folder.exists():
        return f"the folder {folder} does not exist; create it or choose another"
    return f"{reason(error) if path else 'the path is empty'}; choose a path that can be written"


class Lines(NamedTuple):
    """A record as it was read; `lost` is None where no line is damaged, `unchecked` says what cannot be told."""

    head: Head
    steps: Steps
    end: End | None
    lost: Lost | None
    unchecked: str | None


def _nothing(_: Head) -> Callable[[Step], str | None]:
    return lambda _: None


def read_lines(path: Path, strange: Callable[[Head], Callable[[Step], str | None]] = _nothing) -> Lines:
    """The lines of a record, what is damaged left out; no end for a run that was cut off.

    Nothing can be read without the head. A later line whose checksum is another or missing, or that says what cannot
    be, is left out: the steps that it held are lost. Whole lines that do not belong together are no record of one run.

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
    steps, missing, damaged, end, whole = Steps(), list[int](), list[tuple[int, str]](), None, 1
    for number, line in lines:
        sound = intact(line)
        if sound is not None and not checked:
            raise UsageError(f"Cannot read {path}, because line 1 {UNSUMMED}; {GIVE}.")
        try:
            part, wrong = decoder.decode(line), None
        except _UNDECODABLE as error:
            part, wrong = None, f"is not part of a run record ({error})"
        if isinstance(part, Step):
            wrong = wrong_in_step(head, part) or wrong_in(part)
            if part.step > number + MOST_MISSING:
                wrong = wrong or f"is step {part.step}"
        if sound is False:
            wrong = CHANGED
        elif wrong is None and checked and not sound:
            wrong = UNSUMMED
        if wrong is not None:
            damaged.append((number, wrong))
            continue
        if isinstance(part, Head) or end is not None or (isinstance(part, Step) and part.step <= len(steps)):
            raise UsageError(f"Cannot read {path}, because {DISORDER}, from line {number} on; {GIVE}.")
        if isinstance(part, Step):
            missing += _fill(steps, part.step - 1)
            steps.append(part)
        elif isinstance(part, End):
            end = part
        whole = number
    if end is not None:
        missing += _fill(steps, min(end.steps, head.steps, len(steps) + MOST_MISSING))
    if damaged and len(missing) == len(steps):
        number, wrong = damaged[0]
        raise UsageError(f"Cannot read {path}, because line {number} {wrong}, and no step is left; {GIVE}.")
    lost = Lost(steps=tuple(missing), lines=tuple(damaged), end=end, whole=whole) if damaged or missing else None
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
    def refused(why: str) -> UsageError:
        return UsageError(f"Cannot read {path}, because {why}; {GIVE}.")

    if intact(line) is False:
        raise refused(f"line 1 {CHANGED}")
    try:
        head = msgspec.json.decode(line, type=Head | Step | End)
    except _UNDECODABLE as error:
        _refuse_newer(path, line)
        raise refused(f"line 1 is not part of a run record ({error})") from None
    if not isinstance(head, Head):
        raise refused(f"{DISORDER}, from line 1 on")
    if head.schema > SCHEMA:
        _refuse_newer(path, line)
    if said := wrong_in_head(head):
        raise refused(f"line 1 {said}")
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
