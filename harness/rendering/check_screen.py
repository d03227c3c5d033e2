"""A check as text: verdict, links in backward order, the evidence for what explains the first wrong one, what next."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.candidates.layout import WORDS
from harness.comparison.remarks import KIND, lines_of
from harness.diagnosis import Cause, Diagnosis
from harness.dialects import factors_of
from harness.faults.fault import in_samples
from harness.formats import FORMATS
from harness.rendering import check_columns, columns
from harness.rendering.tables import conventions, planted
from harness.results.check import Check
from harness.results.numbers import counted, percent, plain
from harness.usage import visible
from impls.graph import LOSS, Graph

LOSS_OPTION = re.compile(r""" --loss[ =](?:'[^']*'|"[^"]*"|\S+)""")
"""In a command, the loss that another is said instead of."""


def rendered(check: Check, style: str = "table", *, verbose: bool = False, command: str | None = None) -> str:
    """The whole text.

    Args:
        check: what is told.
        style: table or markdown.
        verbose: also the links as such, given their own inputs, and the environment.
        command: as it was typed, to be typed again; None where there was none.
    """
    parts = [_heading(check, style), f"{check.verdict}  {plain(check.reason, style)}"]
    factor = _factor(check, style)
    table = factor if factor and not verbose else links(check, style)
    parts += [_forward(check, style), table, "\n".join(_said(check, style))]
    parts += ["\n".join(planted(check.power, style, verbose=verbose))] if check.power else []
    parts += ["\n".join(evidence(check, diagnosis, style)) for diagnosis in check.diagnoses]
    if verbose:
        parts.append(_verbose(check, style))
    parts.append("\n".join(_end(check)))
    parts.append(_next(check, None if verbose else command))
    return "\n\n".join(filter(None, parts))


def _heading(check: Check, style: str) -> str:
    setting = check.setting
    seed = "" if setting.seed is None else f" · seed {setting.seed}"
    what = f"{setting.description} · {setting.loss_formula}"
    first = f"{what} · {setting.data} · {setting.dtype} · batch {setting.rows}{seed}"
    names = conventions((row.gradient for row in check.rows), WORDS[setting.layout])
    return "\n".join([plain(first, style), names, *lines_of(check.findings)])


def _forward(check: Check, style: str) -> str:
    """One line about the forward pass where there is nothing wrong with it."""
    forward = [row for row in check.rows if not check.is_gradient(row.gradient)]
    if not check.judged or any(row.verdict == "FAULT" for row in forward):
        return ""
    loss = "" if check.loss is None else f"; L = {check.loss:.12g}"
    if not forward:
        told = f"the forward pass is not shown{loss}"
    else:
        names = ["forward pass"] if any(row.gradient != LOSS for row in forward) else []
        names += ["loss"] if any(row.gradient == LOSS for row in forward) else []
        told = f"{' and '.join(names)} {'agree' if len(names) > 1 else 'agrees'}{loss}"
    return plain(f"      {told}", style)


def _factor(check: Check, style: str) -> str:
    """The line in place of the table, where all that is wrong is one number."""
    if check.factor is None:
        return ""
    causes = [cause for cause in check.diagnoses[0].causes if cause.cause != "loss of another kind"]  # here the same
    why = f": {causes[0].says}" if causes else ""
    rows, off = check.setting.rows, 8 * FORMATS[check.setting.dtype].u * abs(check.factor)
    named = (factor.text for factor in factors_of(check.factor, off, rows, check.network.outputs) if factor.samples)
    name = in_samples(check.factor, 0.0, rows) or next(named, None)
    told = f"{check.factor:.6g}" if name is None else f"{check.factor:.6g} = {name}"
    also = any(finding.kind == "learning rate" for finding in check.findings)  # and says of which loss it is right
    meant = f" If that loss is meant, say so: {check.option}." if check.option and not also else ""
    if check.factor < 0 and not any(link.reading for link in check.network.links):
        meant = " Weights that are updated with w += lr·dW need it so; the gradient of the loss is its negative."
    return plain(f"every gradient is {told} × the reference{why}. Not a chain-rule fault.{meant}", style)


def links(check: Check, style: str) -> str:
    """The table of links in backward order; forward links only where one is wrong."""
    rows = [row for row in check.rows if check.is_gradient(row.gradient)] if check.judged else []
    if any(row.verdict == "FAULT" for row in check.rows if not check.is_gradient(row.gradient)):
        rows = list(check.rows)
    return columns.text(check_columns.links(check), rows, style) if rows else ""


def _said(check: Check, style: str) -> Iterator[str]:
    """Findings, other than the one that the verdict tells, and names that mean nothing here."""
    for finding in check.findings:
        if finding.message not in check.reason and finding.kind != KIND:
            yield plain(f"{'also' if finding.fails else 'note'}  {finding.against} {finding.message}", style)
    if check.located.undecided:
        yield f"note  {check.located.undecided} arguments are so near a kink that either side may be taken"
    if check.ignored:
        more = f" and {len(check.ignored) - 12} more" if len(check.ignored) > 12 else ""
        yield plain(f"ignored  {', '.join(check.ignored[:12])}{more}: no tensors of this network", style)


