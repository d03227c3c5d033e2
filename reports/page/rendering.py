"""Rendering: from a `Run`, a `Check` or an `OperationCheck` to the text of one HTML file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.results.check import Check
from harness.results.operation_check import OperationCheck
from harness.results.run import Run
from reports.page.environment import environment, source
from reports.page.figures import runtime
from reports.page.numbers import script_json, shrunk
from reports.page.page import Page, page_of


def page(result: Run | Check | OperationCheck) -> str:
    """The page about a result: one HTML file that asks for nothing else."""
    # Numbers near the end of a dtype's range overflow here and there; what is not finite is shown as such.
    with np.errstate(all="ignore"):
        return rendered(page_of(result))


def index(every: Sequence[Any]) -> str:
    """The page that leads to the exhibits of a gallery."""
    return environment().get_template("index.html.j2").render(every=every, css=source("page.css"))


def rendered(p: Page) -> str:
    """The text of a page."""
    figures = p.figures
    packed = {"specs": json.dumps({figure.name: figure.spec for figure in figures}, separators=(",", ":"))}
    packed |= {"runtime": runtime()} if figures else {}
    packed |= p.packed
    text = environment().get_template("page.html.j2").render(
        p=p, sections=[(section, content.shows) for section, content in p.sections],
        record=script_json(p.record), data=script_json(p.data),
        packed=[(name, shrunk(text)) for name, text in packed.items()],
        css=source("page.css"), js=source("page.js"),
    )  # fmt: skip
    return text.encode("utf-8", "backslashreplace").decode()
