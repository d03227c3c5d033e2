"""The page: what its sections show, as one object made from a `Run` or a `Check`, for the templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.batches import Batches
from harness.checking.check import Check
from harness.cli.spelling import spelled
from harness.comparison import SEVERITY
from harness.conformance import Finding
from harness.rebuilding import batches_of_head, network_of
from harness.runs import Run
from harness.schedule import milestone
from harness.tables import heading
from harness.usage import UsageError
from impls.hand import Network
from reports.page import charts, sections
from reports.page.charts import Figure
from reports.page.drawing import Drawing, drawn
from reports.page.explorer import SAMPLE, Cell, Explorer, best_of, explored
from reports.page.numbers import packed, spaced
from reports.page.sections import Fault, Table
from reports.page.series import CHECKS, Series, Worst

SIGNS = {"PASS": "✓", "FAIL": "✗", "NO POWER": "○", "NOT COMPARED": "–"}
CONTENTS = [
    ("results", "Verdict"), ("drawing", "Network"), ("charts", "Lockstep"), ("paths", "Path by path"),
    ("fault", "Located fault"), ("power", "Power"), ("conventions", "Conventions"), ("reproduce", "Reproduce"),
]  # fmt: skip
MOST_STEPS = 1000
NO_DATA = "the record does not hold the data, which has more than 10,000 numbers and no name, or an older version wrote it"


@dataclass(frozen=True)
class Shown:
    """A chart with its heading, and the same as a table."""

    title: str
    figure: Figure
    table: Table | None = None


@dataclass
class Page:
    """Everything that a page shows.

    Attributes:
        steps: those that the slider reaches.
        now: the worst rows at the last of them; now_arrays: the same for all, for the script.
        record: the JSON object to download.
    """

    kind: str
    title: str
    verdict: str
    reason: str
    heading: list[str]
    record: dict[str, Any]
    command: str
    facts: list[tuple[str, str]]
    conventions: list[str]
    warnings: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    results: list[Table] = field(default_factory=list)
    drawing: Drawing | None = None
    drawing_says: str = ""
    no_drawing: str = ""
    steps: list[int] = field(default_factory=list)
    planned: int = 0
    now: list[Worst] = field(default_factory=list)
    now_losses: list[tuple[str, str]] = field(default_factory=list)
    now_arrays: dict[str, Any] | None = None
    figures: list[Shown] = field(default_factory=list)
    chart_notes: list[str] = field(default_factory=list)
    reduced: str | None = None
    explorer: Explorer = field(default_factory=Explorer)
    no_paths: str = ""
    fault: Fault | None = None
    power: list[str] = field(default_factory=list)
    power_tables: list[Table] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)

    @property
    def sign(self) -> str:
        """Of the verdict, beside its word."""
        return SIGNS.get(self.verdict, "")

    @property
    def contents(self) -> list[tuple[str, str]]:
        """The sections, by id and name."""
        return CONTENTS

    @property
    def chosen(self) -> str | None:
        """The weight that the explorer begins with."""
        return self.explorer.worth

    @property
    def begin(self) -> Cell | None:
        """What the explorer begins with."""
        return self.explorer.cells[self.chosen][-1] if self.chosen else None


def page_of_run(run: Run) -> Page:
    """The page of a run, complete or not."""
    network, batches, why = _rebuilt(run)
    drawing = drawn(network, run, batches) if network else None
    steps = (drawing.steps if drawing else []) or spaced(len(run.steps), MOST_STEPS, lambda s: milestone(s, len(run.steps)))
    series = Series(run)
    explorer = explored(run, network, batches) if network and batches else Explorer(missing=why)
    figures, notes = _charts(run, series)
    told, table = sections.power(run)
    powers = [table, sections.sees(run.rows, run.head.gradients)]
    return Page(
        kind="lockstep run", title=run.head.description, verdict=run.verdict, reason=run.outcome.reason,
        heading=heading(run).split("\n"), record=run.to_dict(), command=run.head.command or _command(run),
        facts=_facts_of_run(run), conventions=sections.conventions_of_run(run), warnings=_warnings(run),
        findings=run.findings, results=[sections.gradients(run)] if run.rows else [],
        drawing=drawing, no_drawing=f"There is no drawing: {why}", drawing_says=_legend(drawing, batches),
        steps=steps, planned=len(run.steps), now=_now(run, steps), now_losses=_losses(run, steps),
        now_arrays=_now_arrays(run, steps), figures=figures, chart_notes=notes, reduced=series.reduced,
        explorer=explorer, no_paths=f"No derivative is explained here: {explorer.missing}.",
        fault=sections.fault_of_run(run), power=told, power_tables=[t for t in powers if t and t.rows],
        ledger=run.head.ledger,
    )  # fmt: skip


def page_of_check(check: Check) -> Page:
    """The page of a checked backward pass."""
    setting = check.setting
    try:
        drawing: Drawing | None = drawn(network_of(setting.network))
    except UsageError as error:
        drawing, why = None, str(error)
    else:
        why = ""
    bars = sections.bars(check)
    figures = [Shown("Shares of the allowance", charts.shares(bars))] if any(bar["used"] for bar in bars) else []
    first = check.first_wrong
    explain = f'harness explain "W{first.lstrip("dzabW")}[1,1]" {setting.explain}' if first and setting.explain else "harness explain"
    sees = sections.sees([row for row in check.located.links if row.sees], setting.gradients)
    powerless = [row.gradient for row in check.rows if row.verdict == "no power"]
    told = f"Zeros in place of {', '.join(powerless)} would have passed." if powerless else "Zeros would not have passed anywhere."
    facts = [("function", setting.name), ("network", setting.network), ("data", setting.data), ("dtype", setting.dtype)]
    facts += [("seed", str(setting.seed))] if setting.seed is not None else []
    return Page(
        kind="check of a backward pass", title=setting.name, verdict=check.verdict, reason=check.reason,
        heading=[f"{setting.description} · {setting.loss_formula} · {setting.data} · {setting.dtype} · batch {setting.rows}"],
        record=check.to_dict(), command=spelled() or f"harness check {setting.name}",
        facts=[*facts, *setting.environment.items()], conventions=sections.conventions_of_check(check),
        findings=check.findings, results=[sections.links(check)] if check.rows else [], drawing=drawing,
        no_drawing=f"There is no drawing: {why}", drawing_says="The network that was checked; a check has one step, and its result keeps no weights.",
        figures=figures,
        chart_notes=["A check compares one backward pass at one point, so there are no steps, no losses and no drift to show."],
        no_paths=f"A check's result keeps no weights; {explain} follows a derivative path by path.",
        fault=sections.fault_of_check(check), power=[told, "`harness power --of` plants faults in the function itself."],
        power_tables=[sees] if sees.rows else [],
    )  # fmt: skip


def _rebuilt(run: Run) -> tuple[Network | None, Batches | None, str]:
    """Network and batches as far as the record allows, and why not further."""
    try:
        network = network_of(run.head.network)
    except UsageError as error:
        return None, None, str(error)
    sizes = {name: int(np.prod(shape)) for name, shape in network.weights.items()}
    for step in run.steps:
        if step.weights is not None and {name: len(flat) for name, flat in step.weights.items()} != sizes:
            return None, None, f"the weights that the record holds for step {step.step} do not fit its network"
    try:
        batches = batches_of_head(run.head, network)
    except UsageError as error:
        return network, None, str(error)
    return network, batches, NO_DATA if batches is None else ""


def _warnings(run: Run) -> list[str]:
    told = {
        "cut off": f"The record ends after step {len(run.steps)} of {run.head.steps}: the run was killed or is still under way. "
        f"This page shows the finished steps.",
        "interrupted": f"The run was interrupted after step {len(run.steps)} of {run.head.steps}. This page shows the finished steps.",
        "diverged": f"The training diverged at step {len(run.steps)} of {run.head.steps}.",
    }
    warnings = [told[run.how]] if run.how in told else []
    return [*warnings, run.unrecorded] if run.unrecorded else warnings


def _legend(drawing: Drawing | None, batches: Batches | None) -> str:
    if drawing is None:
        return ""
    told = "Solid lines are positive weights, dashed lines negative ones, and their width is |w|; short lines are biases."
    inside = f" Inside a neuron stands its output for sample {SAMPLE}, in L that sample's loss." if batches else ""
    hidden = " Of wide layers the first neurons are drawn." if drawing.hidden else ""
    none = "" if drawing.steps else " The record holds no weights, so all lines are alike."
    return told + inside + hidden + none


def _charts(run: Run, series: Series) -> tuple[list[Shown], list[str]]:
    last = len(run.steps)
    if not last:
        return [], ["No step was run, so there is nothing to chart."]
    at = [step for step in range(1, last + 1) if milestone(step, last)]
    shown, notes = [], []
    if any(value is not None for values in run.losses.values() for value in values):
        shown.append(Shown("Loss, and how far the losses are apart", charts.loss(series), sections.losses(run, at)))
    if run.rows:
        shown.append(Shown("Shares of the allowance", charts.heat(series), _shares(series)))
        shown.append(Shown("How often which share was used", charts.histogram(series)))
    if series.drift():
        shown.append(Shown("Drift", charts.drift(series), sections.drift(run, at)))
        notes += [f"{name}: drift {run.explanation(name)}." for name in run.drift if name in run.head.implementations]
    elif run.head.free_run:
        notes.append("Drift: no weights came apart.")
    else:
        notes.append("Drift: none, since in lockstep all start every step from the same weights; --free-run lets them drift.")
    return shown, notes


def _shares(series: Series) -> Table:
    """Of each gradient the columns in which the largest share was used."""
    best: dict[str, Worst] = {}
    for worst in series.worst:
        if worst.used is not None and worst.used > ((best[worst.gradient].used or 0.0) if worst.gradient in best else -1.0):
            best[worst.gradient] = worst
    rows = [[w.gradient, sections.part(w.used), w.against, w.check, str(w.step), w.verdict] for w in best.values()]
    return Table(
        "The largest share of each gradient", ["gradient", "used", "by", "check", "step", "verdict"], rows,
        [False, True, False, False, True, False],
    )  # fmt: skip


def _now(run: Run, steps: list[int]) -> list[Worst]:
    if not steps:
        return []
    last = Series(Run(run.head, [run.steps[steps[-1] - 1]]))
    found = {worst.gradient: worst for worst in last.worst}
    none = ("", "", None, "not compared at this step")
    return [found.get(name) or Worst(name, 1, 1, 1, *none) for name in run.head.gradients]


def _losses(run: Run, steps: list[int]) -> list[tuple[str, str]]:
    losses = run.steps[steps[-1] - 1].losses if steps else {}
    return [(n, "not finite" if losses.get(n) is None else repr(losses[n])) for n in run.head.implementations]


def _now_arrays(run: Run, steps: list[int]) -> dict[str, Any] | None:
    """For every step of the slider and every gradient the worst share, by whom, in which check; losses."""
    if not steps:
        return None
    names, gradients = list(run.head.implementations), run.head.gradients
    used = np.full((len(steps), len(gradients)), np.nan, np.float32)
    by, check, verdict = (np.full(used.shape, 255, np.uint8) for _ in range(3))
    losses = np.full((len(steps), len(names)), np.nan)
    for place, step in enumerate(steps):
        losses[place] = [np.nan if v is None else v for v in map(run.steps[step - 1].losses.get, names)]
        for worst in Series(Run(run.head, [run.steps[step - 1]])).worst:
            at = place, gradients.index(worst.gradient)
            used[at] = np.nan if worst.used is None else min(worst.used, float(np.finfo(np.float32).max))
            by[at] = min(names.index(worst.against), 255) if worst.against in names else 255
            check[at], verdict[at] = CHECKS.index(worst.check), SEVERITY.index(worst.verdict)  # type: ignore[arg-type]
    arrays = {"used": used, "by": by, "check": check, "verdict": verdict, "losses": losses}
    return {
        **{name: {"dtype": str(array.dtype), "bytes": packed(array)} for name, array in arrays.items()},
        "names": names, "checks": list(CHECKS), "verdicts": list(SEVERITY),
    }  # fmt: skip


def _command(run: Run) -> str:
    """What makes such a run in Python, where no command made it."""
    head = run.head
    return (
        f"# {head.network}\n# data: {head.data}\n"
        f"harness.run(network, data, {list(head.implementations)[1:]!r}, optimizer={head.optimizer}, steps={head.steps}, "
        f"batch={head.batch}, dtype={head.dtype!r}, seed={head.seed}, free_run={head.free_run}, exact={head.exact})"
    )


def _facts_of_run(run: Run) -> list[tuple[str, str]]:
    head = run.head
    return [
        ("created", head.created), ("network", head.network), ("data", head.data), ("optimizer", head.optimizer),
        ("dtype", head.dtype), ("seed", str(head.seed)), ("batch", str(head.batch)), ("schedule", head.schedule),
        ("steps", f"{len(run.steps)} of {head.steps}, {run.how}"),
        *([("data, SHA-256", head.data_digest)] if head.data_digest else []),
        ("weights, SHA-256 over all steps", run.weights_digest),
        *((f"weights of step {step.step}", step.digest) for step in (*run.steps[:1], *run.steps[1:][-1:])),
        *head.implementations.items(), *head.environment.items(),
    ]  # fmt: skip


def derivatives(explorer: Explorer) -> Table:
    """Every explained derivative at the last step, by paths and by every other way."""
    last = {name: cells[-1] for name, cells in explorer.cells.items() if cells and cells[-1]}
    ways = [way.way.split(",")[0] for way in next(iter(last.values())).ways] if last else []  # type: ignore[union-attr]
    rows = []
    for name, cell in last.items():
        assert cell is not None
        values = [repr(way.value) if way.value is not None else "–" for way in cell.ways]
        rows.append([name, f"{cell.count:,}", repr(cell.total), *values[1:]])
    headers = ["weight", "paths", *ways]
    return Table(
        f"Derivatives of the loss; the last column is the reference, {best_of(next(iter(last.values())).ways).way}" if last else "",  # type: ignore[union-attr]
        headers, rows, [False, *[True] * (len(headers) - 1)],
    )  # fmt: skip
