"""The folder of a sweep: a record for each finished run, what the sweep is, and its summary.

A record is written aside and renamed when it is whole, so that whatever has a run's name is a finished run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Self

import msgspec

from harness.sweeping.job import Job, Result
from harness.usage import UsageError, reason

SWEEP = "sweep.json"


class Folder:
    """The folder at a path, made if it is not there; in the ``with`` block it is this process's alone.

    Raises:
        UsageError: it cannot be one, or holds something else, or a sweep of other runs, or another process is at work
            in it.
    """

    def __init__(self, path: str, jobs: Sequence[Job]) -> None:
        self.path = Path(path)
        runs = {job.name: job.command for job in jobs}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found = (self.path / SWEEP).read_bytes() if (self.path / SWEEP).exists() else None
            strange = None if found is not None else next(iter(_named(self.path)), None)
            if found is None and strange is None:
                self.write(SWEEP, msgspec.json.format(msgspec.json.encode(runs), indent=1))
        except (OSError, ValueError) as error:
            why = "it is a file" if isinstance(error, FileExistsError) else reason(error)
            raise self._refused(f"{why}; name a folder that can be written") from None
        if strange is not None:
            raise self._refused(f"it holds {strange}, and is no folder of a sweep; name a new one")
        if found is not None and (different := _different(found, runs)):
            raise self._refused(f"it holds a sweep of another matrix: {different}; name another folder")
        self._lock: FileIO | None = None

    def __enter__(self) -> Self:
        with suppress(ImportError):  # a system without it
            from fcntl import LOCK_EX, LOCK_NB, flock

            try:
                self._lock = FileIO(self.path / ".lock", "w")
            except OSError as error:
                raise self._refused(f"{reason(error)}; name a folder that can be written") from None
            try:
                flock(self._lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise self._refused("another process is at work in it; wait for that, or name another folder") from None
            except OSError:  # a file system without it
                pass
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock:
            self._lock.close()

    def _refused(self, why: str) -> UsageError:
        return UsageError(f"Cannot sweep into {self.path}, because {why} with --output.")

    def record(self, job: Job) -> Path:
        """Where the record of a job is, once it is finished."""
        return self.path / f"{job.name}.jsonl"

    def kept(self, job: Job) -> Result | None:
        """The result of a job whose whole record is there."""
        path = self.record(job)
        if not path.exists():
            return None
        try:
            return job.kind.read(path)
        except UsageError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the folder aside, and rename it when it is whole.

        Raises:
            OSError: it cannot be written; what was there stays.
        """
        aside = self.path / f".{name}.part"
        try:
            aside.write_bytes(content)
            aside.replace(self.path / name)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise


def _named(folder: Path) -> list[str]:
    """What lies there, but for what was being written when somebody was ended."""
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))


def _different(found: bytes, runs: Mapping[str, str]) -> str | None:
    """A run in which two sweeps differ, in words."""
    try:
        there = msgspec.json.decode(found, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"{SWEEP} cannot be read"
    for name in runs:
        if name not in there:
            return f"`{runs[name]}` is none of its {len(there)} runs as they were"
    lacking = next((name for name in there if name not in runs), None)
    return None if lacking is None else f"`{there[lacking]}` is one of its {len(there)} runs"
