"""What the sections of a page say in words and tables; each is there also where there is nothing to tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec import to_builtins

from harness.cells import counted, part, place, share, small
from harness.checking.check import Check
from harness.comparison import SEVERITY, Row
from harness.runs import Run
from harness.verdicts import first_fault

MOST_ROWS = 40
SIGNS = {"ok": "✓", "FAULT": "✗", "inherited": "↳", "convention": "≈", "no power": "○", "not comparable": "–"}
"""A sign for each verdict, beside its word."""


@dataclass(frozen=True)
class Table:
    """Headers, rows of cells, and for each column whether it holds numbers; a verdict of a row colours it.

    Attributes:
        groups: headers above the headers, each with the number of columns that it spans.
        more: what is left out.
    """

    caption: str
    headers: list[str]
    rows: list[list[str]]
    numeric: list[bool]
    verdicts: list[str] = field(default_factory=list)
    more: str | None = None
    groups: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Fault:
    """The located fault.

    Attributes:
        says: the sentence. chain: every link in order, with its verdict and what to say of it.
        facts: label and text, line by line: what should happen, what was computed, the next best guess, ...
    """

    says: str
    chain: list[tuple[str, str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    table: Table | None = None


def gradients(run: Run) -> Table:
    """One row for each weight gradient and implementation: both checks and the difference in the working dtype."""
    rows, verdicts = [], []
    for name in run.head.gradients:
        label = f"{name} {'×'.join(map(str, run.head.weights.get(name[1:], ())))}"
        for against in run.head.implementations:
            found = {check: run.find(check, name, against) for check in ("formula", "rounding", "end-to-end")}
            judged = [row for row in found.values() if row]
            if not judged:
                continue
            cells = [label, against]
            for check in ("formula", "rounding"):
                row = found[check]
                cells += [share(row), small(row.sees if row else None), place(row)]
            last = found["end-to-end"]
            gap = None if last is None or last.difference is None else abs(last.difference)
            gravest = min(judged, key=lambda row: SEVERITY.index(row.verdict)).verdict
            rows.append([*cells, small(gap), share(last), f"{SIGNS[gravest]} {gravest}"])
            verdicts.append(gravest)
    dtype = run.head.dtype
    return Table(
        "Every weight gradient, the worst of all steps. Used is the share of the allowance, sees the smallest relative "
        "error that would have been seen.",
        ["gradient", "against", *["used", "sees", "at"] * 2, "|Δ|", "used", "verdict"], rows,
        [False, False, *[True, True, False] * 2, True, True, False], verdicts,
        groups=[("", 2), ("formula: float64, end to end", 3), (f"rounding: {dtype}, link by link", 3), (f"{dtype}, hand to it", 2), ("", 1)],
    )  # fmt: skip


def losses(run: Run, steps: list[int]) -> Table:
    """The loss of every implementation at some steps."""
    names = list(run.head.implementations)
    rows = [[str(s), *(_number(run.steps[s - 1].losses.get(name)) for name in names)] for s in steps]
    return Table("Loss before the update of a step", ["step", *names], rows, [True] * (len(names) + 1))


def drift(run: Run, steps: list[int]) -> Table:
    """The drift of every implementation and the twin at some steps of a free run."""
    rows = [[str(s), *(small(values[s - 1]) for values in run.drift.values())] for s in steps]
    return Table("Largest |w − w of hand| before the update of a step", ["step", *run.drift], rows, [True] * (len(run.drift) + 1))


def fault_of_run(run: Run) -> Fault | None:
    """The first wrong link of a run, the chain that it stands in, and every row that is not in order."""
    rows = run.select(lambda row: row.verdict not in ("ok", "no power"))
    failed = [finding for finding in run.findings if finding.fails]
    if not rows and not failed:
        return None
    facts = [(finding.against, f"{finding.message} (step {finding.step})") for finding in failed]
    chain: list[tuple[str, str, str]] = []
    if run.faults:
        first = first_fault(run.faults)
        links = [r for r in run.steps[first.step - 1].rows if r.check == first.check and r.against == first.against]
        chain = [(row.gradient, row.verdict, share(row)) for row in links]
        facts = _facts(first) + facts
    return Fault(run.outcome.reason, chain, facts, _not_in_order(rows))


def _facts(row: Row) -> list[tuple[str, str]]:
    index = f" {counted(row.gradient, row.index)}" if row.index is not None else ""
    facts = [("where", f"{row.gradient} of {row.against} at step {row.step}{index}, {row.check} check")]
    if row.difference is not None:
        facts.append(("difference", f"{row.difference:+.6e}"))
    if row.allowed is not None:
        facts.append(("allowed", f"{row.allowed:.2e}"))
    facts.append(("outside", f"{row.outside:,} of {row.entries:,} entries"))
    return facts + [(name, text) for name, text in (("reason", row.reason), ("cause", row.cause)) if text]


def _not_in_order(rows: list[Row]) -> Table | None:
    if not rows:
        return None
    told = sorted(rows, key=lambda row: (SEVERITY.index(row.verdict), row.step))
    cells = [
        [
            row.check, row.gradient, row.against, f"{SIGNS[row.verdict]} {row.verdict}", str(row.step),
            f"{row.outside:,} of {row.entries:,}" if row.entries else "",
            small(None if row.difference is None else abs(row.difference)), small(row.allowed), row.cause or row.reason or "",
        ]
        for row in told[:MOST_ROWS]
    ]  # fmt: skip
    more = len(rows) - MOST_ROWS
    return Table(
        "Rows that are not in order", ["check", "tensor", "against", "verdict", "step", "outside", "|Δ|", "allowed", "reason"],
        cells, [False, False, False, False, True, True, True, True, False], [row.verdict for row in told[:MOST_ROWS]],
        f"and {more:,} more, which the data below has" if more > 0 else None,
    )  # fmt: skip


def links(check: Check) -> Table:
    """Every tensor that a backward pass shows, in order, with its verdict."""
    rows = []
    for row in check.rows:
        cosine = check.located.cosines.get(row.gradient)
        note = row.reason or ""
        if row.gradient == check.first_wrong:
            note = "first wrong link"
        elif row.verdict == "inherited":
            note = f"right, given your {check.setting.upstream.get(row.gradient, 'own upstream')}"
        rows.append([
            row.gradient, "×".join(map(str, check.setting.shapes[row.gradient])) or "1",
            "" if row.verdict == "not comparable" else part(row.used), small(row.sees),
            "" if cosine is None else f"{cosine:.3f}", f"{SIGNS[row.verdict]} {row.verdict}", note,
        ])  # fmt: skip
    headers = ["link", "shape", "used", "sees", "cos", "verdict", ""]
    numeric = [False, False, True, True, True, False, False]
    return Table("Links of the backward pass", headers, rows, numeric, [row.verdict for row in check.rows])


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
        facts += [
            ("worst entry", f"{entry.tensor}, {counted(entry.tensor, entry.index)}{f': {reads}' if reads else ''}"),
            ("expected", f"{entry.expected:+.10g}"), ("yours", f"{entry.actual:+.10g}"),
            ("difference", f"{entry.actual - entry.expected:+.10g}"),
        ]  # fmt: skip
    if check.learning:
        learning = check.learning
        yours = "no number any more" if learning.yours is None else f"{learning.yours:.4g}"
        facts.append((
            "does it matter",
            f"trained {learning.steps} steps (lr {learning.lr:g}): loss {learning.start:.4g} → {yours} with your "
            f"gradient, {learning.right:.4g} with the right one",
        ))  # fmt: skip
    return Fault(check.reason, chain, facts)


def power(run: Run) -> tuple[list[str], Table | None]:
    """What this run could have seen: planted faults, where the record has them, and what each gradient's check sees."""
    counted_ = getattr(run, "power", None)
    told = [str(counted_)] if counted_ else ["This record holds no planted faults; `harness power` plants them."]
    table = None
    if counted_ and not counted_.left_out:
        found = to_builtins(counted_)
        rows = [["this comparison", str(found["missed"])], *([name, str(n)] for name, n in found["others"].items())]
        table = Table(f"Of {found['planted']} planted faults, missed by", ["comparison", "missed"], rows, [False, True])
    powerless = sorted({row.gradient for row in run.rows if row.verdict == "no power"})
    if powerless:
        told.append(f"Zeros in place of {', '.join(powerless)} would pass one of the checks.")
    return told, table


