"""Run: everything a lockstep run found, the same object for text, JSON and tests, fresh or read back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import to_builtins
from msgspec.structs import asdict

from harness.comparison.certification import Certificate, TrueError, worst_error
from harness.comparison.judge import SEVERITY, Finding, Row
from harness.inputs.plain import as_path
from harness.results.numbers import owner
from harness.results.printable import Printable
from harness.results.rebuilding import network_of
from harness.results.record import End, Ending, Head, Lost, PowerCount, Step
from harness.results.record_file import GIVE, line_of, read_lines
from harness.results.steps import Steps
from harness.results.summary import Summary
from harness.results.verdicts import TWIN, DriftVerdict, Judged, Outcome, explanation, first_fault, outcome_of
from harness.usage import UsageError
from impls.graph import Graph, prefixed


@dataclass
class Run(Judged, Printable, text="harness.rendering.tables:render", notebook="harness.rendering.notebook:of_run"):
    """A run, complete or partial.

    Attributes:
        head: what was asked, environment and assumptions.
        steps: every finished step.
        how: finished, interrupted, diverged or cut off.
        unrecorded: why its record lacks something, if it does.
        recorded: where its record was written, and how long it is, if it was.
        power: faults planted at the first step, and how many would be missed; None where no step was compared.
        lost: what its record lacks, where it was read and lines are damaged: empty steps stand in for those lost.
        unchecked: why damage to its record would not be noticed, where that is so.
        made: the network, where the run was made here.
    """

    head: Head
    steps: Sequence[Step] = field(default_factory=Steps)
    how: Ending = "finished"
    unrecorded: str | None = None
    recorded: str | None = None
    power: PowerCount | None = None
    lost: Lost | None = None
    unchecked: str | None = None
    made: Graph | None = field(default=None, repr=False)

    @cached_property
    def network(self) -> Graph | None:
        """The network, rebuilt where the run was read back; None if it is not made of layers of the hand code."""
        try:
            return self.made or network_of(self.head.network)
        except UsageError:
            return None

    @property
    def gradients(self) -> Sequence[str]:
        """Names of the gradients that were asked for, those of the weights."""
        return self.head.gradients

    @cached_property
    def summary(self) -> Summary:
        """What is told of all steps together."""
        return Summary(self.head, self.steps)

    @cached_property
    def rows(self) -> list[Row]:
        """One row per check, tensor and implementation: the worst over all steps."""
        return self.summary.rows

    @property
    def faults(self) -> list[Row]:
        """Every row of every step that is a FAULT, in order."""
        return [row for step in self.steps for row in step.rows if row.verdict == "FAULT"]

    @property
    def first_fault(self) -> Row | None:
        """The first FAULT, by the rounding check if it saw one."""
        return first_fault(self.summary.first_faults) if self.summary.faults else None

    @property
    def first_wrong(self) -> str | None:
        """The tensor of the first FAULT."""
        return self.first_fault.gradient if self.first_fault else None

    @property
    def findings(self) -> list[Finding]:
        """Every finding, in order."""
        return self.summary.findings

    @cached_property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the sentence that gives the reason."""
        return outcome_of(self.head, self.summary, self.rows, self.how, self.lost)

    @property
    def exit(self) -> int:
        """The exit status that the verdict, the way the run ended and an incomplete record call for."""
        return 2 if self.unrecorded and self.how != "interrupted" else self.outcome.exit

    @property
    def undecided(self) -> int:
        """Number of kinks that the float64 bound could not decide, over all steps."""
        return self.summary.undecided

    @property
    def entries(self) -> int:
        """Number of entries compared, over all rows and steps."""
        return sum(row.entries for row in self.rows)

    @property
    def weights_digest(self) -> str:
        """SHA-256 over the digests of the weights at every step."""
        return self.summary.weights_digest

    @property
    def certificates(self) -> list[Certificate]:
        """Every certificate, in order; none unless the run was exact."""
        return self.summary.certificates

    @cached_property
    def true_errors(self) -> list[TrueError]:
        """One for each tensor, implementation and dtype: the worst over all certified steps."""
        groups: dict[tuple[str, str, str], list[TrueError]] = {}
        for certificate in self.certificates:
            for error in certificate.errors:
                groups.setdefault((error.gradient, error.against, error.dtype), []).append(error)
        return [worst_error(errors) for errors in groups.values()]

    @property
    def losses(self) -> dict[str, list[float | None]]:
        """Loss of every implementation at every step."""
        return self.summary.losses

    @cached_property
    def drift(self) -> dict[str, list[float | None]]:
        """In a free run, the drift of every implementation and of the twin at every step; else nothing."""
        found = self.summary.drift
        return {name: found[name] for name in (*self.head.implementations, TWIN) if name in found}

    def explanation(self, name: str) -> DriftVerdict:
        """Is the drift of an implementation explained by rounding?"""
        return explanation(name, self.head, self.summary, self.rows)

    def find(self, check: str, gradient: str, against: str) -> Row | None:
        """The row of one check, tensor and implementation."""
        return next((r for r in self.rows if (r.check, r.gradient, r.against) == (check, gradient, against)), None)

    def select(self, keep: Callable[[Row], bool]) -> list[Row]:
        """Rows that satisfy a condition, gravest first."""
        return sorted(filter(keep, self.rows), key=lambda row: SEVERITY.index(row.verdict))

    def weights_at(self, step: int) -> dict[str, Any] | None:
        """Weights before the update of a step, if the record holds them."""
        kept = self.steps[step - 1].weights
        if kept is None:
            return None
        dtype, shapes = self.head.dtype, self.head.weights
        return {name: np.array(flat, dtype).reshape(shapes[name]) for name, flat in kept.items()}

    def doubles_at(self, step: int) -> dict[str, dict[str, Any]]:
        """By implementation, the gradients in float64 at the weights of a step, where the record holds them."""
        shapes = {prefixed("d", name): shape for name, shape in self.head.weights.items()}
        return {
            who: {name: np.array(flat, np.float64).reshape(shapes[name]) for name, flat in kept.items()}
            for who, kept in self.steps[step - 1].doubles.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness run --json``."""
        head = to_builtins(self.head)
        return {
            **{key: head[key] for key in ("schema", "created", "network", "description", "loss_formula")},
            "verdict": self.verdict,
            "exit": self.exit,
            "reason": self.outcome.reason,
            **{key: head[key] for key in ("data", "optimizer", "dtype", "seed", "batch", "schedule")},
            "steps": len(self.steps),
            "ended": self.how,
            "unrecorded": self.unrecorded,
            "lost": None if self.lost is None else str(self.lost),
            **{key: head[key] for key in ("environment", "implementations", "ledger")},
            "weights_digest": self.weights_digest,
            "undecided_kinks": self.undecided,
            "entries": self.entries,
            "loss": self.losses,
            "free_run": self.head.free_run,
            "drift": self.drift,
            "explained": {n: self.explanation(n)._asdict() for n in self.drift if n != TWIN},
            "findings": to_builtins(self.findings),
            "rows": [asdict(row) for row in self.rows],
            "power": to_builtins(self.power),
            "exact": self.head.exact,
            "certificates": [
                {key: value for key, value in to_builtins(certificate).items() if key != "errors"}
                for certificate in self.certificates
            ],
            "true_errors": [asdict(error) for error in self.true_errors],
        }

    def end(self) -> End:
        """The last line of the record."""
        return End(self.how, len(self.steps), self.verdict, self.exit, self.power)

    def lines(self) -> Iterator[bytes]:
        """Every line of the record, without its end."""
        yield line_of(self.head)
        yield from map(line_of, self.steps)
        yield line_of(self.end())


def read_run(path: str | os.PathLike[str]) -> Run:
    """The run that ``harness run --output`` wrote, up to its last whole step; damaged lines are left out and told.

    Raises:
        UsageError: the file cannot be read, its head or everything else is damaged, it contradicts itself, or it has a
            newer schema.
    """
    name = as_path("path", path)
    lines = read_lines(Path(name), _strange)
    end = lines.end
    run = Run(
        lines.head, lines.steps, end.how if end else "cut off", power=end.power if end else None,
        lost=lines.lost, unchecked=lines.unchecked,
    )  # fmt: skip
    network, head = run.network, run.head
    if network is not None:
        made = (dict(network.weights), tuple(network.gradients), network.activations)
        if made != (head.weights, tuple(head.gradients), tuple(head.activations)):
            raise UsageError(
                f"Cannot read {name}, because line 1 names weights or tensors that its network does not have; {GIVE}."
            )
    return run


def _strange(head: Head) -> Callable[[Step], str | None]:
    """What finds in a step a row of a tensor that the network of a head does not have."""
    try:
        network = network_of(head.network)
    except UsageError:
        return lambda _: None
    known = set[str]()

    def strange(step: Step) -> str | None:
        for row in step.rows:
            if row.gradient not in known:
                if owner(network, row.gradient) is None:
                    return f"has a row of {row.gradient[:40]!r}, which its network does not have"
                known.add(row.gradient)
        return None

    return strange
