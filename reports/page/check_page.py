"""The page of a checked backward pass."""

from __future__ import annotations

from harness.cli.spelling import spelled
from harness.results.check import Check
from harness.results.rebuilding import network_of
from harness.usage import UsageError
from reports.page import tables, telling
from reports.page.check_chart import shares
from reports.page.check_point import standing
from reports.page.drawing import Drawing, drawn, legend
from reports.page.explorer import Explorer, explored
from reports.page.faults import fault_of_check
from reports.page.page import Page, Shown
from reports.page.slider import Slider


def page_of_check(check: Check) -> Page:
    """The page of a checked backward pass."""
    setting = check.setting
    drawing, explorer, why = _followed(check)
    figures = [Shown("Shares of the allowance", shares(check))] if any(row.used for row in check.rows) else []
    first = check.first_wrong
    explain = (
        f'harness explain "W{first.lstrip("dzabW")}[1,1]" {setting.explain}'
        if first and setting.explain
        else "harness explain"
    )
    sees = tables.sees([row for row in check.located.links if row.sees], setting.gradients)
    facts = [("function", setting.name), ("network", setting.network), ("data", setting.data), ("dtype", setting.dtype)]
    facts += [("seed", str(setting.seed))] if setting.seed is not None else []
    return Page(
        kind="check of a backward pass",
        title=setting.name,
        verdict=check.verdict,
        reason=check.reason,
        heading=[
            f"{setting.description} · {setting.loss_formula} · {setting.data} · {setting.dtype} · batch {setting.rows}"
        ],
        record=check.to_dict(),
        command=spelled() or f"harness check {setting.name}",
        facts=[*facts, *setting.environment.items()],
        conventions=telling.conventions_of_check(check),
        findings=check.findings,
        results=[tables.links(check)] if check.rows else [],
        drawing=drawing,
        no_drawing=f"There is no drawing: {why}",
        drawing_says=legend(drawing, known=bool(drawing and drawing.steps)),
        slider=Slider(drawing.steps, 1) if drawing else Slider(),
        explorer=explorer,
        figures=figures,
        chart_notes=[
            "A check compares one backward pass at one point, so there are no steps, no losses and no drift to show."
        ],
        no_paths=f"No derivative is explained here: {explorer.missing}. {explain} follows one path by path.",
        fault=fault_of_check(check),
        power=telling.power_of_check(check),
        power_tables=[sees] if sees.rows else [],
    )


def _followed(check: Check) -> tuple[Drawing | None, Explorer, str]:
    """The network drawn, and right derivatives path by path, as far as the point of the check can be had again."""
    try:
        network = network_of(check.setting.network)
    except UsageError as error:
        return None, Explorer(missing=str(error)), str(error)
    found = standing(check, network)
    if found is None:
        return drawn(network), Explorer(missing="a check keeps neither its weights nor its data"), ""
    return drawn(network, *found), explored(found[0], network, found[1]), ""