def sees(rows: Iterable[Row], names: Iterable[str]) -> Table:
    """The smallest relative error that each check is certain to catch, for each gradient the least seeing."""
    judged = [row for row in rows if row.sees is not None]
    cells = []
    for name in names:
        best = [
            max((row.sees for row in judged if row.gradient == name and row.check == check and row.sees), default=None)
            for check in ("formula", "rounding")
        ]
        if any(best):
            cells.append([name, *map(small, best)])
    return Table(
        "The smallest relative error of an entry that would have been seen", ["gradient", "formula", "rounding"], cells,
        [False, True, True],
    )  # fmt: skip


def conventions_of_run(run: Run) -> list[str]:
    """The conventions that a run's numbers rest on, and the kinks that it met."""
    rows = run.select(lambda row: row.verdict == "convention")
    met = [
        f"{row.gradient} of {row.against} at step {row.step}: another subgradient at a kink is taken, which is right too "
        f"({row.outside} of {row.entries} entries)."
        for row in rows[:MOST_ROWS]
    ]
    kinks = run.undecided
    told = f"{kinks:,} arguments were closer to a kink than their float64 bound." if kinks else "No kink was undecided."
    return [*_always(run.head.loss_formula), told, *(met or ["No row differs by a convention."])]


def conventions_of_check(check: Check) -> list[str]:
    """The conventions that a check's numbers rest on, and the kinks that it met."""
    rows = [row for row in check.rows if row.verdict == "convention"]
    met = [f"{row.gradient}: another subgradient at a kink is taken, which is right too." for row in rows]
    kinks = check.located.undecided
    told = f"{kinks:,} arguments are so near a kink that either side may be taken." if kinks else "No kink is undecided."
    return [*_always(check.setting.loss_formula), told, *(met or ["No link differs by a convention."])]


def _always(loss: str) -> list[str]:
    return [
        "w_ij^(l): i is the source, j the destination, counted from 1; W has shape (n_in, n_out), z = x W + b. "
        "torch.nn.Linear keeps W transposed, flax does not.",
        f"The loss is {loss}.",
    ]


def _number(value: float | None) -> str:
    return "not finite" if value is None else repr(value)


def bars(check: Check) -> list[dict[str, Any]]:
    """Every link with a share, for the chart."""
    return [{"link": row.gradient, "used": row.used, "verdict": row.verdict} for row in check.rows]
