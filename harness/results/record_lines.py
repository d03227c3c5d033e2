"""What the lines of a run record must say to be taken as a record: one sentence for the first thing that is wrong.

The types are checked where the lines are decoded. Here stands what types do not tell: numbers that cannot be, names and
shapes that do not belong together. Whoever reads a record later relies on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from harness.arithmetic.profile import DTYPES

if TYPE_CHECKING:
    from harness.comparison.judge import Row
    from harness.results.records import Head, Step

CHECKED = ("full", "sample", "none")


def wrong_in_head(head: Head) -> str | None:
    """What is wrong in the head of a record, in words that follow "line 1"; None if nothing."""
    return next(_of_head(head), None)


def wrong_in_step(head: Head, step: Step) -> str | None:
    """What is wrong in a step, given the head, in words that follow "line 7"; None if nothing."""
    return next(_of_step(head, step), None)


def _of_head(head: Head) -> Iterator[str]:
    if head.dtype not in DTYPES:
        yield f"has the dtype {head.dtype[:40]!r}, which is neither {' nor '.join(DTYPES)}"
    for name, number, least in (("steps", head.steps, 0), ("batch", head.batch, 1), ("seed", head.seed, 0)):
        if number < least:
            yield f"has {name} = {number}, which is less than {least}"
    if not head.implementations:
        yield "names no implementation"
    if not head.weights or set(head.gradients) != {f"d{name}" for name in head.weights}:
        yield "has weights and gradients that do not belong together"
    if any(size < 1 for shape in head.weights.values() for size in shape):
        yield "has a weight whose shape is not made of positive numbers"


def _of_step(head: Head, step: Step) -> Iterator[str]:
    if step.step > head.steps:
        yield f"is step {step.step} of a run of {head.steps}"
    if step.checked not in CHECKED:
        yield f"says {step.checked[:40]!r} of what was checked, which is none of {', '.join(CHECKED)}"
    for row in step.rows:
        yield from _of_row(row, step.step)
    if step.weights is not None and _sizes(step) != {name: prod(shape) for name, shape in head.weights.items()}:
        yield "holds weights that do not have the shapes of line 1"
    if any(drift < 0 for drift in step.drift.values()):
        yield "has a negative drift"
    if step.undecided < 0:
        yield "has a negative number of undecided kinks"
    for certificate in step.certificates:
        for error in certificate.errors:
            numbers = (error.error, error.allowed, error.used, error.ulp, error.median_ulp, error.largest_ulp)
            if any(number is not None and number < 0 for number in numbers):
                yield f"has a negative true error of {error.gradient[:40]!r}"


def _of_row(row: Row, step: int) -> Iterator[str]:
    if row.step != step:
        yield f"is step {step} and has a row of step {row.step}"
    for name in ("allowed", "used", "sees", "sees_95", "entries", "outside", "zeros", "unbounded"):
        number = getattr(row, name)
        if number is not None and number < 0:
            yield f"has a row of {row.gradient[:40]!r} with {name} = {number}, which is negative"
    if row.outside > row.entries:
        yield f"has a row of {row.gradient[:40]!r} with {row.outside} of {row.entries} entries outside"


def _sizes(step: Step) -> dict[str, int]:
    return {name: len(flat) for name, flat in (step.weights or {}).items()}
