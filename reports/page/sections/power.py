"""Power: what the comparison could have seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.comparison.judge import Row
from harness.rendering.columns import Column
from harness.results.numbers import small
from harness.results.record import PowerCount
from reports.page.sections.section import Content, Lines, Section
from reports.page.subjects import ChainSubject, CheckSubject, OperationSubject, RunSubject
from reports.page.tables import Table, table

if TYPE_CHECKING:
    from harness.results.chain_check import ChainCheck
    from harness.results.operation_check import OperationCheck

MISSED: tuple[Column[tuple[str, int]], ...] = (
    Column("comparison", lambda row: row[0]),
    Column("missed", lambda row: str(row[1]), "right"),
)


def of_run(subject: RunSubject) -> Content:
    """Planted faults, where the record has them, and what each gradient's check sees."""
    run = subject.run
    told = [str(run.power)] if run.power else ["This record holds no planted faults; `harness power` plants them."]
    tables = [_planted(run.power)] if run.power and not run.power.left_out else []
    powerless = sorted({row.gradient for row in run.rows if row.verdict == "no power"})
    if powerless:
        told.append(f"Half of {', '.join(powerless)} would pass one of the checks.")
    tables.append(sees(run.rows, run.head.gradients))
    return Content(Lines(before=told, tables=[each for each in tables if each.rows]))


def of_check(subject: CheckSubject) -> Content:
    """What a check could have seen."""
    check = subject.check
    powerless = [row.gradient for row in check.rows if row.verdict == "no power"]
    zeros = (
        f"Half of {', '.join(powerless)} would have passed."
        if powerless
        else "Half of a gradient would have passed nowhere."
    )
    told = [zeros, f"`harness power --of {check.setting.name}` plants faults in the function itself."]
    seen = sees([row for row in check.located.links if row.sees], check.setting.gradients)
    return Content(Lines(before=told, tables=[seen] if seen.rows else []))


def of_operation(subject: OperationSubject) -> Content:
    """What the check of an operation could have seen."""
    return _one(subject.check, " in every case")


def of_chain(subject: ChainSubject) -> Content:
    """What the check of a chain could have seen."""
    return _one(subject.check, "")


def _one(check: OperationCheck | ChainCheck, where: str) -> Content:
    told = (
        f"Half of {', '.join(check.powerless)} would have passed{where}."
        if check.powerless
        else "Half of a gradient would have passed nowhere."
    )
    seen = sees(check.rows, check.gradients)
    return Content(Lines(before=[told], tables=[seen] if seen.rows else []))


def _planted(power: PowerCount) -> Table:
    return table(
        f"Of {power.planted} planted faults, missed by", MISSED,
        [("this comparison", power.missed), *power.others.items()],
    )  # fmt: skip


def sees(rows: Iterable[Row], names: Iterable[str]) -> Table:
    """The smallest relative error that each check is certain to catch, for each gradient the least seeing."""
    seen: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.sees:
            seen[row.gradient, row.check] = max(row.sees, seen.get((row.gradient, row.check), 0.0))
    columns: tuple[Column[str], ...] = (
        Column("gradient", str),
        Column("formula", lambda name: small(seen.get((name, "formula"))), "right"),
        Column("rounding", lambda name: small(seen.get((name, "rounding"))), "right"),
    )
    shown = [name for name in names if (name, "formula") in seen or (name, "rounding") in seen]
    return table("The smallest relative error of an entry that would have been seen", columns, shown)


SECTION = Section("power", "Power", of_run, of_check, of_operation=of_operation, of_chain=of_chain)
