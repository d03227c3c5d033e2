"""The templates' environment: where they lie, how numbers are written in them, and that all text is escaped.

Everything that came from data, file names or somebody's code is escaped; what is marked safe there is made here:
pictures, formulas by latex2mathml, and JSON that cannot end its element.
"""

from __future__ import annotations

import math
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from harness.explaining import layout
from harness.rendering.columns import SIGNS
from harness.results.numbers import part, small
from harness.usage import visible


@cache
def environment() -> Environment:
    """The only one."""
    made = Environment(
        loader=PackageLoader("reports.page"), autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.finalize = lambda value: "\n".join(map(visible, value.split("\n"))) if type(value) is str else value
    made.globals["signs"] = SIGNS
    made.filters |= {
        "slug": lambda text: text.lower().replace(" ", "-"),
        "short": lambda number: f"{number:.4g}",
        "output": lambda number: "" if math.isnan(number) else figures_of(number),
        "percent": lambda used: "" if used is None else part(used),
        "signed": layout.signed, "scientific": layout.scientific, "few": lambda v: layout.few(v or 0.0),
        "bound": small,
    }  # fmt: skip
    return made


def figures_of(number: float) -> str:
    """An output in the drawing: three digits behind the point, or an exponent."""
    return f"{number:.1e}" if abs(number) >= 1000 or 0 < abs(number) < 1e-3 else f"{number:.3f}"


@cache
def source(name: str) -> str:
    """A template's text as it lies there."""
    made = environment()
    assert made.loader is not None
    return made.loader.get_source(made, name)[0]
