"""What the fixture `lockstep` is: it trains in lockstep, or checks a function, and fails a test unless all is right."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from inspect import signature
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.checking.backward_pass import check
from harness.checking.operation import check_vjp
from harness.inputs.arguments import as_names
from harness.inputs.networks import load_network
from harness.lockstep.training import run
from harness.results.check import Check
from harness.results.operation_check import OperationCheck
from harness.results.run import Run
from harness.testing.compared import matching_vjp, settle
from harness.usage import UsageError, did_you_mean
from impls import registry

OF_A_NETWORK = tuple(signature(load_network).parameters)[1:]
"""What layer sizes leave open, which a network is made with."""


class Lockstep:
    """Compares implementations for one test.

    Attributes:
        test: the test's id.
        defaults: keywords of `harness.run` and `harness.check`, where a call does not give them.
        report: folder for a record of each run and check, or None.
    """

    def __init__(self, test: str, defaults: dict[str, Any], report: Path | None) -> None:
        self.test, self.defaults, self.report = test, defaults, report

    def __call__(self, *arguments: Any, **options: Any) -> Run:
        """Train in lockstep, as `harness.run` does with the same arguments, and return the `Run`.

        A framework that is missing is left out; where it was named, or the environment variable CI is set, that is
        an error; where nothing else is left to compare, the test is skipped.

        Raises:
            GradientMismatch: the verdict is not PASS.
            UsageError: something impossible was asked for.
        """
        __tracebackhide__ = True
        options = {**taken(self.defaults, run), **bound("the fixture", run, arguments, options)}
        try:
            result = self._run(options)
        except UsageError as error:
            raise UsageError(str(error)) from None  # from here, so that the test's own line is shown
        if result.how == "interrupted":
            raise KeyboardInterrupt
        if result.unrecorded:
            pytest.fail(result.unrecorded, pytrace=False)
        missing = [finding.message for finding in result.findings if finding.kind == "missing"]
        if missing and result.verdict != "FAIL":
            if options.get("against") is not None or os.environ.get("CI"):
                pytest.fail(missing[0], pytrace=False)
            if len(result.head.implementations) < 2:
                pytest.skip(missing[0])
        settle(result, result.outcome.reason)
        return result

    def check(self, *arguments: Any, **options: Any) -> Check:
        """Check a backward pass, as `harness.check` does with the same arguments, and return the `Check`.

        Raises:
            GradientMismatch: the verdict is not PASS.
            UsageError: something impossible was asked for.
        """
        __tracebackhide__ = True
        options = {**taken(self.defaults, check), **bound("lockstep.check", check, arguments, options)}
        if "function" not in options:
            raise UsageError("Cannot check nothing, because no function is given; give lockstep.check(backward, ...).")
        try:
            result = check(**options)
        except UsageError as error:
            raise UsageError(str(error)) from None
        self._keep(result)
        settle(result, result.reason)
        return result

    def check_vjp(self, *arguments: Any, **options: Any) -> OperationCheck:
        """Check an operation's own backward pass, as `harness.check_vjp` does with the same arguments.

        Raises:
            GradientMismatch: the verdict is not PASS.
            UsageError: something impossible was asked for.
        """
        __tracebackhide__ = True
        options = {**taken(self.defaults, check_vjp), **bound("lockstep.check_vjp", check_vjp, arguments, options)}
        missing = [name for name in ("forward", "reference") if name not in options]
        if missing:
            raise UsageError(
                f"Cannot check without {' and '.join(missing)}, because nothing would be compared; give "
                f"lockstep.check_vjp(forward, backward, reference=...)."
            )
        try:
            return matching_vjp(options, self._keep)
        except UsageError as error:
            raise UsageError(str(error)) from None

    def _keep(self, result: Check | OperationCheck) -> None:
        """Write a record of it, if records are asked for."""
        if self.report is not None:
            line = msgspec.json.encode(result.to_dict()) + b"\n"
            for path in records(self.report, self.test):
                with suppress(FileExistsError), path.open("xb") as file:
                    file.write(line)
                    break

    def _run(self, options: dict[str, Any]) -> Run:
        if self.report is None or "output" in options:
            return run(**options)
        for path in records(self.report, self.test):
            try:
                return run(**options, output=path)
            except UsageError:
                if not path.exists():  # else another process took the name
                    raise
        raise AssertionError("names of records do not end")


def taken(defaults: Mapping[str, Any], function: Callable[..., Any]) -> dict[str, Any]:
    """Those of the defaults that a function takes."""
    return {name: value for name, value in defaults.items() if name in signature(function).parameters}


def bound(
    who: str, function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by name, as a function takes them.

    Raises:
        UsageError: it does not take them.
    """
    __tracebackhide__ = True
    takes = signature(function)
    refuse_unknown_keywords(who, f"harness.{function.__name__}", options, list(takes.parameters))
    try:
        return dict(takes.bind_partial(*arguments, **options).arguments)
    except TypeError as error:
        problem = str(error)
    raise UsageError(
        f"Cannot call {who} so, because there are {problem}; it takes what harness.{function.__name__} takes."
    )


def refuse_unknown_keywords(who: str, like: str, options: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise UsageError if `who`, which takes what something else takes, is given what that does not take."""
    __tracebackhide__ = True
    for name, value in options.items():
        if name in known:
            continue
        if name in OF_A_NETWORK:
            instead = f"give harness.load_network(..., {name}={value!r}) as the network"
        else:
            instead = f"give some of {', '.join(known)}"
        raise UsageError(
            f"Cannot use {name}={value!r}, because {who} takes what {like} takes{did_you_mean(name, known)}; {instead}."
        )


def defaults_of(marker: Mapping[str, Any]) -> dict[str, Any]:
    """What a marker's keywords say.

    Raises:
        UsageError: neither `harness.run` nor `harness.check` takes one of them.
    """
    __tracebackhide__ = True
    known = [name for name in {**signature(run).parameters, **signature(check).parameters} if name != "function"]
    refuse_unknown_keywords("the marker lockstep", "harness.run", marker, known)
    return dict(marker)


def records(folder: Path, test: str) -> Iterator[Path]:
    """Names for the records of one test that no file has: what an earlier call or session wrote stays."""
    folder.mkdir(parents=True, exist_ok=True)
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip(".-")[-80:]
    stem = f"{safe}-{hashlib.sha256(test.encode(errors='surrogatepass')).hexdigest()[:8]}"
    for number in count(1):
        path = folder / (f"{stem}.jsonl" if number == 1 else f"{stem}-{number}.jsonl")
        if not path.exists():
            yield path


def refuse_unknown(names: Sequence[str]) -> None:
    """Raise pytest.UsageError if there is no implementation of one of the names."""
    try:
        as_names(names)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def refuse_missing(names: Sequence[str]) -> None:
    """Raise pytest.UsageError if one of the implementations is unknown, or not installed."""
    refuse_unknown(names)
    for name in names:
        try:
            registry.load(name)
        except registry.NotInstalledError as error:
            raise pytest.UsageError(str(error)) from None
