"""The process that runs somebody's test against the mutants: started, watched, and started again where one ends it.

It tells what happens in one JSON line per event. It leaves nothing beside the tests: caches, temporary files and
reports go to a folder that is removed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec.structs import replace

from harness.usage import UsageError, visible

GRACE = 5.0
"""Seconds after its limit until a process that does not answer is ended."""
PAUSE = 0.02


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


Event = Unmutated | Unusable | Begun | Done | Again


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
                raise UsageError(f"Cannot score {test}, because pytest does not run it ({ended}); name it FILE::NAME.")
            if not begun or begun[-1].number in done:
                return events
            # The mutant took the process with it, or had to be ended with it: go on after it, in a new one.
            with Path(plan.events).open("ab") as file:
                file.write(msgspec.json.encode(Done(begun[-1].number, True, ended, True)) + b"\n")
            plan = replace(plan, first=begun[-1].number + 1)


def _one_process(test: str, plan: Plan, folder: Path, progress: Callable[[float, float], None] | None) -> str:
    """Run until the process ends; what is to be said about its end."""
    (folder / "plan").write_bytes(msgspec.json.encode(plan))
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            _command(test, folder), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=_environment(folder), start_new_session=True,
        )  # fmt: skip
        try:
            if _watch(process, plan, progress):
                return "did not end"
        finally:
            _end(process)
    if process.returncode < 0:
        return f"the process ended by signal {-process.returncode}"
    return _last_words(folder / "output")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started, which is all in a group of its own."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


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
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }


def _watch(process: subprocess.Popen[bytes], plan: Plan, progress: Callable[[float, float], None] | None) -> bool:
    """Wait for the end; True where a mutant took so long that the process does not answer."""
    size, since = -1, time.monotonic()
    planned = limit = 0.0
    while process.poll() is None:
        time.sleep(PAUSE)
        now = Path(plan.events).stat().st_size if Path(plan.events).exists() else 0
        if now != size:
            size, since = now, time.monotonic()
            events = told(Path(plan.events))
            for event in events:
                if isinstance(event, Unmutated):
                    planned, limit = event.planned, event.limit * event.tests + GRACE
            if progress and planned:
                progress(sum(isinstance(event, Done) for event in events), planned)
            waiting = bool(events) and isinstance(events[-1], Begun)
        elif waiting and limit and time.monotonic() - since > 2 * limit:
            return True
    return False


def _last_words(output: Path) -> str:
    """The line of pytest's output that says what went wrong, or its last one."""
    lines = [line.strip() for line in output.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("ERROR", "E  ", "INTERNALERROR"))]
    chosen = telling[0] if telling else lines[-1] if lines else "it said nothing"
    return visible(chosen)[:200]