def _verbose(check: Check, style: str) -> str:
    links = columns.text(check_columns.ALONE, check.located.links, style)
    return links + "\n\n" + "\n".join(f"{name}  {value}" for name, value in check.setting.environment.items())


def _end(check: Check) -> Iterator[str]:
    learning = check.learning
    if learning:
        yours = "no number any more" if learning.yours is None else f"{learning.yours:.4g}"
        yield (
            f"does it matter       trained {learning.steps} steps (lr {learning.lr:g}): loss {learning.start:.4g} → "
            f"{yours} with your gradient, {learning.right:.4g} with the right one"
        )
    if check.option and check.factor is None and not check.dialect:
        yield f"{'is that loss meant?':<{WIDTH}}it is right with {check.option}"
    if _may_be_another(check):
        yield "is it for another network?   --model, --activation, --loss and --data say for which"
    network, unseen = check.network, check.verdict == "NO POWER"
    passed_back = [network.gradient[name] for name in network.activations if name in network.gradient]
    hidden = [name for name in passed_back if name not in {row.gradient for row in check.rows}]
    label = f"{'to see it' if unseen else 'to locate it finer':<{WIDTH}}"
    if (check.wrong_links or unseen) and any(link.reading for link in network.links):
        yield f"{label}check a function that returns the gradients, dW1, dz1, ..., and not the update"
    elif (unseen and hidden) or (check.wrong_links and hidden == passed_back):
        by = ": return locals() will do" if all(name.isidentifier() for name in passed_back) else ""
        yield f"{label}also return {', '.join(hidden[:2])}, ... by these names{by}"


def _may_be_another(check: Check) -> bool:
    """Whether the function may be one for another network: it gives nothing, other shapes, or too few gradients."""
    shapes = any(finding.fails and finding.kind == "shape" for finding in check.findings)
    if any(finding.kind in ("targets", "layout") for finding in check.findings):  # it is known for which
        return False
    if any(row.verdict == "ok" and row.gradient in check.network.gradients for row in check.rows):
        return False
    return bool(check.findings and not check.judged) or shapes or _of_another_depth(check)


def _of_another_depth(check: Check) -> bool:
    """Whether weights lack a gradient, and none of those that have one has it right."""
    of_weights = [row for row in check.rows if row.gradient in check.network.gradients]
    missing = [row for row in of_weights if row.verdict == "not comparable"]
    wrong = [row for row in of_weights if row.verdict in ("FAULT", "inherited")]
    return bool(missing and wrong) and len(missing) + len(wrong) == len(of_weights)


def _next(check: Check, command: str | None) -> str:
    """What to type next, not escaped, so that it can be; nothing where nothing fits."""
    first, model = check.first_wrong_link, check.setting.explain
    commands = []
    entry = check.entry_near(first) if first and model and check.setting.seed == 0 else None
    if entry:
        commands.append(f'harness explain "{entry}"{"" if model == "4-3-2-1" else f" {model}"}')
    if check.option and command:
        commands.append(f"{LOSS_OPTION.sub('', command)} {check.option}")
    if check.verdict == "FAIL" and command:
        commands.append(f"{command} --verbose")
    if check.verdict == "PASS" and model:
        commands.append(f"harness power{'' if model == '4-3-2-1' else f' {model}'}")
    return visible(f"next  {'    '.join(commands)}") if commands else ""


WIDTH = 21
MOST = 4
"""Causes told, of those that give the same numbers."""


def evidence(check: Check, diagnosis: Diagnosis, style: str) -> Iterator[str]:
    """The lines about one wrong link."""
    if len(check.diagnoses) > 1:
        yield plain(f"{diagnosis.at}{check.place(diagnosis.at)}", style)
    for label, text in _lines(check.network, diagnosis):
        yield plain(f"{label:<{WIDTH}}{text}", style)


def _lines(network: Graph, diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "what should happen", diagnosis.should
    if not diagnosis.causes:
        yield "what you computed", "no mistake of the catalogue gives these numbers: the cause is unknown"
    for position, cause in enumerate(diagnosis.causes[:MOST]):
        yield "or, here the same" if position else "what you computed", f"{cause.formula}   {_reproduces(cause)}"
        yield "", cause.says
    if more := len(diagnosis.causes[MOST:]):
        yield "", f"and {more} more that give the same numbers here; other data tells them apart"
    for position, fact in enumerate(diagnosis.known if not diagnosis.causes else ()):
        yield "" if position else "what is known", fact
    if diagnosis.runner_up:
        yield "next best guess", f"{diagnosis.runner_up.says}   off by {percent(diagnosis.runner_up.residual)}"
    entry = diagnosis.entry
    reads = "   ".join(f"{name} = {number:.7g}" for name, number in entry.reads.items())
    where = ", ".join(filter(None, (entry.tensor, counted(network, entry.tensor, entry.index))))
    yield "worst entry", f"{where}{': ' if reads else ''}{reads}"
    yield "", f"yours {entry.actual:+.8g}   correct {entry.expected:+.8g}"


def _reproduces(cause: Cause) -> str:
    if cause.residual == 0:
        return "reproduces your numbers exactly"
    return f"reproduces your numbers to {cause.residual:.0e}"
