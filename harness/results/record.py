"""What a run record says: one line for the head, one per step, one for the end; what is wrong in one, what is lost.

The types are checked where the lines are decoded. `wrong_in_head` and `wrong_in_step` find what types do not tell:
numbers that cannot be, names and shapes that do not belong together. Whoever reads a record later relies on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import msgspec

from harness.comparison.certification import Certificate
from harness.comparison.judge import Finding, Row
from harness.formats import DTYPES
from impls.graph import prefixed


class PowerCount(msgspec.Struct, frozen=True):
    """How many planted faults a run's checks, and others, would miss.

    Attributes:
        planted: faults; ``possible`` in the whole catalogue.
        links: at which they were planted; ``among`` so many, where the others were left out.
        unchanged: of them make no difference on this data.
        missed: of them neither the formula check nor the rounding check sees.
        others: by the name of a comparison, how many it would miss.
        left_out: why nothing was planted, or None.
        which: of those missed the first, cause and link: ``sign flipped at dz2``.
    """

    planted: int
    possible: int
    links: int
    unchanged: int
    missed: int
    others: dict[str, int] = {}
    left_out: str | None = None
    which: list[str] = []
    among: int | None = None

    def __str__(self) -> str:
        if self.left_out:
            return f"not measured: {self.left_out}"
        sample = f" (an even sample of {self.possible})" if self.planted < self.possible else ""
        links = f"{self.links} of {self.among}" if self.among else f"{self.links}"
        same = f" ({self.unchanged} change nothing on this data)" if self.unchanged else ""
        told = f"{self.planted} faults{sample} planted at {links} links{same}, {self.missed} missed"
        missed = [f"{name} {number}" for name, number in self.others.items()]
        return f"{told}; others at their defaults would miss: {', '.join(missed)}" if missed else told


SCHEMA = 1
WEIGHTS_KEPT = 10_000
"""Up to this many parameters a record holds the weights of each step, and at some steps all gradients; above, the
weights' digest and the seed."""
DATA_KEPT = 10_000
"""Up to this many numbers, targets included, a record holds the data; above, what it is called."""
Ending = Literal["finished", "interrupted", "diverged", "cut off"]
Verdict = Literal["FAIL", "NOT COMPARED", "NO POWER", "PASS"]  # the gravest first


class Head(msgspec.Struct, frozen=True, tag="run", tag_field="kind"):
    """What a run was asked to do, where, and what it takes for granted.

    Attributes:
        command: how it was asked for on the command line, if it was.
        data_digest: SHA-256 of the data in the working dtype, as the network reads it.
        x, y: every row of the data, if it is small and has no name by which it can be had again.
    """

    schema: int
    created: str
    network: str
    description: str
    loss_formula: str
    weights: dict[str, tuple[int, ...]]
    gradients: tuple[str, ...]
    activations: tuple[str, ...]
    data: str
    optimizer: str
    dtype: str
    seed: int
    steps: int
    batch: int
    schedule: str
    implementations: dict[str, str]
    environment: dict[str, str]
    ledger: list[str]
    named: bool = False
    free_run: bool = False
    exact: bool = False
    command: str | None = None
    data_digest: str | None = None
    x: list[Any] | dict[str, Any] | None = None
    y: list[Any] | None = None


Checked = Literal["full", "sample", "none"]
"""How much of a step is judged."""


class Step(msgspec.Struct, frozen=True, tag="step", tag_field="kind"):
    """One step: the weights' digest, every implementation's loss, every row, every finding.

    Attributes:
        losses: loss before the update; null where it is not finite.
        undecided: arguments closer to their kink than their float64 bound.
        weights: before the update, flattened, for small networks.
        drift: in a free run, largest difference of each implementation's weights, and the twin's, from the
            hand code's, before the update.
        certificates: where the truth was found, one for each point.
        doubles: where they were had, at steps 1, 2, 4, 8, ... and the last, for small networks: the gradients in
            float64 of every implementation at these weights, but the hand code's, flattened; null where not finite.
    """

    step: int
    digest: str
    checked: Checked
    losses: dict[str, float | None]
    rows: list[Row]
    findings: list[Finding]
    undecided: int = 0
    weights: dict[str, list[float]] | None = None
    drift: dict[str, float] = {}
    certificates: list[Certificate] = []
    doubles: dict[str, dict[str, list[float | None]]] = {}


class End(msgspec.Struct, frozen=True, tag="end", tag_field="kind"):
    """How a run ended, and what its checks would have missed."""

    how: Ending
    steps: int
    verdict: Verdict
    exit: int
    power: PowerCount | None = None


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
    gradients, of_weights = set(head.gradients), {prefixed("d", name) for name in head.weights}
    # In a graph, inputs may have gradients too.
    if not of_weights or not (gradients == of_weights or (gradients > of_weights and "Input(" in head.network)):
        yield "has weights and gradients that do not belong together"
    if any(size < 1 for shape in head.weights.values() for size in shape):
        yield "has a weight whose shape is not made of positive numbers"


def _of_step(head: Head, step: Step) -> Iterator[str]:
    if step.step > head.steps:
        yield f"is step {step.step} of a run of {head.steps}"
    for row in step.rows:
        yield from _of_row(row, step.step)
    sizes = {name: prod(shape) for name, shape in head.weights.items()}
    if step.weights is not None and _sizes(step.weights) != sizes:
        yield "holds weights that do not have the shapes of line 1"
    of_gradients = {prefixed("d", name): size for name, size in sizes.items()}
    if any(_sizes(found) != of_gradients for found in step.doubles.values()):
        yield "holds gradients that do not have the shapes of line 1"
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


def _sizes(kept: Mapping[str, Sequence[Any]]) -> dict[str, int]:
    return {name: len(flat) for name, flat in kept.items()}


MOST_TOLD = 4


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What a damaged record lacks.

    Attributes:
        steps: by number.
        lines: which are damaged, each with what is wrong there, in words that follow "line 7".
        end: the last line, where it is whole.
        whole: number of the last line that is not damaged.
    """

    steps: tuple[int, ...]
    lines: tuple[tuple[int, str], ...]
    end: End | None
    whole: int

    def __str__(self) -> str:
        steps = f"step{'s' * (len(self.steps) > 1)} {_listed(self.steps)}" if self.steps else ""
        end = "its end" if self.end is None and self.lines and self.lines[-1][0] > self.whole else ""
        lacking = " and ".join(filter(None, [steps, end])) or "no step"
        first = "; ".join(f"line {number} {wrong}" for number, wrong in self.lines[:1])
        more = f", and so {_are(len(self.lines) - 1)}" if len(self.lines) > 1 else ""
        return ": ".join(filter(None, [lacking, f"{first}{more}"]))


def _listed(numbers: tuple[int, ...]) -> str:
    *some, last = [str(number) for number in numbers[:MOST_TOLD]]
    if len(numbers) > MOST_TOLD:
        return f"{', '.join([*some, last])} and {len(numbers) - MOST_TOLD} more"
    return f"{', '.join(some)} and {last}" if some else last


def _are(more: int) -> str:
    return f"is {more} more" if more == 1 else f"are {more} more"
