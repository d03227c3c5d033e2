"""Rendering: from a `Run` or a `Check` to the text of one HTML file.

Everything that came from data, file names or somebody's code is escaped by the templates; what is marked safe there is
made here: pictures by altair, formulas by latex2mathml, and JSON that cannot end its element.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from harness.explaining import layout
from harness.results.check import Check
from harness.results.numbers import part, small
from harness.results.run import Run
from harness.usage import visible
from reports.page.check_page import page_of_check
from reports.page.explorer import Cell, Described, best_of
from reports.page.figures import runtime
from reports.page.numbers import packed, script_json, shrunk
from reports.page.page import Page
from reports.page.run_page import page_of_run
from reports.page.tables import SIGNS, derivatives
from reports.page.waterfall import waterfall, waterfall_rows

COUNTS = {4: "four", 5: "five", 6: "six", 7: "seven"}


def page(result: Run | Check) -> str:
    """The page about a result: one HTML file that asks for nothing else."""
    # Numbers near the end of a dtype's range overflow here and there; what is not finite is shown as such.
    with np.errstate(all="ignore"):
        made = page_of_run(result) if isinstance(result, Run) else page_of_check(result)
        return rendered(made)


def index(every: Sequence[Any]) -> str:
    """The page that leads to the exhibits of a gallery."""
    return _environment().get_template("index.html.j2").render(every=every, css=_source("page.css"))


def rendered(p: Page) -> str:
    """The text of a page."""
    environment = _environment()
    cells = {name: [_cell(p.explorer.weights[name], cell) for cell in made] for name, made in p.explorer.cells.items()}
    figures_ = [shown.figure for shown in p.figures]
    begin = p.begin
    extra: dict[str, Any] = {}
    if begin and p.chosen:
        fall = waterfall(begin)
        figures_.append(fall)
        extra = {"waterfall": fall, "cell": cells[p.chosen][-1], "derivatives": derivatives(p.explorer)}
    scripts = [("specs", shrunk(json.dumps({f.name: f.spec for f in figures_}, separators=(",", ":"))))]
    scripts += [("runtime", shrunk(runtime()))] if figures_ else []
    scripts += [("cells", shrunk(json.dumps(cells, separators=(",", ":"))))] if cells else []
    values = {**vars(p), **{name: getattr(p, name) for name in ("sign", "contents", "chosen")}, "cell": None, **extra}
    values |= {"record": script_json(p.record), "data": script_json(_data(p)), "shrunk": scripts}
    text = environment.get_template("page.html.j2").render(
        p=values, signs=SIGNS, css=_source("page.css"), js=_source("page.js")
    )
    return text.encode("utf-8", "backslashreplace").decode()


def _data(p: Page) -> dict[str, Any]:
    """What the script reads, besides the compressed parts."""
    drawing = None
    if p.drawing and p.drawing.steps:
        d = p.drawing
        drawing = {
            "weights": {"dtype": str(d.weights.dtype), "bytes": packed(d.weights)},
            "values": {"dtype": "float32", "bytes": packed(d.values.astype("float32"))},
            "leads": [line.leads for line in d.lines], "largest": d.largest, "widest": d.widest,
        }  # fmt: skip
    return {
        "steps": p.slider.steps, "drawing": drawing, "now": p.slider.arrays, "explained": p.explorer.steps,
        "chosen": p.chosen, "file": f"{'run' if p.slider.steps else 'result'}.json",
    }  # fmt: skip


def _cell(described: Described, cell: Cell | None) -> str:
    if cell is None:
        return "<p>Not explained here: the loss or a derivative on the way is not finite.</p>"
    reference = best_of(cell.ways)
    return _environment().get_template("cell.html.j2").render(
        d=described, c=cell, cancels=_cancels(cell), count=COUNTS.get(len(cell.ways), str(len(cell.ways))),
        reference="exact" if reference is cell.ways[-1] else "matrix", bars=json.dumps(waterfall_rows(cell)),
    )  # fmt: skip


def _cancels(cell: Cell) -> str:
    if cell.count == 1:
        return "There is one path."
    if cell.cancellation is None:
        return "The paths cancel completely." if cell.magnitude else "Nothing arrives: every path is 0."
    times = f"{cell.cancellation:.3g}"
    if times == "1":
        return f"{cell.count:,} paths, all of one sign: nothing cancels."
    return f"{cell.count:,} paths; their magnitudes add up to {times} times the magnitude of their sum."


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.page"), autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.finalize = lambda value: "\n".join(map(visible, value.split("\n"))) if type(value) is str else value
    environment.filters |= {
        "slug": lambda text: text.lower().replace(" ", "-"),
        "short": lambda number: f"{number:.4g}",
        "output": lambda number: "" if math.isnan(number) else figures_of(number),
        "percent": lambda used: "" if used is None else part(used),
        "signed": layout.signed, "scientific": layout.scientific, "few": lambda v: layout.few(v or 0.0),
        "bound": small,
    }  # fmt: skip
    return environment


def figures_of(number: float) -> str:
    """An output in the drawing: three digits behind the point, or an exponent."""
    return f"{number:.1e}" if abs(number) >= 1000 or 0 < abs(number) < 1e-3 else f"{number:.3f}"


@cache
def _source(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
