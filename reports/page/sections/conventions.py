"""Conventions that the numbers of a page rest on, and the kinks that were met."""

from __future__ import annotations

from harness.inputs.cases import called
from reports.page.sections.section import Content, Section
from reports.page.subjects import CheckSubject, OperationSubject, RunSubject

MOST_ROWS = 40


def of_run(subject: RunSubject) -> Content:
    """Of a run."""
    run = subject.run
    rows = run.select(lambda row: row.verdict == "convention")
    met = [
        f"{row.gradient} of {row.against} at step {row.step}: another subgradient at a kink is taken, which is "
        f"right too ({row.outside} of {row.entries} entries)."
        for row in rows[:MOST_ROWS]
    ]
    kinks = run.undecided
    told = f"{kinks:,} arguments were closer to a kink than their float64 bound." if kinks else "No kink was undecided."
    return Content([*_always(run.head.loss_formula), told, *(met or ["No row differs by a convention."])])


def of_check(subject: CheckSubject) -> Content:
    """Of a check."""
    check = subject.check
    rows = [row for row in check.rows if row.verdict == "convention"]
    met = [f"{row.gradient}: another subgradient at a kink is taken, which is right too." for row in rows]
    kinks = check.located.undecided
    told = (
        f"{kinks:,} arguments are so near a kink that either side may be taken." if kinks else "No kink is undecided."
    )
    return Content([*_always(check.setting.loss_formula), told, *(met or ["No link differs by a convention."])])


def of_operation(subject: OperationSubject) -> Content:
    """Of the check of an operation, and how its allowances were had."""
    check = subject.check
    allowance = (
        "Allowances are measured on the reference, times a stated factor; none of them is derived." if check.measured
        else "Allowances are derived: every admissible program of the same formula is within them."
    )  # fmt: skip
    met = [
        f"{row.gradient} in {called(check.case(row))}: another subgradient at a kink is taken, which is right too."
        for row in check.rows
        if row.verdict == "convention"
    ]
    return Content([allowance, *(vote.says for vote in check.votes), *(met or ["No row differs by a convention."])])


def _always(loss: str) -> list[str]:
    return [
        "w_ij^(l): i is the source, j the destination, counted from 1; W has shape (n_in, n_out), z = x W + b. "
        "torch.nn.Linear keeps W transposed, flax does not.",
        f"The loss is {loss}.",
    ]


SECTION = Section("conventions", "Conventions", of_run, of_check, "conventions.html.j2", of_operation)
