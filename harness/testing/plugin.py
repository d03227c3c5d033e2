"""The pytest plugin: compares hand-written and automatic gradients in tests, up to rounding.

    fixture   lockstep("4-3-2-1", data="iris")            trains in lockstep; fails unless the verdict is PASS
              lockstep.check(backward, "4-3-2-1")         checks a backward pass, link by link
              lockstep.check_vjp(forward, backward, ...)  checks one operation with its own backward
    marker    @pytest.mark.lockstep(against=["torch"])    its keywords are the fixture's defaults
    options   --lockstep-against, --lockstep-require, --lockstep-report; in an ini file lockstep_against, ...
    assert mine == harness.allow(reference)               tells the first wrong link

Loading it imports no framework, nor NumPy: whatever a test needs is imported when the test asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.testing.tally import Tally, listeners, tally_of

if TYPE_CHECKING:
    from harness.testing.fixture import Lockstep

MARKER = "lockstep(network=, data=, against=, steps=, dtype=, ...): defaults of the fixture lockstep, as of harness.run"
OPTIONS = {
    "against": "implementations that the fixture lockstep compares, comma-separated; one that is missing is an error",
    "require": "implementations without which no test is run, comma-separated",
    "report": "folder for the records of the fixture lockstep, JSON lines, a new file for each",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and the same in ini files."""
    group = parser.getgroup("lockstep", "gradients compared up to rounding")
    for name, help_ in OPTIONS.items():
        metavar = "DIR" if name == "report" else "NAMES"
        group.addoption(f"--lockstep-{name}", default=None, metavar=metavar, help=help_)
        parser.addini(f"lockstep_{name}", help_)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; refuse a session that lacks what it requires."""
    config.addinivalue_line("markers", MARKER)
    config.pluginmanager.register(Session(), "lockstep-session")
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist: the controller has looked
        return
    report = report_folder(config)
    if report and report.exists() and not report.is_dir():
        raise pytest.UsageError(f"Cannot write run records to {report}, because it is no folder; name a folder.")
    if required := names_in(option(config, "require")):
        from harness.testing.fixture import refuse_missing

        refuse_missing(required)
    if against := names_in(option(config, "against")):
        from harness.testing.fixture import refuse_unknown

        refuse_unknown(against)


def option(config: pytest.Config, name: str) -> str | None:
    """An option, by the command line or else the ini file; None where neither gives it."""
    return config.getoption(f"--lockstep-{name}") or config.getini(f"lockstep_{name}") or None


def report_folder(config: pytest.Config) -> Path | None:
    """The folder for records, from where pytest was called, or from the root if an ini file names it.

    It is fixed here, because a test may change the working directory.
    """
    named = config.getoption("--lockstep-report")
    base = config.invocation_params.dir if named else config.rootpath
    report = option(config, "report")
    return base / report if report else None


def names_in(text: str | None) -> list[str] | None:
    """The names in a list with commas; None where there are none."""
    return [name.strip() for name in (text or "").split(",") if name.strip()] or None


@pytest.fixture
def lockstep(request: pytest.FixtureRequest) -> Lockstep:
    """Train in lockstep and fail unless every gradient agrees up to rounding: ``lockstep("4-3-2-1", steps=20)``."""
    from harness.testing.fixture import Lockstep, defaults_of
    from harness.usage import UsageError

    config = request.config
    defaults: dict[str, Any] = {}
    if named := names_in(option(config, "against")):
        defaults["against"] = named
    for marker in reversed(list(request.node.iter_markers("lockstep"))):  # the closest last
        if marker.args:
            pytest.fail(
                "Cannot read the arguments of the marker lockstep, because it has keywords only.", pytrace=False
            )
        try:
            defaults |= defaults_of(marker.kwargs)
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)
    return Lockstep(request.node.nodeid, defaults, report_folder(config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count what a test compares, and keep it as properties of the test."""
    counted = Tally()
    listeners.append(counted.add)
    try:
        return (yield)
    finally:
        listeners.remove(counted.add)
        if counted.comparisons:
            item.user_properties += counted.properties()


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Tell the first wrong link where something is not equal to an allowance."""
    allowing = sys.modules.get("harness.testing.allowing")  # without it nothing is an allowance
    if allowing is None or op not in ("==", "!="):
        return None
    for mine, allowance in ((left, right), (right, left)):
        if isinstance(allowance, allowing.Allowance):
            return allowance.told(mine).split("\n")  # pytest shows eight lines, and all under -vv
    return None


class Session:
    """Counts over all tests, wherever they ran, and tells the sum in one line."""

    def __init__(self) -> None:
        self.agreed, self.failed = Tally(), list[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one test; one that passes although its gradients differ expected that, and counts for nothing."""
        counted = tally_of(report.user_properties) if report.when == "call" else None
        if counted is None:
            return
        if counted.verdict == "PASS":
            self.agreed.merge(counted)
        elif report.failed:
            link = f", first wrong link {counted.first_wrong_link}" if counted.first_wrong_link else ""
            self.failed.append(f"{report.nodeid} ({counted.verdict}{link})")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line, if anything was compared."""
        if self.failed:
            count = len(self.failed)
            which = "1 test failed: " if count == 1 else f"{count} tests failed, first "
            terminalreporter.write_line(f"lockstep: {which}{self.failed[0]}", red=True)
        elif self.agreed.comparisons:
            terminalreporter.write_line(f"lockstep: {self.agreed}", green=True)
