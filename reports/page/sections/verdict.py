"""The verdict in a table: every gradient of a run, every link of a check, and what else was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.comparison.certification import TrueError
from harness.comparison.judge import Finding
from harness.rendering import chain_screen, check_columns, operation_screen, pair_screen, program_screen, run_columns
from harness.rendering.columns import Column
from harness.results.numbers import part, place, ulps
from harness.results.run import Run
from reports.page.sections.section import Content, Section
from reports.page.subjects import ChainSubject, CheckSubject, OperationSubject, PairSubject, ProgramSubject, RunSubject
from reports.page.tables import Table, table

if TYPE_CHECKING:
    from harness.results.check import Check
    from harness.results.operation_check import OperationCheck


def of_run(subject: RunSubject) -> Content:
    """Every gradient, and true errors where they are known."""
    run = subject.run
    tables = [gradients(run)] if run.rows else []
    tables += [truth(run)] if run.true_errors else []
    return Content(_shown(tables, run.findings))


def of_check(subject: CheckSubject) -> Content:
    """Every link."""
    check = subject.check
    return Content(_shown([links(check)] if check.rows else [], check.findings))


def of_operation(subject: OperationSubject) -> Content:
    """Every gradient in every case."""
    check = subject.check
    return Content(_shown([cases(check)] if check.rows else [], check.findings))


def of_chain(subject: ChainSubject) -> Content:
    """Every gradient, in the order of the backward pass."""
    check = subject.check
    shown = table(
        "Every gradient by hand, each given your own upstream. Used is the share of the allowance, sees the smallest "
        "relative error that would have been seen.",
        chain_screen.of_chain(check),
        check.rows,
        verdict=lambda row: row.verdict,
    )
    return Content(_shown([shown] if check.rows else [], check.findings))


def of_program(subject: ProgramSubject) -> Content:
    """Every operation, in the order of the backward pass."""
    check = subject.check
    shown = table(
        "Every operation, each given its own operands and upstream gradient, the last first. Used is the share of the "
        "allowance, sees the smallest relative error that would have been seen.",
        program_screen.OF_PROGRAM,
        check.operations,
        verdict=lambda operation: operation.verdict or "not comparable",
    )
    return Content(_shown([shown] if check.operations else [], []))


def of_pair(subject: PairSubject) -> Content:
    """Loss, gradients and what is left behind; then whose weight is whose."""
    pair = subject.pair
    both = table(
        "Loss, gradients and what is left behind, in float64 from the same numbers. Used is the share of the allowance "
        "of both, sees the smallest relative difference that would have been seen.",
        pair_screen.END_TO_END,
        pair.rows,
        verdict=lambda row: row.verdict,
    )
    given = table("Whose weight is whose, and how it lies there.", pair_screen.WEIGHTS, pair.pairs)
    return Content(_shown([both, given], []))


def _shown(tables: Sequence[Table], findings: Sequence[Finding]) -> dict[str, Any]:
    return {"tables": tables, "findings": findings}


def gradients(run: Run) -> Table:
    """One row for each weight gradient and implementation: both checks and the difference in the working dtype."""
    return table(
        "Every weight gradient, the worst of all steps. Used is the share of the allowance, sees the smallest relative "
        "error that would have been seen.",
        run_columns.gradients(run),
        run_columns.compared(run),
        verdict=lambda each: each.verdict,
    )


def truth(run: Run) -> Table:
    """How far each implementation is from the truth, where a run found it."""
    names = list(run.head.gradients)
    columns: tuple[Column[TrueError], ...] = (
        Column("gradient", lambda error: error.gradient),
        Column("against", lambda error: error.against),
        Column("dtype", lambda error: error.dtype),
        Column("used", lambda error: part(error.used), "right"),
        Column("median ulp", lambda error: ulps(error.median_ulp), "right"),
        Column("largest ulp", lambda error: ulps(error.largest_ulp), "right"),
        Column("at", lambda error: place(error, run.network)),
    )
    errors = [error for error in run.true_errors if error.gradient in names]
    return table(
        "True errors: the distance to the true gradient, as a share of the allowance and in ulp",
        columns,
        sorted(errors, key=lambda error: names.index(error.gradient)),
    )


def links(check: Check) -> Table:
    """Every tensor that a backward pass shows, in order, with its verdict."""
    return table(
        "Links of the backward pass", check_columns.links(check), check.rows, verdict=lambda row: row.verdict
    )  # fmt: skip


def cases(check: OperationCheck) -> Table:
    """Every gradient of an operation, case by case, then its output."""
    return table(
        "Every gradient in every case. Used is the share of the allowance, sees the smallest relative error that would "
        "have been seen.",
        operation_screen.of_operation(check),
        operation_screen.every_case(check),
        verdict=lambda line: line[0].verdict,
    )


SECTION = Section(
    "results", "Verdict", of_run, of_check, "verdict.html.j2", of_operation, of_chain, None, of_program, of_pair
)
