"""Summary: what is told of all steps of a run together, found in one pass that keeps none of them.

What it keeps does not grow with the number of steps, but for the losses and the drift, eight bytes each, and findings.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from math import nan

from harness.comparison.certification import Certificate
from harness.comparison.judge import Finding, Row
from harness.comparison.worst import Worst
from harness.results.record import Head, Step
from impls.graph import prefixed
from impls.registry import REFERENCE


class Summary:
    """Of every step of a run.

    Attributes:
        steps: how many there are; `compared` of them compared anything, `full` every entry.
        faults: of each implementation that has some, its FAULT rows of the first step where it does.
        first_faults: the FAULT rows of the first step that has any, in order.
        outside: where some row of the formula check was outside first, all rows of that check by gradient and
            implementation: those of weights.
        weights_digest: SHA-256 over the digests of the weights at every step.
        powerless: gradients that some implementation had at some step without any check that could have failed.
    """

    def __init__(self, head: Head, steps: Iterable[Step]) -> None:
        self.steps = self.compared = self.full = self.undecided = 0
        self.faults: dict[str, list[Row]] = {}
        self.first_faults: list[Row] = []
        self.outside: dict[str, dict[str, Row]] = {}
        self.powerless: set[str] = set()
        self.findings: list[Finding] = []
        self.certificates: list[Certificate] = []
        self._head = head
        self._gradients = {*head.gradients, *(prefixed("d", name) for name in head.activations)}
        self._worst: dict[tuple[str, str, str], Worst] = {}
        self._losses: dict[str, array[float]] = {name: array("d") for name in head.implementations}
        self._drift: dict[str, array[float]] = {}
        digests = hashlib.sha256()
        for step in steps:
            digests.update(step.digest.encode())
            self._add(step)
        self.weights_digest = digests.hexdigest()

    def _add(self, step: Step) -> None:
        self._numbers(step)
        self.steps += 1
        self.compared += step.checked != "none"
        self.full += step.checked == "full"
        self.undecided += step.undecided
        self.findings += step.findings
        self.certificates += step.certificates
        powered: dict[tuple[str, str], bool] = {}
        for row in step.rows:
            found = self._worst.get(key := (row.check, row.gradient, row.against))
            if found is None:
                self._worst[key] = Worst(row)
            else:
                found.add(row)
            if row.verdict != "not comparable" and row.gradient in self._gradients:
                here = row.gradient, row.against
                powered[here] = powered.get(here, False) or row.verdict != "no power"
        self.powerless |= {gradient for (gradient, _), has_power in powered.items() if not has_power}
        self._first_wrong(step)

    def _numbers(self, step: Step) -> None:
        for name in step.drift:
            self._drift.setdefault(name, array("d", [nan] * self.steps))
        for found, given in ((self._losses, step.losses), (self._drift, step.drift)):
            for name, values in found.items():
                value = given.get(name)
                values.append(nan if value is None else value)

    def _first_wrong(self, step: Step) -> None:
        faults = [row for row in step.rows if row.verdict == "FAULT"]
        for name in dict.fromkeys(row.against for row in faults if row.against not in self.faults):
            self.faults[name] = [row for row in faults if row.against == name]
        self.first_faults = self.first_faults or faults
        if not self.outside and any(row.outside for row in step.rows):
            found: dict[str, dict[str, Row]] = {}
            for row in step.rows:
                if row.check == "formula" and row.gradient in self._head.gradients:
                    found.setdefault(row.gradient, {})[row.against] = row
            others = [name for name in self._head.implementations if name != REFERENCE]
            if any(rows[name].outside for rows in found.values() for name in others if name in rows):
                self.outside = found

    @property
    def rows(self) -> list[Row]:
        """One row per check, tensor and implementation: the worst over all steps."""
        return [found.row for found in self._worst.values()]

    @property
    def losses(self) -> dict[str, list[float | None]]:
        """Loss of every implementation at every step."""
        return {name: _listed(values) for name, values in self._losses.items()}

    @property
    def drift(self) -> dict[str, list[float | None]]:
        """The drift of everybody that has one at every step."""
        return {name: _listed(values) for name, values in self._drift.items()}


def _listed(values: Iterable[float]) -> list[float | None]:
    return [None if value != value else value for value in values]
