"""The process that runs somebody's test against the mutants: started, watched, and started again where one ends it.

It tells what happens in one JSON line per event. It leaves nothing beside the tests: caches, temporary files and
reports go to a folder that is removed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec.structs import replace

from harness.processes import End, Program
from harness.usage import UsageError, visible

GRACE = 5.0
"""Seconds after its limit until a process that does not answer is ended."""
PAUSE = 0.02
COLLECTED = 300.0
"""Seconds until the tests are collected: importing frameworks on a busy machine takes a while."""
FIRST = 60.0
"""Seconds for each test without a mutant, if nothing else is said."""
LATE = "did not end"


class Plan(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        target: the function to plant mutants in; None for the hand code's backward rules.
        timeout: seconds for one mutant; None for ten times what the test takes, at least `LEAST`.
        events: the file to write events to.
        first: mutants before this one are done already.
        most: if there are more mutants, so many are taken, evenly over all lines.
    """

    target: str | None
    timeout: float | None
    events: str
    first: int = 0
    most: int = 0


class Collected(msgspec.Struct, frozen=True, tag="collected", tag_field="kind"):
    """There are so many tests, and each may take so many seconds without a mutant."""

    tests: int
    limit: float


class Unmutated(msgspec.Struct, frozen=True, tag="unmutated", tag_field="kind"):
    """The test without a mutant.

    Attributes:
        wrong: why it cannot be used, or None: a sentence's end after "because".
        seconds: that it took.
        limit: seconds that each mutant may take.
        called: targets that it called.
        uncalled: targets that it did not call.
        planned: number of mutants that are to be run, out of ``possible``.
    """

    wrong: str | None
    seconds: float = 0.0
    limit: float = 0.0
    tests: int = 0
    called: tuple[str, ...] = ()
    uncalled: tuple[str, ...] = ()
    planned: int = 0
    possible: int = 0


class Unusable(msgspec.Struct, frozen=True, tag="unusable", tag_field="kind"):
    """Nothing can be run, for a reason that a person can read."""

    message: str


class Begun(msgspec.Struct, frozen=True, tag="begun", tag_field="kind"):
    """A mutant is about to run."""

    number: int
    target: str
    operator: str
    file: str
    line: int
    before: str
    after: str
    equal: bool


class Done(msgspec.Struct, frozen=True, tag="done", tag_field="kind"):
    """A mutant has run.

    Attributes:
        caught: whether a test failed.
        how: what failed: ``AssertionError``, or ``did not end``.
        itself: whether the mutant raised, so that any test that calls it fails.
        ran: whether its statement was reached.
        alike: whether it survived and gave, bit by bit, what the unmutated function gives for the same arguments.
    """

    number: int
    caught: bool
    how: str | None = None
    itself: bool = False
    ran: bool = True
    alike: bool = False


class Again(msgspec.Struct, frozen=True, tag="again", tag_field="kind"):
    """The test without a mutant, after all of them: whether it still passes."""

    passed: bool


Event = Collected | Unmutated | Unusable | Begun | Done | Again


def tell(path: str, event: Event) -> None:
    """Append one event to the file."""
    with Path(path).open("ab") as file:
        file.write(msgspec.json.encode(event) + b"\n")


