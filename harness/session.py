"""A session: one lockstep run under way, step by step.

Each step differentiates everywhere at the same weights, compares, lets every implementation take its own
optimizer step and compares that too; the hand code's new weights are the next step's weights for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from harness import checks
from harness.arithmetic import profile_of
from harness.batches import Batches
from harness.centre import EVERY_ENTRY, Array, Centre, Sample, end_to_end
from harness.checks import Point
from harness.comparison import Row, not_comparable
from harness.conformance import BreachError, Finding, digest_of, non_finite, read_only, seal
from harness.datasets import Data
from harness.environment import environment
from harness.participant import Participant
from harness.records import SCHEMA, WEIGHTS_KEPT, Head, Step, Writer
from harness.runs import Run
from harness.schedule import Schedule
from harness.updates import update as check_update_links
from impls import registry
from impls.contract import CannotCompareError, Pass, tensors_of
from impls.hand import Network
from impls.hand.notation import describe, output_label

REFERENCE = "hand"


@dataclass
class Session:
    """One run under way."""

    network: Network
    batches: Batches
    optimizer: Any
    dtype: str
    seed: int
    schedule: Schedule

    def admit(self, names: list[str], data: Data, *, named: bool) -> Head:
        """Load the implementations; what is missing or cannot be built is a finding, not an end."""
        self.participants: list[Participant] = []
        self.absent: list[Finding] = []
        versions, found = {}, environment()
        for name in names:
            try:
                participant = Participant(name, registry.load(name), self.network, self.dtype)
                version, settings = participant.describe()
            except (registry.NotInstalledError, CannotCompareError) as error:
                self.absent.append(Finding(name, 1, "missing", str(error), fails=False))
                continue
            except BreachError as breach:
                self.absent.append(Finding(name, 1, breach.kind, str(breach), fails=named))
                continue
            except Exception as error:
                text = " ".join(str(error).split())[:300]
                message = f"could not be imported: {type(error).__name__}: {text}"
                self.absent.append(Finding(name, 1, "raised", message, fails=named))
                continue
            self.participants.append(participant)
            versions[name] = version
            found |= settings
        self.weights = read_only(self.network.init(self.seed, self.dtype))
        lines = profile_of("float64").assumptions()
        if self.dtype != "float64":
            lines = profile_of(self.dtype).assumptions() + lines
        return Head(
            SCHEMA,
            datetime.now(UTC).isoformat(timespec="seconds"),
            repr(self.network),
            describe(self.network),
            self.network.loss.formula(output_label(self.network), self.network.outputs),
            {name: tuple(shape) for name, shape in self.network.weights.items()},
            self.network.gradients,
            self.network.activations,
            ", ".join(filter(None, [data.describe(), data.meaning(self.network)])),
            repr(self.optimizer),
            self.dtype,
            self.seed,
            self.schedule.last,
            self.batches.size,
            "every entry at every step" if self.schedule.full else "sampled between steps 1, 2, 4, 8, ...",
            versions,
            found,
            lines,
            named,
        )

    def train(self, run: Run, writer: Writer | None, progress: Callable[[int, int], None] | None) -> Run:
        """Every step, written and reported as it happens; Ctrl-C keeps the finished ones."""
        try:
            if writer:
                writer.keep(run.head, run.steps)
            for number in range(1, self.schedule.last + 1):
                step = self.step(number)
                run.steps.append(step)
                if writer:
                    writer.keep(run.head, run.steps)
                if progress:
                    progress(number, self.schedule.last)
                if any(f.kind == "diverged" for f in step.findings) or not self._reference().alive:
                    run.how = "diverged"
                    break
        except KeyboardInterrupt:
            run.how = "interrupted"
        if writer:
            writer.keep(run.head, run.steps, run.end())
            run.unrecorded = writer.complaint(len(run.steps))
        return run

    def _reference(self) -> Participant:
        return self.participants[0]

    def step(self, number: int) -> Step:
        """Differentiate, compare, update."""
        x, y = self.batches.at(number)
        given = read_only({**self.weights, "x": x, "y": y})
        seals = seal(given)
        sample = self.schedule.sample(number)
        alive = [p for p in self.participants if p.alive]
        passes = {p.name: p.attempt(number, partial(p.differentiate, self.dtype, given, seals)) for p in alive}
        passes = {name: result for name, result in passes.items() if result is not None}
        losses = {name: _finite(result.loss) for name, result in passes.items()}
        rows: list[Row] = []
        undecided = 0
        if not self._diverged(number, passes):
            passes = {p.name: passes[p.name] for p in alive if p.alive and p.name in passes}
            if sample is not None:
                point = Point(self.network, self.weights, x, y, number)
                rows, undecided = self._compare(point, passes, sample, given, seals)
            moved = self._update(number, passes, rows, sample, seals)
        else:
            moved = None
        findings = [f for p in self.participants for f in p.findings]
        for p in self.participants:
            p.findings = []
        if number == 1:
            findings = self.absent + findings
        step = Step(
            number,
            digest_of(self.weights),
            "none" if sample is None else "full" if sample == EVERY_ENTRY else "sample",
            losses,
            rows,
            findings,
            undecided,
            self._kept(),
        )
        if moved is not None:
            self.weights = read_only(moved)
        return step

    def _kept(self) -> dict[str, list[float]] | None:
        if sum(w.size for w in self.weights.values()) > WEIGHTS_KEPT:
            return None
        return {name: w.ravel().tolist() for name, w in self.weights.items()}

    def _diverged(self, number: int, passes: Mapping[str, Pass]) -> bool:
        """Non-finite values: of all, the training diverges; of some, they are a finding about those."""
        broken = {name: non_finite(tensors_of(result)) for name, result in passes.items()}
        broken = {name: tensor for name, tensor in broken.items() if tensor}
        if not broken:
            return False
        reference = self._reference()
        if len(broken) == len(passes):
            remedy = "choose a smaller lr" if number > 1 else "scale the data"  # before any update, lr is not to blame
            message = (
                f"the training diverges at step {number}: {broken.get(REFERENCE)} is not finite in any "
                f"implementation; {remedy}"
            )
            reference.record(number, "diverged", message, fails=False)
            return True
        for participant in self.participants:
            tensor = broken.get(participant.name)
            if tensor:
                message = f"returned a non-finite {tensor} where others are finite"
                participant.record(number, "non-finite", message, tensor)
                participant.alive = False
        return REFERENCE in broken

    def _compare(
        self,
        point: Point,
        passes: Mapping[str, Pass],
        sample: Sample,
        given: Mapping[str, Array],
        seals: Mapping[str, str],
    ) -> tuple[list[Row], int]:
        working = profile_of(self.dtype)
        batch = (self.network, self.weights, point.x, point.y)
        centre64 = end_to_end(*batch, profile_of("float64"))
        centre = centre64 if self.dtype == "float64" else end_to_end(*batch, working)
        double = given
        if self.dtype != "float64":
            double = read_only({n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in given.items()})
        double_seals = seals if double is given else seal(double)
        rows: list[Row] = []
        for participant in [p for p in self.participants if p.name in passes]:
            name, result = participant.name, passes[participant.name]
            results = [result]
            if point.step == 1:
                results += self._try_again(participant, result, given, seals)
            rows += self._formula(point, participant, result, centre64, sample, double, double_seals)
            for each in results:
                rows += checks.rounding(point, name, each, working, sample)
            if name != REFERENCE and REFERENCE in passes:
                rows += checks.end_to_end(point, name, result, passes[REFERENCE], centre, centre64, sample)
        return rows, centre64.undecided

    def _formula(
        self,
        point: Point,
        participant: Participant,
        result: Pass,
        centre64: Centre,
        sample: Sample,
        double: Mapping[str, Array],
        seals: Mapping[str, str],
    ) -> list[Row]:
        """The formula check on a float64 pass of its own; one without float64 is not comparable there."""
        name = participant.name
        if self.dtype == "float64":
            return checks.formula(point, name, result, centre64, sample)
        try:
            participant.built("float64")
        except CannotCompareError as reason:
            return [
                not_comparable("formula", gradient, name, point.step, str(reason))
                for gradient in self.network.gradients
            ]
        except BreachError:
            pass  # told, and recorded, by the attempt below
        pass64 = participant.attempt(point.step, partial(participant.differentiate, "float64", double, seals))
        return [] if pass64 is None else checks.formula(point, name, pass64, centre64, sample)

    def _try_again(
        self, participant: Participant, first: Pass, given: Mapping[str, Array], seals: Mapping[str, str]
    ) -> list[Pass]:
        """A second call, which should answer the same, and an untapped one, which taps should not change."""
        second = participant.attempt(1, lambda: participant.differentiate(self.dtype, given, seals))
        plain = participant.attempt(1, lambda: participant.differentiate(self.dtype, given, seals, tap=False))
        again = []
        if second is not None and (tensor := _first_difference(first, second)):
            message = f"answers differently the second time: {tensor} first, at step 1"
            participant.record(1, "second call differs", message, tensor, fails=False)
            again.append(second)
        if plain is not None and (tensor := _first_difference(first, plain)):
            message = f"gives other gradients when its intermediates are tapped: {tensor} first, at step 1"
            participant.record(1, "tap changes the program", message, tensor, fails=False)
        return again

    def _update(
        self,
        number: int,
        passes: Mapping[str, Pass],
        rows: list[Row],
        sample: Sample | None,
        seals: Mapping[str, str],
    ) -> dict[str, Array] | None:
        """Each implementation's own step; the reference's new weights are everybody's next."""
        moved = None
        weight_seals = {name: seals[name] for name in self.weights}
        for participant in [p for p in self.participants if p.name in passes and p.alive]:
            name, gradients = participant.name, passes[participant.name].gradients
            if number == 1:
                participant.attempt(1, partial(participant.start, self.optimizer, self.weights, weight_seals))
            if participant.updater is None:
                if sample is not None:
                    reason = f"{name} has no optimizer equal to it"
                    rows += [not_comparable("rounding", w, name, number, reason) for w in self.weights]
                continue
            after = participant.attempt(
                number,
                partial(participant.update, self.optimizer, self.weights, gradients, weight_seals),
            )
            if after is None:
                continue
            if sample is not None:
                rows += check_update_links(
                    self.optimizer, self.weights, gradients, participant.state, after,
                    profile_of(self.dtype), against=name, step=number, sample=sample,
                )  # fmt: skip
            participant.state = dict(after.state)
            if name == REFERENCE:
                moved = dict(after.weights)
        return moved


def _first_difference(first: Pass, second: Pass) -> str | None:
    """The first tensor that is not the same in both."""
    one, other = tensors_of(first), tensors_of(second)
    return next((name for name in one if name in other and not np.array_equal(one[name], other[name])), None)


def _finite(number: Any) -> float | None:
    return float(number) if np.isfinite(number) else None
