"""Steps: every finished step of a run, of which memory holds a few.

Each is packed as it comes. What has gathered beyond `HELD` goes to a file without a name, and is read from there one
step at a time, so that a long run needs as much memory as a short one. Where there is no room for the file, memory
holds them all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO, overload
from weakref import finalize

import msgspec

from harness.results.record import Step

HELD = 2**18
"""Bytes of packed steps that memory holds; some fifty steps of a very small network."""


class Steps(Sequence[Step]):
    """A sequence of steps that grows at its end; a slice of it is a list."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._ends = array("q", [0])  # in bytes, of all steps one behind the other
        self._held: list[bytes] = []
        self._filed, self._most = 0, HELD
        self._file: IO[bytes] | None = None
        self._last: Step | None = None
        self._decoder = msgspec.msgpack.Decoder(Step)
        for step in steps:
            self.append(step)

    def append(self, step: Step) -> None:
        """Keep one more."""
        packed = msgspec.msgpack.encode(step)
        self._held.append(packed)
        self._ends.append(self._ends[-1] + len(packed))
        self._last = step
        if self._ends[-1] - self._ends[self._filed] > self._most:
            self._put_away()

    def _put_away(self) -> None:
        try:
            if self._file is None:
                # Unbuffered, so that what finds no room is not tried again when the file is closed.
                self._file = TemporaryFile(buffering=0)  # noqa: SIM115  (closed with the steps)
                finalize(self, self._file.close)
            self._file.seek(self._ends[self._filed])
            packed = b"".join(self._held)
            if self._file.write(packed) < len(packed):
                raise OSError("no space left on device")
        except OSError:
            self._most *= 2  # no room: tried again when as much again has come
        else:
            self._filed += len(self._held)
            self._held.clear()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[Step]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        which = range(len(self))[index]
        return self._at(which) if isinstance(which, int) else list(map(self._at, which))

    def _at(self, place: int) -> Step:
        if place == len(self) - 1 and self._last is not None:
            return self._last
        if place >= self._filed:
            return self._decoder.decode(self._held[place - self._filed])
        assert self._file is not None
        self._file.seek(self._ends[place])
        return self._decoder.decode(self._file.read(self._ends[place + 1] - self._ends[place]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(Step.__eq__, self, other))

    def __reduce__(self) -> tuple[type[Steps], tuple[list[Step]]]:
        return Steps, (list(self),)  # a file does not travel

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"<{len(self)} steps>"
