"""A pytest plugin that runs the collected tests once without a mutant and once with each.

It is loaded with ``-p`` in a process of its own, which reads its `Plan` from the file that an environment variable
names. Every test runs through pytest's own protocol, with all fixtures set up and torn down for each mutant, so that
nothing computed before is used again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import msgspec
import pytest

from harness.inputs.recompiled import plain_function, replaced
from harness.mutation.mutants import Mutant, is_same, mutants_of, planted, watched
from harness.mutation.process import (
    FIRST,
    LATE,
    Again,
    Begun,
    Collected,
    Done,
    Plan,
    Unmutated,
    Unusable,
    endless,
    tell,
)
from harness.mutation.recording import Recording, recording
from harness.mutation.targets import hand_rules, targeted
from harness.usage import UsageError, visible

PLAN = "HARNESS_MUTANTS_PLAN"
LEAST = 5.0
"""Seconds that every mutant gets at least, so that a busy machine does not catch one."""
TIMES = 10
"""How many times as long as the unmutated test a mutant may take."""


class TimeIsUpError(BaseException):
    """The time limit of one mutant; not an Exception, so that the test does not swallow it."""


class Runs:
    """The tests of one session, run over and over."""

    def __init__(self, session: pytest.Session, plan: Plan) -> None:
        self.session, self.plan, self.process = session, plan, os.getpid()
        self.reports: list[pytest.TestReport] = []
        self.mutant: CodeType | None = None
        self.raised_itself = False
        self.unmutated: dict[str, Recording] = {}

    def loop(self) -> None:
        """Everything that the plan asks for."""
        try:
            targets = {self.plan.target: targeted(self.plan.target)} if self.plan.target else hand_rules()
            unmutated, mutants = self.without(targets)
        except UsageError as error:
            tell(self.plan.events, Unusable(str(error)))
            return
        tell(self.plan.events, unmutated)
        if unmutated.wrong is None and mutants:
            for number, (name, mutant) in enumerate(mutants):
                if number >= self.plan.first:
                    self.with_one(number, name, targets, mutant, unmutated.limit)
            _forget_compiled()
            tell(self.plan.events, Again(self.run(None, unmutated.limit)[0] is None))

    def without(self, targets: dict[str, Any]) -> tuple[Unmutated, list[tuple[str, Mutant]]]:
        """The test as it is, watching which targets it calls, and the mutants of those."""
        tests, longest = len(self.session.items), self.plan.timeout or FIRST
        tell(self.plan.events, Collected(tests, longest))
        watches = {name: watched(function) for name, function in targets.items()}
        with ExitStack() as stack:
            for name, (code, _) in watches.items():
                stack.enter_context(replaced(targets[name], code))
            begin = time.perf_counter()
            failure, _ = self.run(None, longest)
            seconds = time.perf_counter() - begin
        wrong = self.wrong(failure)
        limit = max(LEAST, TIMES * seconds) if self.plan.timeout is None else self.plan.timeout
        called = tuple(name for name, (_, ran) in watches.items() if ran)
        if wrong is None and seconds > limit:
            wrong = f"it takes {seconds:.2g} s unmutated and each mutant may take {limit:g} s; give a longer --timeout"
        mutants = [(name, mutant) for name in called for mutant in mutants_of(targets[name])]
        chosen = _evenly(mutants, self.plan.most)
        uncalled = tuple(name for name in targets if name not in called)
        return Unmutated(wrong, seconds, limit, tests, called, uncalled, len(chosen), len(mutants)), chosen

    def wrong(self, failure: str | None) -> str | None:
        """Why the unmutated test says nothing about a mutant, or None."""
        if failure == LATE:
            return endless(self.plan)
        if failure is not None:
            return f"it fails without any mutant ({failure}); make it pass first"
        if not self.session.items:
            return "there is no such test; name one as pytest does, FILE::NAME"
        passed = {report.nodeid for report in self.reports if report.when == "call" and report.passed}
        for item in self.session.items:
            if item.nodeid not in passed:
                return f"{item.nodeid} is skipped ({self._why_skipped(item.nodeid)}); run it where it passes"
        return None

    def _why_skipped(self, nodeid: str) -> str:
        for report in self.reports:
            if report.nodeid == nodeid and report.skipped:
                told = report.longrepr[2] if isinstance(report.longrepr, tuple) else "it is expected to fail"
                return visible(" ".join(str(told).split()))[:160]
        return "pytest ran nothing of it"

    def with_one(self, number: int, name: str, targets: dict[str, Any], mutant: Mutant, limit: float) -> None:
        """The test with one mutant in the function's place."""
        function = targets[name]
        file = plain_function(function).__code__.co_filename
        same = is_same(function, mutant)
        tell(
            self.plan.events, Begun(number, name, mutant.operator, file, mutant.line, mutant.before, mutant.after, same)
        )
        with planted(function, mutant):
            failure, itself = self.run(mutant.code, limit)
            if not mutant.ran and _forget_compiled():  # a compiler may have kept the function as it was
                failure, itself = self.run(mutant.code, limit)
        ran = bool(mutant.ran)
        alike = failure is None and ran and not same and self.alike(name, targets, mutant, limit)
        # What never ran cannot have made a test fail.
        tell(self.plan.events, Done(number, failure is not None and ran, failure, itself, ran, alike))

    def alike(self, name: str, targets: dict[str, Any], mutant: Mutant, limit: float) -> bool:
        """Whether a mutant gives, bit by bit, what its function gives, for everything that the test asks."""
        if not self.unmutated:
            self.unmutated = {name: Recording() for name in targets}
            with recording([(plain_function(targets[name]).__code__, told) for name, told in self.unmutated.items()]):
                self.run(None, limit)
        told = Recording()
        with planted(targets[name], mutant), recording([(mutant.code, told)]):
            failure, _ = self.run(mutant.code, limit)
        return failure is None and told.same(self.unmutated[name])

    def run(self, mutant: CodeType | None, limit: float | None = None) -> tuple[str | None, bool]:
        """What failed, or None, and whether the mutant itself raised."""
        self.reports, self.mutant, self.raised_itself = [], mutant, False
        for item in self.session.items:
            self.session.shouldfail = self.session.shouldstop = False
            with within(limit) if limit is not None else nullcontext():
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if os.getpid() != self.process:  # a copy that a test made and did not end
                os._exit(0)
            failed = [report for report in self.reports if report.failed]
            if failed:
                return _said(failed[0]), self.raised_itself
        return None, False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Note whether what was raised came out of the mutant."""
        if call.excinfo is not None and self.mutant is not None:
            traceback: TracebackType | None = call.excinfo.tb
            while traceback is not None:
                self.raised_itself |= traceback.tb_frame.f_code is self.mutant
                traceback = traceback.tb_next
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep every report."""
        self.reports.append(report)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In place of pytest's own loop."""
    if session.testsfailed and not session.config.option.continue_on_collection_errors:
        return None  # pytest's loop says so, and stops
    plan = msgspec.json.decode(Path(os.environ[PLAN]).read_bytes(), type=Plan)
    runs = Runs(session, plan)
    session.config.pluginmanager.register(runs)
    runs.loop()
    return True


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUpError` in what takes longer; without such a timer the starting process ends this one."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeIsUpError(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _said(report: pytest.TestReport) -> str:
    """The failure in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    if "TimeIsUpError" in text:
        return LATE
    return visible(" ".join(text.split()))[:160]


def _evenly(mutants: list[Any], most: int) -> list[Any]:
    """At most so many, evenly over all."""
    if not most or len(mutants) <= most:
        return mutants
    return [mutants[i * len(mutants) // most] for i in range(most)]


def _forget_compiled() -> bool:
    """Have every loaded library forget what it compiled, as far as it offers that; whether one did.

    A compiled function that calls a target would go on with the target as it was.
    """
    cleared = False
    for name, module in list(sys.modules.items()):
        clear = vars(module).get("clear_caches") if "." not in name and hasattr(module, "__dict__") else None
        if callable(clear):
            clear()
            cleared = True
    return cleared
