"""A session: one run under way, step by step.

Each step differentiates everywhere, compares, lets every implementation take its own optimizer step and
compares that too. In lockstep the hand code's new weights are the next step's weights for all; in a free
run each goes on from its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.arithmetic import profile_of
from harness.candidates.conformance import non_finite
from harness.candidates.implementation import Admission, Participant
from harness.comparison.certification import Certificate, certify
from harness.comparison.judge import Row, finite
from harness.environment import environment
from harness.evaluation.point import Point
from harness.evaluation.truth import assumption
from harness.fault_injection.counting import count_misses
from harness.inputs.batches import Batches
from harness.inputs.datasets import Data
from harness.inputs.datasets.loading import DATA_SETS, RANDOM
from harness.inputs.schedule import Schedule
from harness.inputs.seals import digest_of, read_only
from harness.inputs.stride import EVERY_ENTRY, Stride
from harness.lockstep.step import Judged, judge_pass, judge_update
from harness.results.drift import TWIN, distance, moved_by_one_ulp
from harness.results.record import DATA_KEPT, SCHEMA, WEIGHTS_KEPT, Head, PowerCount, Step
from impls import registry
from impls.contract import Array, Pass, tensors_of
from impls.graph import Graph
from impls.hand.notation import describe, output_label
from impls.registry import REFERENCE


@dataclass
class Session:
    """One run under way.

    Attributes:
        free: whether each implementation follows its own updates.
        exact: whether the truth is found at some steps, and judged by.
        command: how the run was asked for, if on the command line.
    """

    network: Graph
    batches: Batches
    optimizer: Any
    dtype: str
    seed: int
    schedule: Schedule
    free: bool
    admission: Admission
    exact: bool = False
    command: str | None = None

    def __post_init__(self) -> None:
        self.participants = self.admission.participants
        self.power: PowerCount | None = None
        weights = read_only(self.network.init(self.seed, self.dtype))
        for participant in self.participants:
            participant.weights = weights
        self.twin: Participant | None = None
        if self.free:
            self.twin = Participant(TWIN, registry.load(REFERENCE), self.network, self.dtype)
            self.twin.weights = read_only(moved_by_one_ulp(weights, self.seed))

    @property
    def reference(self) -> Participant:
        """The hand code."""
        return self.participants[0]

    def head(self, data: Data, *, named: bool) -> Head:
        """The first line of the record."""
        lines = profile_of("float64").assumptions()
        if self.dtype != "float64":
            lines = profile_of(self.dtype).assumptions() + lines
        lines = lines + ([assumption()] if self.exact else [])
        x, y = self._data_kept(data)
        return Head(
            schema=SCHEMA,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            network=repr(self.network),
            description=describe(self.network),
            loss_formula=self.network.loss.formula(output_label(self.network), self.network.outputs),
            weights={name: tuple(shape) for name, shape in self.network.weights.items()},
            gradients=self.network.gradients,
            activations=self.network.activations,
            data=", ".join(filter(None, [data.describe(), data.meaning(self.network)])),
            optimizer=repr(self.optimizer),
            dtype=self.dtype,
            seed=self.seed,
            steps=self.schedule.last,
            batch=self.batches.size,
            schedule="every entry at every step" if self.schedule.full else "sampled between steps 1, 2, 4, 8, ...",
            implementations=self.admission.versions,
            environment=environment() | self.admission.settings,
            ledger=lines,
            named=named,
            free_run=self.free,
            exact=self.exact,
            command=self.command,
            data_digest=digest_of({"x": self.batches.x, "y": self.batches.y}),
            x=x,
            y=y,
        )

    def _data_kept(self, data: Data) -> tuple[list[list[float]] | None, list[Any] | None]:
        x, y = self.batches.x, self.batches.y
        known = data.name in (*DATA_SETS, RANDOM)  # which can be had again, and its digest tells whether it is the same
        return (None, None) if known or x.size + y.size > DATA_KEPT else (x.tolist(), y.tolist())

    def step(self, number: int) -> Step:
        """Differentiate, compare, update."""
        points = self._points(number)
        here = points[REFERENCE]
        stride = self.schedule.stride(number)
        attempts = {p.name: p.pass_at(points[p.name]) for p in self.participants if p.alive}
        passes = {name: result for name, result in attempts.items() if result is not None}
        losses = {name: finite(result.loss) for name, result in passes.items()}
        drift = self._drift()
        rows: list[Row] = []
        certificates: list[Certificate] = []
        undecided = 0
        if not self._diverged(number, points, passes):
            passes = {p.name: passes[p.name] for p in self.participants if p.alive and p.name in passes}
            if stride is not None:
                judged = self._compare(points, passes, stride)
                rows += [row for each in judged.values() for row in each.rows]
                of_centre, certificates = certify(points, {name: each.passes for name, each in judged.items()})
                rows += of_centre
                undecided = here.double.centre("float64").undecided
                if number == 1 and REFERENCE in passes:
                    self.power = count_misses(here, passes[REFERENCE], self.admission.comparers(self.dtype))
            rows += self._update(points, passes, stride)
        findings = self.admission.absent if number == 1 else []
        findings = findings + [f for p in self.participants for f in p.take_findings()]
        return Step(
            step=number,
            digest=digest_of(here.weights),
            checked="none" if stride is None else "full" if stride == EVERY_ENTRY else "sample",
            losses=losses,
            rows=rows,
            findings=findings,
            undecided=undecided,
            weights=self._kept(here),
            drift=drift,
            certificates=certificates,
        )

    def _points(self, number: int) -> dict[str, Point]:
        """Where each stands; one point for all whose weights are the same object."""
        x, y = self.batches.at(number)
        certified = self.exact and self.schedule.certifies(number)
        made: dict[int, Point] = {}
        everybody = [*self.participants, *([self.twin] if self.twin else [])]
        for participant in everybody:
            weights = participant.weights
            made.setdefault(id(weights), Point(self.network, weights, x, y, number, certified))
        return {p.name: made[id(p.weights)] for p in everybody}

    def _drift(self) -> dict[str, float]:
        """How far each has come from the hand code's weights, in a free run."""
        if self.twin is None:
            return {}
        others = [p for p in [*self.participants[1:], self.twin] if p.alive]
        return {p.name: distance(p.weights, self.reference.weights) for p in others}

    def _kept(self, point: Point) -> dict[str, list[float]] | None:
        if sum(w.size for w in point.weights.values()) > WEIGHTS_KEPT:
            return None
        return {name: w.ravel().tolist() for name, w in point.weights.items()}

    def _diverged(self, number: int, points: Mapping[str, Point], passes: Mapping[str, Pass]) -> bool:
        """Non-finite values: of all, the training diverges; of some, they are a finding about those.

        Where a correct program may overflow, some of them may do so alone: there, too, the training diverges.
        """
        broken = {name: non_finite(tensors_of(result)) for name, result in passes.items()}
        broken = {name: tensor for name, tensor in broken.items() if tensor}
        if not broken:
            return False
        excused = all(points[name].may_overflow(passes[name]) for name in broken)
        if excused or len(broken) == len(passes):
            remedy = "choose a smaller lr" if number > 1 else "scale the data"  # before any update, lr is not to blame
            tensor = broken.get(REFERENCE) or next(iter(broken.values()))
            where = "any implementation"
            if len(broken) < len(passes):
                where = f"{', '.join(broken)}, where it may overflow"
            message = f"the training diverges at step {number}: {tensor} is not finite in {where}; {remedy}"
            self.reference.record(number, "diverged", message, fails=False)
            return True
        for participant in self.participants:
            tensor = broken.get(participant.name)
            if tensor:
                message = f"returned a non-finite {tensor} where others are finite"
                participant.record(number, "non-finite", message, tensor)
                participant.alive = False
        return REFERENCE in broken

    def _compare(self, points: Mapping[str, Point], passes: Mapping[str, Pass], stride: Stride) -> dict[str, Judged]:
        judged = {}
        for participant in self.participants:
            name = participant.name
            if name not in passes:
                continue
            point, expected = points[name], None
            if name != REFERENCE:
                same = point is points[REFERENCE]
                expected = passes.get(REFERENCE) if same else self.reference.pass_at(point)
            judged[name] = judge_pass(participant, point, passes[name], expected, stride)
        return judged

    def _update(self, points: Mapping[str, Point], passes: Mapping[str, Pass], stride: Stride | None) -> list[Row]:
        """Each implementation's own step, compared; then everybody gets the weights to go on from."""
        rows: list[Row] = []
        moved: dict[str, Mapping[str, Array]] = {}
        for participant in [p for p in self.participants if p.name in passes and p.alive]:
            point, gradients = points[participant.name], passes[participant.name].gradients
            update = participant.update_at(self.optimizer, point, gradients)
            if update is not None:
                moved[participant.name] = read_only(update.weights)
            if stride is not None:
                rows += judge_update(participant, self.optimizer, point, gradients, update, stride)
        if REFERENCE in moved:
            for participant in self.participants:
                # One that has no such optimizer goes with the hand code.
                mover = participant.name if self.free and participant.name in moved else REFERENCE
                participant.weights = moved[mover]
            self._move_twin(points)
        return rows

    def _move_twin(self, points: Mapping[str, Point]) -> None:
        if self.twin is None or not self.twin.alive:
            return
        point = points[TWIN]
        result = self.twin.pass_at(point)
        update = result and self.twin.update_at(self.optimizer, point, result.gradients)
        if update:
            self.twin.weights = read_only(update.weights)
