"""The gallery: comparisons worth looking at, each a page and a table; ``python -m reports`` makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import harness
from harness.rendering.check_screen import rendered
from harness.rendering.tables import render
from harness.results.numbers import grid, plain
from harness.results.run import Run
from harness.usage import UsageError
from reports.page.rendering import index, page

Result = Any
"""A `Run` or a `Check`."""


@dataclass(frozen=True)
class Exhibit:
    """A comparison: `name` is that of its files, `says` what it shows."""

    name: str
    says: str
    make: Callable[[], Result]


@dataclass(frozen=True)
class Shown:
    """An exhibit that was made, or why it was not.

    Attributes:
        size: of its page in bytes. seconds: what the comparison took, and its page.
    """

    exhibit: Exhibit
    verdict: str
    reason: str
    size: int = 0
    seconds: tuple[float, float] = (0.0, 0.0)


def slipped(weights: dict[str, Any], x: Any, y: Any) -> dict[str, Any]:
    """A backward pass of 4-3-2-1 with a learner's mistake: the sigmoid's derivative in layer 2 is taken at z."""
    W1, b1, W2, b2, W3, b3 = (weights[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    z1 = x @ W1 + b1
    a1 = 1 / (1 + np.exp(-z1))
    z2 = a1 @ W2 + b2
    a2 = 1 / (1 + np.exp(-z2))
    a3 = 1 / (1 + np.exp(-(a2 @ W3 + b3)))
    dz3 = 2 * (a3 - y) * a3 * (1 - a3)
    dz2 = dz3 @ W3.T * z2 * (1 - z2)
    dz1 = dz2 @ W2.T * a1 * (1 - a1)
    return {
        "z1": z1, "a1": a1, "z2": z2, "a2": a2, "a3": a3, "dz3": dz3, "dz2": dz2, "dz1": dz1,
        "dW3": a2.T @ dz3, "db3": dz3.sum(axis=0), "dW2": a1.T @ dz2, "db2": dz2.sum(axis=0),
        "dW1": x.T @ dz1, "db1": dz1.sum(axis=0),
    }  # fmt: skip


def _digits() -> Result:
    network = harness.load_network("64-32-10", activation="relu", loss="cross-entropy")
    return harness.run(network, "digits", batch=128, steps=100)


EXHIBITS = (
    Exhibit("iris", "4-3-2-1 on iris, 200 steps of gradient descent in float32", harness.run),
    Exhibit("exact", "the same, judged by the true gradient", lambda: harness.run(steps=32, exact=True)),
    Exhibit("free-run", "each follows its own updates, and drifts", lambda: harness.run(steps=100, free_run=True)),
    Exhibit("adam", "Adam in float64", lambda: harness.run(optimizer="adam", dtype="float64", steps=64)),
    Exhibit("digits", "64-32-10 relu with cross-entropy, in batches of 128", _digits),
    Exhibit("slip", "a backward pass with a mistake in it, found and named", lambda: harness.check(slipped)),
)


def made(folder: Path, exhibits: tuple[Exhibit, ...] = EXHIBITS) -> Iterator[Shown]:
    """Make every exhibit's page and table in `folder`, then the index; an exhibit that needs more than is installed is
    left out with the reason.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    every = []
    for exhibit in exhibits:
        every.append(_made(folder, exhibit))
        yield every[-1]
    (folder / "index.html").write_text(index(every), encoding="utf-8")
    (folder / "README.md").write_text(_markdown(every), encoding="utf-8")


def _made(folder: Path, exhibit: Exhibit) -> Shown:
    begin = time.perf_counter()
    try:
        result = exhibit.make()
    except UsageError as error:
        return Shown(exhibit, "LEFT OUT", str(error))
    between = time.perf_counter()
    text = page(result)
    seconds = between - begin, time.perf_counter() - between
    (folder / f"{exhibit.name}.html").write_text(text, encoding="utf-8")
    table = render(result, "markdown") if isinstance(result, Run) else rendered(result, "markdown")
    (folder / f"{exhibit.name}.md").write_text(f"{table}\n", encoding="utf-8")
    return Shown(exhibit, result.verdict, result.outcome.reason, len(text.encode()), seconds)


def _markdown(every: list[Shown]) -> str:
    """All exhibits as one table, fit for a pull request."""
    rows = [
        [f"[{s.exhibit.name}]({s.exhibit.name}.md)" if s.size else s.exhibit.name, plain(s.exhibit.says, "markdown"),
         s.verdict, plain(s.reason, "markdown")]
        for s in every
    ]  # fmt: skip
    return grid(rows, ("exhibit", "what", "verdict", "why"), "markdown", ("left",) * 4) + "\n"
