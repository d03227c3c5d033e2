"""What a run prints: the verdict first, then every weight gradient with its difference, allowance and place.

All three numbers of a cell group belong to the same entry. Indices are printed as the formulas count them,
from 1: ``w_32`` is the weight from source neuron 3 to destination neuron 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from harness.comparison.certification import CENTRE, TrueError
from harness.comparison.remarks import KIND, lines_of
from harness.inputs.schedule import milestone
from harness.rendering import columns, run_columns
from harness.rendering.columns import Column, text
from harness.results.numbers import part, place, plain, small, ulps
from harness.results.record import PowerCount
from harness.results.run import Run
from harness.results.verdicts import TWIN
from harness.usage import visible
from impls.graph import Graph
from impls.registry import REFERENCE

MOST_FAULTS = 12


class Typed(NamedTuple):
    """How a run was asked for, to be typed again: ``harness run ...``, and ``harness power ...`` of the same."""

    run: str
    power: str


def render(run: Run, style: str = "table", *, verbose: bool = False, typed: Typed | None = None) -> str:
    """The whole screen of a run; `style` is table or markdown, `typed` the command that it came from."""
    outcome = run.outcome
    parts = [heading(run, style), f"{outcome.verdict}  {plain(outcome.reason, style)}"]
    if run.rows:
        parts.append(_grid(run, style, verbose))
        faults = _faults(run, style)
        parts += [faults] if faults else []
    if run.certificates:
        parts.append(truth(run, style, verbose=verbose))
    if run.drift:
        parts.append(_drift(run, style))
    parts.append(footer(run, style, verbose=verbose, typed=typed))
    if verbose:
        parts.append("assumptions\n" + "\n".join(f"  {line}" for line in run.head.ledger))
    return "\n\n".join(parts)


def heading(run: Run, style: str = "table") -> str:
    """What was run, on what, with which conventions."""
    head = run.head
    what = [
        head.description, head.loss_formula, plain(head.data, style), head.optimizer, head.dtype,
        f"{head.steps} steps" if head.batch else "", f"batch {head.batch}", f"seed {head.seed}",
    ]  # fmt: skip
    who = " · ".join(f"{name} {v}" if name == REFERENCE else v for name, v in head.implementations.items())
    weights = "each follows its own updates; weights of hand" if head.free_run else "same weights at every step"
    who = plain(who, style)
    return "\n".join(
        [
            " · ".join(filter(None, what)),
            f"{who} · {weights} (digest {run.weights_digest[:12]})",
            conventions(head.gradients),
            *lines_of(run.findings),
        ]
    )


def conventions(gradients: Iterable[str], layout: str = "W has shape (n_in, n_out), z = x W + b") -> str:
    """How to read names and shapes of weights: by layer in a chain, by node in a graph."""
    if any("." in name for name in gradients):
        return f"node.W is a weight of a node, node.dW its gradient; of a Dense node {layout}"
    return f"w_ij^(l): i = source, j = destination; {layout}"


def _grid(run: Run, style: str, verbose: bool) -> str:
    names = run.head.gradients if not verbose else list(dict.fromkeys(row.gradient for row in run.rows))
    dtype = run.head.dtype
    against = ", against the true value where it is known" if run.head.exact else ""
    groups = f"formula: float64, end to end{against} · rounding: {dtype}, link by link · |Δ|: {dtype}, hand against it"
    return f"{groups}\n\n{columns.text(run_columns.gradients(run), run_columns.compared(run, names), style)}"


def _faults(run: Run, style: str) -> str:
    rows = run_columns.not_in_order(run)
    if not rows:
        return ""
    more = len(rows) - MOST_FAULTS
    told = f"\nand {more} more rows; --json has them all" if more > 0 else ""
    return columns.text(run_columns.FAULTS, rows[:MOST_FAULTS], style) + told


def _drift(run: Run, style: str) -> str:
    """Drift at steps 1, 2, 4, ... and the last, beside the twin's, and what every implementation's is explained by."""
    last = len(run.steps)
    text = columns.text(run_columns.drift(run), (step for step in range(1, last + 1) if milestone(step, last)), style)
    told = [f"{name}  drift {run.explanation(name)}" for name in run.drift if name != TWIN]
    head = f"drift: largest |w - w of hand| before each update; {TWIN}: hand, started from weights moved by one ulp"
    return "\n".join([head, "", text, "", *told])


def footer(run: Run, style: str = "table", *, verbose: bool = False, typed: Typed | None = None) -> str:
    """Loss, what else was checked, findings, and the next command."""
    lines = []
    for finding in run.findings:
        if finding.kind == KIND:
            continue
        said = plain(f"{finding.against}: {finding.message}", style)
        lines.append(f"{'failed' if finding.fails else 'note'}  {said}")
    losses = {name: values for name, values in run.losses.items() if values}
    if losses:
        ends = {name: f"{_number(v[0])} → {_number(v[-1])}" for name, v in losses.items()}
        same = len(set(ends.values())) == 1
        count = {2: "both", 3: "all three"}.get(len(ends), f"all {len(ends)}")
        lines.append(
            f"loss  {next(iter(ends.values()))}{f' in {count}' if len(ends) > 1 else ''}"
            if same
            else "loss  " + " · ".join(f"{name} {text}" for name, text in ends.items())
        )
    if run.rows:
        others = [r for r in run.rows if r.gradient not in run.head.gradients and r.verdict == "ok"]
        lines.append(
            f"also  forward, loss, backward and update links: {len(others)} more rows ok; "
            f"{run.entries:,} entries compared; {run.undecided} undecided kinks"
        )
        powerless = sorted({r.gradient for r in run.rows if r.verdict == "no power"})
        if powerless:
            elsewhere = "; another check has power" if run.verdict == "PASS" else ""
            halved = f"most entries would pass there at half their size ({_powerless_checks(run)})"
            lines.append(f"no power  {', '.join(powerless)}: {halved}{elsewhere}")
    if run.power:
        lines += planted(run.power, style, verbose=verbose)
    if run.unchecked:
        lines.append(f"record  it {run.unchecked}")
    if run.recorded:
        lines.append(visible(f"record  {run.recorded}"))
    lines.append(visible(f"next  {'    '.join(_next(run, verbose, typed))}"))
    return "\n".join(lines)


def planted(power: PowerCount, style: str, *, verbose: bool) -> list[str]:
    """How many planted faults were missed, and under `verbose` which."""
    lines = [f"power  {plain(str(power), style)}"]
    if verbose and power.which:
        lines += [f"missed  {plain(fault, style)}" for fault in power.which]
        more = power.missed - len(power.which)
        lines += [f"missed  {more} more"] if more else []
    return lines


def _next(run: Run, verbose: bool, typed: Typed | None) -> Iterator[str]:
    """What to type next, not escaped, so that it can be; of a run from Python, what does not need its arguments."""
    if typed:
        if run.power and run.power.missed:
            yield typed.power
        if not run.recorded:
            yield f"{typed.run} --output run.jsonl"
        if not verbose:
            yield f"{typed.run} --verbose"
    yield "harness doctor"


def _powerless_checks(run: Run) -> str:
    return ", ".join(sorted({row.check for row in run.rows if row.verdict == "no power"}))


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.7g}"


def truth(run: Run, style: str, *, verbose: bool) -> str:
    """The certificate in words, and a table of true errors: of the weights' gradients, or of all tensors."""
    certificates = run.certificates
    known = sorted({f"{c.bits}-bit balls" if c.bits else "exact rationals" for c in certificates})
    steps = sorted({c.step for c in certificates})
    centre = [row for row in run.rows if row.against == CENTRE]
    judged = [row for row in centre if row.used is not None]
    worst = max(judged, key=lambda row: row.used or 0.0, default=None)
    outside = sum(row.outside for row in centre)
    within = "is within its bound of it" if not outside else f"is OUTSIDE its bound of it at {outside} entries"
    used = f" (worst used {part(worst.used)}: {worst.gradient}, {place(worst, run.network)})" if worst else ""
    undecided = sum(c.undecided for c in certificates)
    lines = [
        f"truth  {' and '.join(known)} at step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}; the formula check "
        f"there is the distance to the true value",
        f"       the float64 centre {within}{used}; balls at most {small(max(c.radius for c in certificates))} of a "
        f"bound; comparisons undecided: {undecided}",
    ]
    lines += [f"       not certified at step {c.step}: {c.shortfall}" for c in certificates if c.shortfall]
    return "\n\n".join(filter(None, ["\n".join(plain(line, style) for line in lines), _table(run, style, verbose)]))


