"""Run records: one JSON line for the head, one per step, one for the end, each written as it happens.

A run that is killed keeps every finished step: a last line without its newline is dropped on reading.
Numbers round-trip (shortest representation), and what is not a finite number is null.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from harness.results.record import SCHEMA, End, Head, Step, wrong_in_head, wrong_in_step
from harness.usage import UsageError, ordinary, reason, visible

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


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
            self._file.close()
            if not self.lines:
                self._absolute.unlink(missing_ok=True)
        except OSError as error:
            self.error = reason(error)

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
        if self.error is None:
            return None
        kept = f"holds the first {self.lines - 1} of {steps} steps and can be read" if self.lines else "is removed"
        return visible(
            f"Cannot keep the whole run in {self.path}, because {self.error}; the file {kept}; make room and run again."
        )

    def _append(self, line: Head | Step | End) -> None:
        text = msgspec.json.encode(line) + b"\n"
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


def read_lines(path: Path) -> tuple[Head, list[Step], End | None]:
    """The lines of a record; End is None for a run that was cut off.

    Raises:
        UsageError: the file cannot be read, is no run record, says what cannot be or has a newer schema.
    """
    try:
        text = ordinary(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {path}, because {reason(error)}; give a run record.") from None
    whole = text[: text.rfind(b"\n") + 1].splitlines()
    if not whole:
        raise UsageError(f"Cannot read {path}, because it holds no whole line; give a run record.")
    decoder: msgspec.json.Decoder[Head | Step | End] = msgspec.json.Decoder(Head | Step | End)
    lines: list[Any] = []
    for number, line in enumerate(whole, 1):
        try:
            lines.append(decoder.decode(line))
        except _UNDECODABLE as error:
            _refuse_newer(path, line)
            raise UsageError(
                f"Cannot read {path}, because line {number} is not part of a run record ({error}); give a "
                f"file that `harness run --output` wrote."
            ) from None
    head, rest = lines[0], lines[1:]
    end = rest.pop() if rest and isinstance(rest[-1], End) else None
    steps = [line.step if isinstance(line, Step) else None for line in rest]
    if not isinstance(head, Head) or steps != list(range(1, len(rest) + 1)):
        raise UsageError(
            f"Cannot read {path}, because its lines are not a head, steps from 1 on and an end in this order; "
            f"give a file that `harness run --output` wrote."
        )
    if head.schema > SCHEMA:
        _refuse_newer(path, whole[0])
    wrongs = chain([wrong_in_head(head)], (wrong_in_step(head, line) for line in rest))
    for number, wrong in enumerate(wrongs, 1):
        if wrong:
            raise UsageError(
                f"Cannot read {path}, because line {number} {wrong}; give a file that `harness run --output` wrote."
            )
    return head, rest, end


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
