"""Running a sweep: its jobs wherever there is room, each record kept as soon as it is whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Future, as_completed
from contextlib import AbstractContextManager, closing
from pathlib import Path

import msgspec

from harness.environment import cores
from harness.inputs.plain import as_called, as_count, as_flag, as_path, as_text
from harness.interrupts import heard, heed
from harness.sweeping.folder import Folder
from harness.sweeping.job import Finished, Job, Result
from harness.sweeping.matrix import read_matrix
from harness.sweeping.pools import Pool, on_cluster, on_this_machine
from harness.sweeping.summary import Ran, Sweep
from harness.usage import UsageError, reason, told, visible

MOST = 10_000
"""Runs that are started without a word."""
EVERY = 30.0
"""Seconds between two announcements of how far a sweep has come."""


@heard()
def sweep(
    matrix: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    judge_apart: bool = False,
    up_to: int = MOST,
    progress: Callable[[int, int], None] | None = None,
    announce: Callable[[str], None] | None = None,
) -> Sweep:
    """Run every run that a matrix describes and that has no record yet, and return the `Sweep`.

    A run that raises or ends its process is a result, and the others go on. Ctrl-C keeps what is finished; so does
    whatever else ends this process. The same call goes on where the last one ended.

    Args:
        matrix: path of a .toml file, see `harness.sweeping.matrix`.
        output: the folder of the records; the name of the file without .toml if None.
        jobs: runs at a time on this machine, each with one thread; one for each core if None.
        scheduler: address of a Dask scheduler, whose workers run instead.
        judge_apart: have what one of these workers ran judged by another, where there are several.
        up_to: refuse to start more runs than this.
        progress: called after each run with the runs done and the runs planned.
        announce: called with sentences: what starts, and every half minute how far it has come.

    Raises:
        UsageError: the matrix, the folder or the scheduler cannot be used.
    """
    source = as_path("matrix", matrix)
    target = Path(source).stem if output is None else as_path("output", output)
    count, most = as_count("jobs", jobs, 1), as_count("up_to", up_to, 1) or MOST
    judge_apart = as_flag("judge_apart", judge_apart)
    progress = as_called("progress", progress, "the runs done", "the runs planned")
    announce = as_called("announce", announce, "a sentence")
    if scheduler is not None:
        as_text("scheduler", scheduler, "tcp://127.0.0.1:8786")
        if jobs is not None:
            raise UsageError("Cannot use jobs with a scheduler, because its workers decide; leave one of them out.")
    elif judge_apart:
        raise UsageError(
            "Cannot use judge_apart without a scheduler, because the workers of a cluster judge for each other; give "
            "its address as scheduler, or leave judge_apart out."
        )
    every = read_matrix(source, most)
    here = str(Path.cwd())
    if scheduler is None:
        pool = on_this_machine(count or cores(), here)
    else:
        pool = on_cluster(scheduler, here, judge_apart=judge_apart)
    result = Sweep(source, target, len(every), [])
    with Folder(target, every) as folder:
        found = {job.name: kept for job in every if (kept := folder.kept(job))}
        done = _Progress(len(found), len(every), progress, announce)
        try:
            with closing(_finished(pool, [job for job in every if job.name not in found], done, target)) as now:
                for job, finished in now:
                    found[job.name] = finished.result
                    result.unkept = _kept(folder, job, finished) or result.unkept
                    done.one_more()
        except KeyboardInterrupt:
            result.interrupted = True
        result.ran = [Ran(job, found[job.name]) for job in every if job.name in found]
        result.unkept = result.unkept or _summarised(folder, result)
    return result


def _finished(
    pool: AbstractContextManager[Pool], jobs: Sequence[Job], done: _Progress, target: str
) -> Generator[tuple[Job, Finished], None, None]:
    """Each job when it is finished; those that are not are given up when the caller has had enough."""
    if not jobs:
        return
    with pool as (submit, where):
        done.starts(where, target)
        futures = {submit(job): job for job in jobs}
        for future in as_completed(list(futures)):
            heed()
            yield futures.pop(future), _result(future)


def _result(future: Future[Finished]) -> Finished:
    """What became of a job; what its worker could not do is a result too."""
    try:
        return future.result()
    except CancelledError:
        return Finished(Result("NOT COMPARED", 3, "the cluster gave it up: its scheduler or its workers are gone"))
    except Exception as error:  # of a worker: its packages are others, it died again and again
        return Finished(Result("NOT COMPARED", 3, visible(f"raised {told(error)} on its worker")))


def _kept(folder: Folder, job: Job, finished: Finished) -> str | None:
    """Why the record of a job could not be written; None where it was, or where there is none."""
    try:
        if finished.record is not None:
            folder.write(folder.record(job).name, finished.record)
    except OSError as error:
        said = (
            f"Cannot keep {folder.record(job)}, because {reason(error)}; make room, and the same command runs it again."
        )
        return visible(said)
    return None


def _summarised(folder: Folder, sweep: Sweep) -> str | None:
    """Why the summary could not be written; None where it was."""
    try:
        folder.write("summary.json", msgspec.json.format(msgspec.json.encode(sweep.to_dict()), indent=1) + b"\n")
        folder.write("summary.txt", f"{sweep}\n".encode())
    except OSError as error:
        said = (
            f"Cannot write the summary to {sweep.folder}, because {reason(error)}; the records stay: make room and run "
        )
        return visible(f"{said}again.")
    return None


class _Progress:
    """How far a sweep has come, and about how long the rest takes."""

    def __init__(
        self, before: int, of: int, progress: Callable[[int, int], None] | None, announce: Callable[[str], None] | None
    ) -> None:
        self._before = self._done = before
        self._of, self._progress, self._announce = of, progress, announce
        self._start = self._last = time.monotonic()
        if progress and before:
            progress(before, of)

    def starts(self, where: str, target: str) -> None:
        """Something is left to do."""
        if self._announce:
            before = f", {self._before} of them finished before" if self._before else ""
            self._announce(f"{self._of} runs{before}; {where}, into {target}")

    def one_more(self) -> None:
        """One more run is done."""
        self._done += 1
        if self._progress:
            self._progress(self._done, self._of)
        now = time.monotonic()
        if self._announce and now > self._last + EVERY and self._done < self._of:
            left = (now - self._start) / (self._done - self._before) * (self._of - self._done)
            self._announce(f"{self._done} of {self._of} runs, about {_duration(left)} left")
            self._last = now


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
