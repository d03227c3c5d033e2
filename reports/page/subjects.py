"""What a page is about: a run or a check, with its network, weights and batches as far as they can be had.

What several sections need is made once, and only if one of them asks for it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.cli.terminal import spelled
from harness.inputs.batches import Batches
from harness.inputs.schedule import milestone
from harness.rendering import chain_screen, operation_screen, pair_screen, program_screen
from harness.rendering.tables import heading
from harness.results.rebuilding import batches_of_check, batches_of_head, network_of
from harness.results.run import Run
from harness.sweeping.table import heading as heading_of_sweep
from harness.usage import UsageError
from impls.graph import Graph
from impls.registry import REFERENCE
from reports.page.drawing import Drawing, drawn
from reports.page.explorer import Explorer, explored
from reports.page.numbers import spaced
from reports.page.series import Series, Weights

if TYPE_CHECKING:
    from harness.results.chain_check import ChainCheck
    from harness.results.check import Check
    from harness.results.operation_check import OperationCheck
    from harness.results.program_check import ProgramCheck
    from harness.results.program_pair import ProgramPair
    from harness.sweeping.summary import Sweep

MOST_STEPS = 1000
NO_DATA = (
    "the record does not hold the data, which has more than 10,000 numbers and no name, or an older version wrote it"
)


class RunSubject:
    """A run, complete or not.

    Attributes:
        why: why the network or its batches are not there.
    """

    kind = "lockstep run"

    def __init__(self, run: Run) -> None:
        self.run = self.result = run
        self.title = run.head.description
        self.reason = run.outcome.reason
        self.heading = heading(run).split("\n")
        self.warnings = _warnings(run)
        self.series = Series(run)
        self.network, self.batches, self.why = _rebuilt(run)

    @cached_property
    def weights(self) -> Weights:
        """As far as the record holds them."""
        steps = self.run.steps
        known = [number for number, step in enumerate(steps, 1) if step.weights is not None]
        return Weights(known, len(steps), self.run.weights_at, self.run.head.dtype)

    @cached_property
    def drawing(self) -> Drawing | None:
        """Of the network, neuron by neuron, where it can be drawn so."""
        return drawn(self.network, self.weights, self.batches) if self.network else None

    @cached_property
    def explorer(self) -> Explorer:
        """Its derivatives, path by path."""
        if self.network is None or self.batches is None:
            return Explorer(missing=self.why)
        others = [name for name in self.run.head.implementations if name != REFERENCE]
        return explored(self.network, self.weights, self.batches, others, self.run.doubles_at)

    @cached_property
    def steps(self) -> list[int]:
        """Those that the slider reaches."""
        last = len(self.run.steps)
        return (self.drawing.steps if self.drawing else []) or spaced(last, MOST_STEPS, lambda s: milestone(s, last))


class CheckSubject:
    """A check of a backward pass."""

    kind = "check of a backward pass"
    warnings = ()
    why = ""

    def __init__(self, check: Check) -> None:
        self.check = self.result = check
        setting, point = check.setting, check.point
        self.title, self.reason = setting.name, check.reason
        self.heading = [
            f"{setting.description} · {setting.loss_formula} · {setting.data} · {setting.dtype} · batch {setting.rows}"
        ]
        self.command = spelled() or f"harness check {setting.name}"
        self.network: Graph = point.network
        self.batches = batches_of_check(setting, point)
        self.weights = Weights([1], 1, {1: dict(point.weights)}.get, setting.dtype)

    @cached_property
    def drawing(self) -> Drawing | None:
        """Of the network, neuron by neuron, where it can be drawn so."""
        return drawn(self.network, self.weights, self.batches)

    @cached_property
    def explorer(self) -> Explorer:
        """The right derivatives, path by path."""
        return explored(self.network, self.weights, self.batches)


class ChainSubject:
    """A check of somebody's own chain."""

    kind = "check of a chain"
    warnings = ()

    def __init__(self, check: ChainCheck) -> None:
        self.check = self.result = check
        self.title = f"gradients by hand of {check.tensors} tensors"
        self.reason = check.reason
        self.heading = [chain_screen.heading(check)]
        self.command = check.command or "harness.check_chain(forward, backward, inputs=...)"


class OperationSubject:
    """A check of one operation."""

    kind = "check of an operation"
    warnings = ()

    def __init__(self, check: OperationCheck) -> None:
        self.check = self.result = check
        self.title, self.reason = check.name, check.reason
        self.heading = [*operation_screen.heading(check), *operation_screen.not_tried(check)]
        self.command = check.command or f"harness.check_vjp(..., dtype={check.dtype!r}, seed={check.seed})"


class ProgramSubject:
    """A check of a program, operation by operation."""

    kind = "check of a program"

    def __init__(self, check: ProgramCheck) -> None:
        self.check = self.result = check
        self.title, self.reason = check.name, check.reason
        self.heading = [program_screen.heading(check), program_screen.coverage(check)]
        self.warnings = check.notes
        self.command = check.command or f"harness.check_program(..., seed={check.seed})"


class PairSubject:
    """Two programs on the same numbers."""

    kind = "comparison of two programs"

    def __init__(self, pair: ProgramPair) -> None:
        self.pair = self.result = pair
        self.title, self.reason = " and ".join(side.name for side in pair.sides), pair.reason
        self.heading = [*pair_screen.heading(pair), *pair_screen.weights(pair)]
        self.warnings = pair.notes
        self.command = pair.command or f"harness.compare_programs(..., seed={pair.seed})"


class SweepSubject:
    """Many runs."""

    kind = "sweep"

    def __init__(self, sweep: Sweep) -> None:
        self.result = sweep
        self.title, self.reason = sweep.source, sweep.reason
        self.heading = [heading_of_sweep(sweep)]
        self.warnings = [sweep.unkept] if sweep.unkept else []


def _rebuilt(run: Run) -> tuple[Graph | None, Batches | None, str]:
    """Network and batches as far as the record allows, and why not further."""
    try:
        network = run.made or network_of(run.head.network)
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
    if run.lost:
        warnings.append(f"The record lacks {run.lost}. This page shows the rest.")
    if run.unchecked:
        warnings.append(f"The record {run.unchecked}.")
    return [*warnings, run.unrecorded] if run.unrecorded else warnings
