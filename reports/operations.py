"""How long a check of one operation takes, and how many wrong ones are caught and named: the tests' operations.

    python -m reports.operations [--quick]

Run where the tests are. Seconds are of the processor and of the clock: on a busy machine the latter tell of others.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from tabulate import tabulate

from harness import check_vjp
from harness.results.operation_check import OperationCheck

MANNERS = ("in_numpy", "in_torch", "in_jax")
EVERY = 6
"""Of which one is asked under ``--quick``."""


class Timed(NamedTuple):
    """One check, its seconds of the processor and of the clock."""

    found: OperationCheck
    processor: float
    clock: float


def timed(**given: Any) -> Timed:
    """A check of one operation."""
    processor, clock = time.process_time(), time.perf_counter()
    found = check_vjp(**given)
    return Timed(found, time.process_time() - processor, time.perf_counter() - clock)


def right_ones(quick: bool) -> list[Timed]:
    """The right operations of the tests, the frameworks loaded."""
    right = import_module("tests.candidates.right_operations").RIGHT.values()
    asked = list(right)[:: 3 if quick else 1]
    timed(forward=asked[-1][0], backward=asked[-1][1], reference=asked[-1][2], inputs=asked[-1][3])
    return [timed(forward=f, backward=b, reference=r, inputs=i) for f, b, r, i in asked]


def wrong_ones(quick: bool) -> list[tuple[Any, Timed]]:
    """The wrong operations of the tests."""
    for manner in MANNERS:
        import_module(f"tests.broken.operations.{manner}")
    wrong = import_module("tests.broken.operations").OPERATIONS[:: EVERY if quick else 1]
    return [
        (each, timed(forward=each.forward, backward=each.backward, reference=each.reference, inputs=each.inputs))
        for each in wrong
    ]


def lines(quick: bool) -> list[tuple[str, str, str, str]]:
    """Each figure beside its goal."""
    right, wrong = right_ones(quick), wrong_ones(quick)
    caught = [(each, found) for each, found in wrong if found.found.verdict == "FAIL"]
    causes = [(each, cause) for each, found in caught for cause in found.found.causes]
    named = [(each, cause) for each, cause in causes if cause.cause != "unknown"]
    false = sum(not each.is_named_by(cause) for each, cause in named)
    known = sum(all(c.cause != "unknown" for c in found.found.causes) for _, found in caught)
    passed = sum(found.found.verdict == "PASS" for found in right)
    return [
        *_seconds("check_vjp of a right operation", right, 1.0),
        *_seconds("check_vjp of a wrong one with its cause", [found for _, found in wrong], 5.0),
        _counted("right operations that pass", passed, len(right), passed == len(right)),
        _counted("wrong operations caught", len(caught), len(wrong), len(caught) == len(wrong)),
        _counted(
            "wrong operations of which every gradient's cause is named", known, len(wrong), 2 * known > len(wrong)
        ),
        _counted("wrong gradients named", len(named), len(causes), 2 * len(named) > len(causes)),
        _counted("of these, named otherwise than the slip is", false, len(named), false == 0),
    ]


def _seconds(figure: str, found: Sequence[Timed], goal: float) -> Iterator[tuple[str, str, str, str]]:
    seconds = [each.processor for each in found]
    middle, most = statistics.median(seconds), max(seconds)
    value = f"{middle:.2f} s of the processor; {statistics.median(each.clock for each in found):.2f} s by the clock"
    yield f"{figure}, median of {len(found)}", value, f"< {goal:g} s", "reached" if middle < goal else "short"
    which = found[seconds.index(most)].found.name
    yield (
        f"{figure}, at most",
        f"{most:.2f} s of the processor, {which}",
        f"< {goal:g} s",
        ("reached" if most < goal else "short"),
    )


def _counted(figure: str, number: int, of: int, reached: bool) -> tuple[str, str, str, str]:
    return figure, f"{number} of {of}", "", "reached" if reached else "short"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(prog="python -m reports.operations", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one of six of the wrong ones")
    headers = ("figure", "measured", "goal", "")
    print(tabulate(lines(parser.parse_args(arguments).quick), headers, disable_numparse=True))


if __name__ == "__main__":
    main()