def told(path: Path) -> list[Event]:
    """Every whole line of the file."""
    if not path.exists():
        return []
    text = path.read_bytes()
    return [msgspec.json.decode(line, type=Event) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def events_of(
    test: str, target: str | None, timeout: float | None, most: int, progress: Callable[[float, float], None] | None
) -> list[Event]:
    """Everything that happened: the unmutated test, every mutant, the unmutated test again.

    Raises:
        UsageError: pytest is missing, or the test or the target cannot be used.
    """
    if find_spec("pytest") is None:
        raise UsageError("Cannot run tests, because pytest is not installed; pip install pytest.")
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        folder = Path(name)
        plan = Plan(target, timeout, str(folder / "events"), 0, most)
        while True:
            ended = _one_process(test, plan, folder, progress)
            events = told(Path(plan.events))
            begun = [event for event in events if isinstance(event, Begun)]
            done = {event.number for event in events if isinstance(event, Done)}
            for event in events:
                if isinstance(event, Unusable):
                    raise UsageError(event.message)
                if isinstance(event, Unmutated) and event.wrong is not None:
                    raise UsageError(f"Cannot score {test}, because {event.wrong}.")
            if not any(isinstance(event, Unmutated) for event in events):
                why = f"pytest does not run it ({ended}); name it FILE::NAME"
                if ended == LATE:
                    why = endless(plan) if events else f"it is not collected within {COLLECTED:g} s; load less there"
                raise UsageError(f"Cannot score {test}, because {why}.")
            if not begun:
                return events
            if begun[-1].number in done:
                return events if any(isinstance(event, Again) for event in events) else [*events, Again(False)]
            # The mutant took the process with it, or had to be ended with it: go on after it, in a new one.
            with Path(plan.events).open("ab") as file:
                file.write(msgspec.json.encode(Done(begun[-1].number, True, ended, True)) + b"\n")
            plan = replace(plan, first=begun[-1].number + 1)


def endless(plan: Plan) -> str:
    """Why a test cannot be used that takes too long without any mutant."""
    longest = plan.timeout or FIRST
    return f"it does not end within {longest:g} s without any mutant; make it end, or give a longer --timeout"


def _one_process(test: str, plan: Plan, folder: Path, progress: Callable[[float, float], None] | None) -> str:
    """Run until the process ends, or tells nothing more; what is to be said about its end."""
    (folder / "plan").write_bytes(msgspec.json.encode(plan))
    with (folder / "output").open("wb") as output:
        number = output.fileno()
        words = _command(test, folder)
        with Program(words, stdout=number, stderr=number, environment=_environment(folder)) as program:
            end = _watched(program, Path(plan.events), progress)
    if end is None:
        return LATE
    return _last_words(folder / "output") if end.how == "status" else f"the process was {end.verb} {end}"


def _command(test: str, folder: Path) -> list[str]:
    """Pytest as the user runs it, with what it writes kept out of the user's folders."""
    command = [sys.executable, "-m", "pytest", "-p", "harness.mutation.plugin", test, "-q", "--tb=short"]
    command += [
        "-o",
        f"cache_dir={folder / 'cache'}",
        f"--basetemp={folder / 'tmp'}",
        f"--junit-xml={folder / 'junit'}",
    ]
    if find_spec("xdist"):
        command += ["-n0"]
    if find_spec("pytest_cov"):
        command += ["--no-cov"]
    return command


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HARNESS_MUTANTS_PLAN": str(folder / "plan"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }


def _watched(program: Program, path: Path, progress: Callable[[float, float], None] | None) -> End | None:
    """How it ended; None where it did not, though everything is told, or nothing for longer than anything may take."""
    size, since, events = _size(path), time.monotonic(), list[Event]()
    while (end := program.wait(PAUSE)) is None:
        if (now := _size(path)) != size:
            size, since, events = now, time.monotonic(), told(path)
            planned = max((event.planned for event in events if isinstance(event, Unmutated)), default=0)
            if progress and planned:
                progress(sum(isinstance(event, Done) for event in events), planned)
        elif time.monotonic() - since > _patience(events):
            return None
    return end


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _patience(events: list[Event]) -> float:
    """Seconds for which nothing may be told after these events, of which this process told the last."""
    if not events:
        return COLLECTED
    last = events[-1]
    if isinstance(last, Again | Unusable) or (
        isinstance(last, Unmutated) and (last.wrong is not None or not last.planned)
    ):
        return GRACE  # all is told, and a thread that the test has left may never end
    one = next(event for event in reversed(events) if isinstance(event, Unmutated | Collected))
    return 2 * (one.limit * one.tests + GRACE)


def _last_words(output: Path) -> str:
    """The line of pytest's output that says what went wrong, or its last one."""
    lines = [line.strip() for line in output.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("ERROR", "E  ", "INTERNALERROR"))]
    chosen = telling[0] if telling else lines[-1] if lines else "it said nothing"
    return visible(chosen)[:200]
