"""The located fault: the chain of links, the first wrong one, and the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.comparison.judge import Row
from harness.comparison.worst import worst
from harness.rendering import run_columns
from harness.results.numbers import counted, part, share
from harness.results.run import Run
from impls.graph import Graph
from reports.page.sections.section import Content, Section
from reports.page.subjects import ChainSubject, CheckSubject, OperationSubject, PairSubject, ProgramSubject, RunSubject
from reports.page.tables import Table, table

if TYPE_CHECKING:
    from harness.faults.operations.explanation import Explanation
    from harness.results.chain_check import ChainCheck
    from harness.results.check import Check
    from harness.results.operation_check import OperationCheck
    from harness.results.program_check import ProgramCheck
    from harness.results.program_pair import ProgramPair

MOST_ROWS = 40


@dataclass(frozen=True)
class Fault:
    """The located fault.

    Attributes:
        says: the sentence. chain: every link in order, with its verdict and what to say of it.
        facts: label and text, line by line: what should happen, what was computed, the next best guess, ...
    """

    says: str
    chain: Sequence[tuple[str, str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    table: Table | None = None


def of_run(subject: RunSubject) -> Content:
    """The first wrong link of a run."""
    return Content(fault_of_run(subject.run))


def of_check(subject: CheckSubject) -> Content:
    """The wrong links of a check, with the evidence."""
    return Content(fault_of_check(subject.check))


def of_operation(subject: OperationSubject) -> Content:
    """The wrong gradients of an operation, each with its cause."""
    return Content(fault_of_operation(subject.check))


def of_chain(subject: ChainSubject) -> Content:
    """The wrong gradients of a chain, in its order."""
    return Content(fault_of_chain(subject.check))


def of_program(subject: ProgramSubject) -> Content:
    """The operations that are wrong by themselves."""
    return Content(fault_of_program(subject.check))


def of_pair(subject: PairSubject) -> Content:
    """From where on two programs are different functions."""
    return Content(fault_of_pair(subject.pair))


def fault_of_run(run: Run) -> Fault | None:
    """The first wrong link of a run, the chain that it stands in, and every row that is not in order."""
    rows = run_columns.not_in_order(run)
    failed = [finding for finding in run.findings if finding.fails]
    if not rows and not failed:
        return None
    facts = [(finding.against, f"{finding.message} (step {finding.step})") for finding in failed]
    chain: list[tuple[str, str, str]] = []
    if first := run.first_fault:
        links = [r for r in run.steps[first.step - 1].rows if r.check == first.check and r.against == first.against]
        chain = [(row.gradient, row.verdict, share(row)) for row in links]
        facts = _facts(first, run.network) + facts
    return Fault(run.outcome.reason, chain, facts, _not_in_order(rows))


def _facts(row: Row, network: Graph | None) -> list[tuple[str, str]]:
    index = f" {counted(network, row.gradient, row.index)}" if row.index is not None else ""
    facts = [("where", f"{row.gradient} of {row.against} at step {row.step}{index}, {row.check} check")]
    if row.difference is not None:
        facts.append(("difference", f"{row.difference:+.6e}"))
    if row.allowed is not None:
        facts.append(("allowed", f"{row.allowed:.2e}"))
    facts.append(("outside", f"{row.outside:,} of {row.entries:,} entries"))
    facts += [(name, text) for name, text in (("reason", row.reason), ("cause", row.cause)) if text]
    # The record holds differences and allowances; the values themselves are had again by asking.
    told = (
        "a run record holds differences, not the values; `harness check` shows them for a backward pass of your own, "
        "`harness explain` follows a derivative path by path"
    )
    return [*facts, ("expected and yours", told)]


def _not_in_order(rows: list[Row]) -> Table | None:
    if not rows:
        return None
    more = len(rows) - MOST_ROWS
    return table(
        "Rows that are not in order",
        run_columns.FAULTS,
        rows[:MOST_ROWS],
        verdict=lambda row: row.verdict,
        more=f"and {more:,} more, which the data below has" if more > 0 else None,
    )


def fault_of_check(check: Check) -> Fault | None:
    """The wrong links of a backward pass, with the evidence for each cause."""
    if not check.wrong and not any(finding.fails for finding in check.findings):
        return None
    chain = [
        (row.gradient, row.verdict, "" if row.verdict == "not comparable" else part(row.used)) for row in check.rows
    ]
    facts = [(f"{f.against}", f.message) for f in check.findings if f.fails]
    for diagnosis in check.diagnoses:
        facts += [("link", f"{diagnosis.at}{check.place(diagnosis.at)}"), ("what should happen", diagnosis.should)]
        facts += [("what you computed", f"{cause.formula} — {cause.says}") for cause in diagnosis.causes[:4]]
        if not diagnosis.causes:
            facts.append(("what you computed", "no mistake of the catalogue gives these numbers: the cause is unknown"))
            facts += [("what is known", fact) for fact in diagnosis.known]
        elif diagnosis.causes[0].residual is not None:
            facts.append(("reproduces your numbers", f"to {diagnosis.causes[0].residual:.0e}"))
        if diagnosis.runner_up:
            facts.append(("next best guess", f"{diagnosis.runner_up.says}, off by {diagnosis.runner_up.residual:.0%}"))
        entry = diagnosis.entry
        reads = ", ".join(f"{name} = {number:.7g}" for name, number in entry.reads.items())
        where = counted(check.network, entry.tensor, entry.index)
        facts += [
            ("worst entry", f"{entry.tensor}, {where}{f': {reads}' if reads else ''}"),
            ("expected", f"{entry.expected:+.10g}"),
            ("yours", f"{entry.actual:+.10g}"),
            ("difference", f"{entry.actual - entry.expected:+.10g}"),
        ]
    if check.learning:
        learning = check.learning
        yours = "no number any more" if learning.yours is None else f"{learning.yours:.4g}"
        facts.append(
            (
                "does it matter",
                f"trained {learning.steps} steps (lr {learning.lr:g}): loss {learning.start:.4g} → {yours} with your "
                f"gradient, {learning.right:.4g} with the right one",
            )
        )
    return Fault(check.reason, chain, facts)


def fault_of_operation(check: OperationCheck) -> Fault | None:
    """The wrong gradients of an operation, the output first, and the contracts that it broke."""
    if not check.wrong and not check.failing:
        return None
    names = list(dict.fromkeys(row.gradient for row in check.rows))
    worse = [worst([row for row in check.rows if row.gradient == name]) for name in names]
    facts = [(check.contract(finding), check.said(finding)) for finding in check.failing]
    facts += [fact for found in check.causes for fact in _caused(found, check.place(found.at), " in {} cases")]
    return Fault(check.reason, [(row.gradient, row.verdict, share(row)) for row in worse], facts)


def fault_of_chain(check: ChainCheck) -> Fault | None:
    """The wrong gradients of a chain, and the contracts that it broke."""
    if not check.wrong and not check.failing:
        return None
    facts: list[tuple[str, str]] = [(finding.kind, finding.message) for finding in check.failing]
    facts += [fact for found in check.causes for fact in _caused(found, check.lines.get(found.at) or check.line)]
    return Fault(check.reason, [(row.gradient, row.verdict, share(row)) for row in check.rows], facts)


def fault_of_program(check: ProgramCheck) -> Fault | None:
    """The operations of a program that are wrong by themselves, the first in front, each with its cause."""
    if not check.wrong and check.lost is None:
        return None
    facts = [("not finite", f"{check.lost.called}: {check.lost.lost}")] if check.lost else []
    for operation in check.wrong[:MOST_ROWS]:
        facts.append(("operation", f"{operation.called}: {', '.join(operation.wrong)}"))
        facts += [fact for cause in operation.causes for fact in _caused(cause, operation.place)]
    return Fault(check.reason, [(o.called, str(o.verdict), share(o.row)) for o in check.wrong if o.row], facts)


def fault_of_pair(pair: ProgramPair) -> Fault | None:
    """The first operations of either program that differ, and those that may be first beside them."""
    facts = [(f"wrong by itself, {side.name}", side.reason) for side in pair.sides if side.wrong]
    if pair.difference is not None:
        for side, at, beside in zip(pair.sides, pair.difference.at, pair.difference.beside, strict=True):
            facts.append((f"from here on, {side.name}", str(at) if at else "where cannot be told"))
            facts += [(f"beside it, {side.name}", str(place)) for place in beside]
    return Fault(pair.reason, facts=facts) if pair.exit else None


def _caused(found: Explanation, place: tuple[str, int] | None, where: str = "") -> Iterator[tuple[str, str]]:
    """What made a gradient wrong; `where` the numbers are reproduced."""
    yield "gradient", f"{found.at} ({place[0]}:{place[1]})" if place else found.at
    yield from (("what you computed", cause.says) for cause in found.causes[:4])
    if found.causes:
        yield "reproduces your numbers", f"to {found.causes[0].residual:.0e}{where.format(found.reproduced)}"
    else:
        yield "what you computed", "no mistake of the catalogue gives these numbers: the cause is unknown"
        yield "what is known", found.known
    if found.repair:
        yield found.repair.cause, found.repair.says
    if guess := found.runner_up:
        yield "next best guess", f"{guess.says}, off by {part(guess.residual)}"


SECTION = Section(
    "fault", "Located fault", of_run, of_check, "fault.html.j2", of_operation, of_chain, None, of_program, of_pair
)
