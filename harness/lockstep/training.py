"""Lockstep: k implementations, step by step, on identical weights.

At every step each implementation differentiates the network at the same weights on the same batch, takes
its own optimizer step, and is compared; the hand code's new weights are the next step's weights for all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from harness.candidates.implementation import Admission, admit
from harness.evaluation.truth import refuse_uncertifiable
from harness.inputs.arguments import (
    as_data,
    as_dtype,
    as_names,
    as_network,
    as_optimizer,
    check_parameters,
)
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.inputs.devices import as_device
from harness.inputs.plain import as_called, as_count, as_flag, as_path, as_text, shown
from harness.inputs.schedule import SMALL, Schedule
from harness.interrupts import heard, heed, held_back
from harness.lockstep.evidence import StepEvidence
from harness.lockstep.forecast import forecast
from harness.lockstep.judges import Judges
from harness.lockstep.judging import power_of
from harness.lockstep.session import Session
from harness.results.record import Step
from harness.results.record_file import Writer
from harness.results.run import Run
from harness.results.steps import Steps
from harness.usage import UsageError
from impls.contract import CPU
from impls.graph import Graph


@heard()
def run(
    network: Graph | str | os.PathLike[str] = "4-3-2-1",
    data: Data | str | os.PathLike[str] | tuple[Any, Any] = "iris",
    against: Sequence[str] | None = None,
    *,
    raw: bool = False,
    target: str | None = None,
    optimizer: Any = "gradient-descent",
    steps: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    dtype: str = "float32",
    device: str = "cpu",
    seed: int = 0,
    check_every: int | None = None,
    full: bool = False,
    free_run: bool = False,
    exact: bool = False,
    output: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    command: str | None = None,
    announce: Callable[[str], None] | None = None,
    judge: Callable[[StepEvidence], Step] | None = None,
) -> Run:
    """Train in lockstep, compare every implementation with the hand code, and return the `Run`.

    Args:
        network: a `Network`, layer sizes (sigmoid everywhere, sum of squared errors), or the path of a .toml file.
        data: a `Data`, the name or path of one, or arrays (x, y).
        against: implementations by name; all that are installed if None.
        raw, target: how to load data by name or path: see `load_data`.
        optimizer: a hand-written optimizer or its name.
        steps, epochs: how long to train: 200 steps if neither is given.
        batch: rows per step, in an order fixed by the seed; all rows if None.
        dtype: the working dtype, float32, float64, float16 or bfloat16. The formula check always runs in float64.
        device: where the frameworks compute, as torch and JAX call it; the hand code, which they are compared with,
            stays on the CPU, and arrays are copied there and back.
        seed: of the initial weights, the order of the batches and random data.
        check_every: compare only every N-th step, the first and the last.
        free_run: let each implementation follow its own updates, and report the drift.
        full: compare every entry at every step, also of large networks.
        exact: at steps 1, 2, 4, 8, ... and the last, find the true gradient (with balls, or exactly), judge the formula
            check by it, and measure every implementation's true error.
        output: path of a run record to write as the run happens; a file that exists is refused.
        progress: called after each step with the steps done and the steps planned.
        command: how this run was asked for, kept in its record.
        announce: called with what will take long, in a sentence, before it starts, and then with how far it has come.
        judge: called with what was run of a step, gives the step; this process does, and others beside it, if None.

    Raises:
        UsageError: something impossible was asked for.
    """
    network, optimizer = as_network(network, data), as_optimizer(optimizer)
    names = as_names(against)
    steps, epochs, batch = as_count("steps", steps, 0), as_count("epochs", epochs, 0), as_count("batch", batch, 1)
    check_every, seed = as_count("check_every", check_every, 1), as_count("seed", seed, 0) or 0
    dtype, device = as_dtype(dtype), as_device(device)
    full, free_run, exact = as_flag("full", full), as_flag("free_run", free_run), as_flag("exact", exact)
    progress = as_called("progress", progress, "the steps done", "the steps planned")
    announce = as_called("announce", announce, "a sentence")
    judge = as_called("judge", judge, "what was run of a step")
    output = None if output is None else as_path("output", output)
    command = None if command is None else as_text("command", command, "harness run")
    check_parameters(network, optimizer, dtype)
    if steps is not None and epochs is not None:
        raise UsageError("Cannot use steps and epochs together, because each fixes the length; give one of them.")
    # The output comes before the data and the frameworks: nobody should wait to learn that it cannot be written.
    with nullcontext() if output is None else Writer(output) as writer:
        loaded = as_data(data, network, seed, raw=raw, target=target)
        batches = batches_of(network, loaded, dtype, batch, seed)
        planned = epochs * batches.per_epoch if epochs is not None else 200 if steps is None else steps
        schedule = Schedule(full or network.multiply_adds(batches.size) < SMALL, check_every or 0, planned, seed)
        if exact:
            refuse_uncertifiable(network, batches.size)
        if announce:
            for sentence in forecast(network, batches.size, schedule, exact=exact):
                announce(sentence)
        with held_back():
            admission = admit(names, network, dtype, named=against is not None, device=device)
            if device != CPU and len(admission.participants) < 2:
                raise UsageError(_nowhere(device, admission))
        session = Session(
            network, batches, optimizer, dtype, seed, schedule, free_run, admission, exact, command, announce
        )  # fmt: skip
        head = session.head(loaded, named=against is not None)
        with Judges(network, planned, judge and _asked(judge)) as judges:
            return _train(session, Run(head, made=network), writer, progress, judges)


def _nowhere(device: str, admission: Admission) -> str:
    reasons = " ".join(finding.message for finding in admission.absent) or "Only the hand code takes part, on the CPU."
    return f"Cannot run on {device!r:.60}, because no framework that takes part can. {reasons}"


def _asked(judge: Callable[[StepEvidence], Any]) -> Callable[[StepEvidence], Step]:
    """What somebody else makes of a step, as it has to be."""

    def judged(evidence: StepEvidence) -> Step:
        step = judge(evidence)
        if not isinstance(step, Step):
            raise UsageError(
                f"Cannot go on after step {evidence.number}, because judge returned {shown(step)}; let it return a "
                f"Step, as harness.lockstep.judging.judged does."
            )
        return step

    return judged


def _train(
    session: Session, run: Run, writer: Writer | None, progress: Callable[[int, int], None] | None, judges: Judges
) -> Run:
    """Every step, written and reported as it is judged; Ctrl-C keeps those that are."""
    run.steps = steps = Steps()

    def keep() -> None:
        while judges.finished:
            step = judges.finished[0]
            new = step.step > len(steps)
            if new:
                steps.append(step)
            judges.finished.popleft()
            if writer:
                writer.keep(run.head, steps)
            if progress and new:
                progress(step.step, session.schedule.last)

    try:
        if writer:
            writer.keep(run.head, steps)
        for number in range(1, session.schedule.last + 1):
            heed()
            evidence = session.step(number)
            judges.take(evidence)
            if number == 1:
                run.power = power_of(evidence, lambda: session.admission.comparers(session.dtype))
            if any(f.kind == "diverged" for f in evidence.findings) or not session.reference.alive:
                run.how = "diverged"
            del evidence  # of a wide network it is most of the memory, which the next step needs
            keep()
            if run.how == "diverged":
                break
        judges.finish()
        keep()
    except KeyboardInterrupt:
        run.how = "interrupted"
        with suppress(KeyboardInterrupt):  # who presses it again does not want these either
            judges.finish()
            keep()
    if writer:
        writer.keep(run.head, steps, run.end())
        run.unrecorded = writer.complaint(len(steps))
        run.recorded = None if run.unrecorded else f"{writer.path}, {writer.lines} lines"
    return run
