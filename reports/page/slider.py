"""What the step slider shows besides the drawing: at each step the worst row of every gradient, and the losses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.comparison.judge import SEVERITY
from harness.results.run import Run
from reports.page.numbers import packed
from reports.page.series import CHECKS, Series, Worst

VERDICTS: list[str] = list(SEVERITY)
NONE = 255
"""Stands for no implementation, no check, no verdict."""


@dataclass(frozen=True)
class Slider:
    """The steps that the slider reaches, and what stands beside the drawing.

    Attributes:
        planned: number of steps of the run.
        worst, losses: at the last of the steps, as text shows them.
        arrays: the same at all of them, packed for the script; None without steps.
    """

    steps: list[int] = field(default_factory=list)
    planned: int = 0
    worst: list[Worst] = field(default_factory=list)
    losses: list[tuple[str, str]] = field(default_factory=list)
    arrays: dict[str, Any] | None = None


def slider(run: Run, steps: list[int]) -> Slider:
    """Everything that the slider shows at these steps of a run."""
    if not steps:
        return Slider()
    return Slider(steps, len(run.steps), _worst(run, steps[-1]), _losses(run, steps[-1]), _arrays(run, steps))


def _at(run: Run, step: int) -> list[Worst]:
    return Series(Run(run.head, [run.steps[step - 1]])).worst


def _worst(run: Run, step: int) -> list[Worst]:
    found = {worst.gradient: worst for worst in _at(run, step)}
    none = ("", "", None, "not compared at this step")
    return [found.get(name) or Worst(name, 1, 1, 1, *none) for name in run.head.gradients]


def _losses(run: Run, step: int) -> list[tuple[str, str]]:
    losses = run.steps[step - 1].losses
    return [(n, "not finite" if losses.get(n) is None else repr(losses[n])) for n in run.head.implementations]


def _arrays(run: Run, steps: list[int]) -> dict[str, Any]:
    """For every step and every gradient the worst share, by whom, in which check; losses."""
    names, gradients = list(run.head.implementations), run.head.gradients
    used = np.full((len(steps), len(gradients)), np.nan, np.float32)
    by, check, verdict = (np.full(used.shape, NONE, np.uint8) for _ in range(3))
    losses = np.full((len(steps), len(names)), np.nan)
    for place, step in enumerate(steps):
        losses[place] = [np.nan if v is None else v for v in map(run.steps[step - 1].losses.get, names)]
        for worst in _at(run, step):
            at = place, gradients.index(worst.gradient)
            used[at] = np.nan if worst.used is None else min(worst.used, float(np.finfo(np.float32).max))
            by[at] = min(names.index(worst.against), NONE) if worst.against in names else NONE
            check[at], verdict[at] = CHECKS.index(worst.check), VERDICTS.index(worst.verdict)
    arrays: dict[str, NDArray[Any]] = {"used": used, "by": by, "check": check, "verdict": verdict, "losses": losses}
    packs = {name: {"dtype": str(array.dtype), "bytes": packed(array)} for name, array in arrays.items()}
    return packs | {"names": names, "checks": list(CHECKS), "verdicts": VERDICTS}
