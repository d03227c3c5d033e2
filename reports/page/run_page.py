"""The page of a run, complete or not."""

from __future__ import annotations

import numpy as np

from harness.inputs.batches import Batches
from harness.inputs.schedule import milestone
from harness.rendering.tables import heading
from harness.results.numbers import part
from harness.results.rebuilding import batches_of_head, network_of
from harness.results.run import Run
from harness.usage import UsageError
from impls.graph import Graph
from reports.page import run_charts, tables, telling
from reports.page.drawing import drawn, legend
from reports.page.explorer import Explorer, explored
from reports.page.faults import fault_of_run
from reports.page.numbers import spaced
from reports.page.page import Page, Shown
from reports.page.series import Series, Worst
from reports.page.slider import slider
from reports.page.tables import Table

MOST_STEPS = 1000
SOME = "1, 2, 4, 8, ... and the last"
TOLD_LOSSES = f"At steps {SOME} as a table: losses, differences and what rounding allows"
TOLD_SHARES = "The largest share of each gradient over all steps, as a table"
NO_DATA = (
    "the record does not hold the data, which has more than 10,000 numbers and no name, or an older version wrote it"
)


def page_of_run(run: Run) -> Page:
    """The page of a run, complete or not."""
    network, batches, why = _rebuilt(run)
    drawing = drawn(network, run, batches) if network else None
    steps = (drawing.steps if drawing else []) or spaced(
        len(run.steps), MOST_STEPS, lambda s: milestone(s, len(run.steps))
    )
    series = Series(run)
    explorer = explored(run, network, batches) if network and batches else Explorer(missing=why)
    figures, notes = _charts(run, series)
    told, table = telling.power_of_run(run)
    powers = [table, tables.sees(run.rows, run.head.gradients)]
    return Page(
        kind="lockstep run",
        title=run.head.description,
        verdict=run.verdict,
        reason=run.outcome.reason,
        heading=heading(run).split("\n"),
        record=run.to_dict(),
        command=run.head.command or _command(run),
        facts=_facts_of_run(run),
        conventions=telling.conventions_of_run(run),
        warnings=_warnings(run),
        findings=run.findings,
        results=_results(run),
        drawing=drawing,
        no_drawing=f"There is no drawing: {why}",
        drawing_says=legend(drawing, known=batches is not None),
        slider=slider(run, steps),
        figures=figures,
        chart_notes=notes,
        reduced=series.reduced,
        explorer=explorer,
        no_paths=f"No derivative is explained here: {explorer.missing}.",
        fault=fault_of_run(run),
        power=told,
        power_tables=[t for t in powers if t and t.rows],
        ledger=run.head.ledger,
    )


def _results(run: Run) -> list[Table]:
    found = [tables.gradients(run)] if run.rows else []
    return [*found, tables.truth(run)] if run.true_errors else found


def _rebuilt(run: Run) -> tuple[Graph | None, Batches | None, str]:
    """Network and batches as far as the record allows, and why not further."""
    try:
        network = network_of(run.head.network)
    except UsageError as error:
        return None, None, str(error)
    if {name: tuple(shape) for name, shape in network.weights.items()} != run.head.weights:
        return None, None, "the weights that the record names are not those of its network"
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
    shown, of = f"after step {len(run.steps)} of {run.head.steps}", "This page shows the finished steps."
    told = {
        "cut off": f"The record ends {shown}: the run was killed or is still under way. {of}",
        "interrupted": f"The run was interrupted {shown}. {of}",
        "diverged": f"The training diverged at step {len(run.steps)} of {run.head.steps}.",
    }
    warnings = [told[run.how]] if run.how in told else []
    return [*warnings, run.unrecorded] if run.unrecorded else warnings


def _charts(run: Run, series: Series) -> tuple[list[Shown], list[str]]:
    last = len(run.steps)
    if not last:
        return [], ["No step was run, so there is nothing to chart."]
    at = [step for step in range(1, last + 1) if milestone(step, last)]
    shown, notes = [], []
    if any(value is not None for values in run.losses.values() for value in values):
        shown.append(
            Shown(
                "Loss, and how far the losses are apart", run_charts.loss(series), tables.losses(run, at), TOLD_LOSSES
            )
        )
    if run.rows:
        shown.append(Shown("Shares of the allowance", run_charts.heat(series), _shares(series), TOLD_SHARES))
        shown.append(
            Shown("How often which share was used", run_charts.histogram(series), tables.histogram(series.histogram()))
        )
    if series.drift():
        shown.append(Shown("Drift", run_charts.drift(series), tables.drift(run, at), f"At steps {SOME} as a table"))
        notes += [f"{name}: drift {run.explanation(name)}." for name in run.drift if name in run.head.implementations]
    elif run.head.free_run:
        notes.append("Drift: no weights came apart.")
    else:
        notes.append(
            "Drift: none, since in lockstep all start every step from the same weights; --free-run lets them drift."
        )
    return shown, notes


def _shares(series: Series) -> Table:
    """Of each gradient the columns in which the largest share was used."""
    best: dict[str, Worst] = {}
    for worst in series.worst:
        if worst.used is not None and worst.used > (
            (best[worst.gradient].used or 0.0) if worst.gradient in best else -1.0
        ):
            best[worst.gradient] = worst
    rows = [[w.gradient, part(w.used), w.against, w.check, str(w.step), w.verdict] for w in best.values()]
    return Table(
        "The largest share of each gradient",
        ["gradient", "used", "by", "check", "step", "verdict"],
        rows,
        [False, True, False, False, True, False],
    )


def _command(run: Run) -> str:
    """What makes such a run in Python, where no command made it."""
    head = run.head
    names = list(head.implementations)[1:]
    return (
        f"# {head.network}\n# data: {head.data}\n"
        f"harness.run(network, data, {names!r}, optimizer={head.optimizer}, steps={head.steps}, batch={head.batch}, "
        f"dtype={head.dtype!r}, seed={head.seed}, free_run={head.free_run}, exact={head.exact})"
    )


def _facts_of_run(run: Run) -> list[tuple[str, str]]:
    head = run.head
    return [
        ("created", head.created),
        ("network", head.network),
        ("data", head.data),
        ("optimizer", head.optimizer),
        ("dtype", head.dtype),
        ("seed", str(head.seed)),
        ("batch", str(head.batch)),
        ("schedule", head.schedule),
        ("steps", f"{len(run.steps)} of {head.steps}, {run.how}"),
        *([("data, SHA-256", head.data_digest)] if head.data_digest else []),
        ("weights, SHA-256 over all steps", run.weights_digest),
        *((f"weights of step {step.step}", step.digest) for step in (*run.steps[:1], *run.steps[1:][-1:])),
        *head.implementations.items(),
        *head.environment.items(),
    ]
