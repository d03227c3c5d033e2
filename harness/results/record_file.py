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
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from zlib import crc32

import msgspec

from harness.results.record import End, Head, Step
from harness.usage import UsageError, reason, visible

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
