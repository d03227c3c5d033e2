"""Jobs in processes of their own, which stay for the next one: whatever a run does to its process costs that run alone.

A process is started when a job finds none that has nothing to do. Its libraries have one thread, wherever it is and
however many others there are: with another number they may round otherwise. It gets jobs and returns what became of
them through a socket.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

import msgspec

from harness.environment import with_threads
from harness.memory import keep_freed, pass_over_imported
from harness.processes import Program, python
from harness.sweeping.job import Collected, Finished, Job, Result, collected, judged_apart, performed
from harness.usage import visible

POLL = 0.1
"""Seconds between two looks at whether a process is still there, and still wanted."""
IDLE = 60.0
"""Seconds after which a process that gets no job ends."""


class Task(msgspec.Struct, frozen=True, array_like=True):
    """What a process is sent: a job, and the folder from which paths in its settings lead; or what was run in one.

    Attributes:
        what: whether the job is run and judged, or run only, or what was run is judged.
    """

    what: Literal["perform", "collect", "judge"]
    settings: dict[str, object]
    files: dict[str, str]
    folder: str
    evidence: bytes = b""


class Processes:
    """Processes that run jobs, as many as there are callers at once."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []

    def perform(self, job: Job, folder: str, given_up: Callable[[], bool]) -> Finished:
        """What became of a job, whose process ends when it is given up; callers may be in several threads."""
        found = self._done(Task("perform", dict(job.settings), dict(job.files), folder), given_up)
        return found if isinstance(found, Finished) else judged_apart(found)

    def collect(self, job: Job, folder: str, given_up: Callable[[], bool]) -> Finished | Collected:
        """Likewise, what was run in a job, if it can be judged apart."""
        return self._done(Task("collect", dict(job.settings), dict(job.files), folder), given_up)

    def judge(self, evidence: Collected, given_up: Callable[[], bool]) -> Finished:
        """Likewise, what becomes of what was run in a job."""
        found = self._done(Task("judge", {}, {}, "", evidence.packed), given_up)
        return found if isinstance(found, Finished) else judged_apart(found)

    def _done(self, task: Task, given_up: Callable[[], bool]) -> Finished | Collected:
        if not Program.supervised:  # where no process can be started so
            return _did(task)
        process = self._waiting() or _Process()
        found = process.perform(task, given_up)
        if process.alive:
            self._idle.append(process)
        return found

    def _waiting(self) -> _Process | None:
        """One that has nothing to do and is still there."""
        with suppress(IndexError):  # there is none, or no longer: another thread was faster
            while process := self._idle.pop():
                if process.alive:
                    return process
                process.end()
        return None

    def end(self) -> None:
        """End all that have nothing to do."""
        while self._idle:
            self._idle.pop().end()


class _Process:
    def __init__(self) -> None:
        self._ours, theirs = Pipe()
        self._log = TemporaryFile()  # noqa: SIM115  (it is there as long as the process)
        words = python("harness.sweeping.apart:serve", str(theirs.fileno()))
        with theirs, Path(os.devnull).open("wb") as nowhere:
            self._program = Program(
                words, stdout=nowhere.fileno(), stderr=self._log.fileno(), environment=with_threads(1),
                files=[theirs.fileno()],
            )  # fmt: skip

    @property
    def alive(self) -> bool:
        return self._program.wait(0) is None

    def perform(self, task: Task, given_up: Callable[[], bool]) -> Finished | Collected:
        try:
            self._ours.send_bytes(msgspec.msgpack.encode(task))
            while not self._ours.poll(POLL):
                if given_up():
                    self.end()
                    return Finished(Result("NOT COMPARED", 3, "given up"))
            result = msgspec.msgpack.decode(self._ours.recv_bytes(), type=Result | None)
            record = self._ours.recv_bytes()
        except (EOFError, OSError):
            end = self._program.wait()
            said = f"its process {end and end.verb} {end}{self._last_word()}"
            self.end()
            return Finished(Result("NOT COMPARED", 3, visible(said)))
        return Collected(record) if result is None else Finished(result, record or None)

    def _last_word(self) -> str:
        """What it wrote last to stderr, in words that follow how it ended."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {said[:200]}" if said else ""

    def end(self) -> None:
        self._ours.close()
        self._program.end()
        self._log.close()


def serve(number: str) -> None:
    """The other side: jobs from the socket of that number, until none comes any more."""
    keep_freed()
    pass_over_imported()
    with Connection(int(number)) as connection, suppress(EOFError):
        while connection.poll(IDLE):
            task = msgspec.msgpack.decode(connection.recv_bytes(), type=Task)
            found = _did(task)
            result, record = (None, found.packed) if isinstance(found, Collected) else found
            connection.send_bytes(msgspec.msgpack.encode(result))
            connection.send_bytes(record or b"")


def _did(task: Task) -> Finished | Collected:
    if task.what == "judge":
        return judged_apart(Collected(task.evidence))
    if Path(task.folder).is_dir():  # on another machine it need not be
        os.chdir(task.folder)
    job = Job(task.settings, task.files, {})
    return collected(job) if task.what == "collect" else performed(job)