def _table(run: Run, style: str, verbose: bool) -> str:
    dtypes = list(dict.fromkeys(["float64", run.head.dtype]))
    found = {(e.gradient, e.against, e.dtype): e for e in run.true_errors}
    names = dict.fromkeys(error.gradient for error in run.true_errors) if verbose else run.head.gradients
    rows = [
        Truths(name, against, [found.get((name, against, dtype)) for dtype in dtypes])
        for name in names
        for against in (CENTRE, *run.head.implementations)
    ]
    rows = [row for row in rows if any(row.errors)]
    if not rows:
        return ""
    told = (
        "true error: |value - truth| as a share of the allowance, at the entry and step where it is largest; in ulp of "
        "the truth: median over entries, and largest"
    )
    return f"{plain(told, style)}\n\n{text(_columns(dtypes, run.network), rows, style)}"


@dataclass(frozen=True)
class Truths:
    """The true errors of one gradient of one implementation, by dtype."""

    gradient: str
    against: str
    errors: list[TrueError | None]


def _columns(dtypes: list[str], network: Graph | None) -> Iterator[Column[Truths]]:
    yield Column("gradient", lambda row: row.gradient, once=True)
    yield Column("against", lambda row: row.against, foreign=True)
    for number, dtype in enumerate(dtypes):
        yield Column(f"{dtype} used", _cell(number, lambda error: part(error.used)), "right")
        yield Column("ulp", _cell(number, lambda error: ulps(error.median_ulp)), "right")
        yield Column("largest", _cell(number, lambda error: ulps(error.largest_ulp)), "right")
        yield Column("at", _cell(number, lambda error: place(error, network)))


def _cell(number: int, told: Callable[[TrueError], str]) -> Callable[[Truths], str]:
    """Of the error in one dtype; nothing where there is none."""

    def cell(row: Truths) -> str:
        error = row.errors[number]
        return "" if error is None else told(error)

    return cell
