"""A session: one run under way, step by step.

Each step differentiates everywhere and lets every implementation take its own optimizer step. In lockstep the hand
code's new weights are the next step's weights for all; in a free run each goes on from its own. What a step has run is
judged apart (`harness.lockstep.judging`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.arithmetic import profile_of
from harness.candidates.conformance import non_finite
from harness.candidates.implementation import Admission, Participant
from harness.comparison.remarks import remarks_on
from harness.environment import environment
from harness.evaluation.given import digest_of, read_only, with_buffers
from harness.evaluation.point import Point
from harness.evaluation.truth import assumption
from harness.inputs.batches import Batches
from harness.inputs.datasets import Data
from harness.inputs.datasets.loading import DATA_SETS, RANDOM
from harness.inputs.schedule import EVERYTHING, Schedule, Turn, milestone
from harness.lockstep.evidence import (
    Evidence,
    StepEvidence,
    UpdateEvidence,
    collected,
    sizes_of,
    working_only,
)
from harness.lockstep.forecast import Watch
from harness.results.record import DATA_KEPT, SCHEMA, Checked, Head
from harness.results.verdicts import TWIN, distance, moved_by_one_ulp
from impls import registry
from impls.contract import Array, Pass, tensors_of
from impls.graph import Graph
from impls.hand.notation import describe
from impls.registry import REFERENCE


@dataclass
class Session:
    """One run under way.

    Attributes:
        free: whether each implementation follows its own updates.
        exact: whether the truth is found at some steps, and judged by.
        command: how the run was asked for, if on the command line.
        announce: is told how far what takes long has come.
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
    announce: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        self.participants = self.admission.participants
        self.nonzero: set[str] = set()
        self.buffers: dict[str, Array] = self.network.fresh_buffers(self.dtype)
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
            own = [line for participant in self.participants for line in participant.profile.assumptions()]
            lines = list(dict.fromkeys(own)) + lines
        lines = lines + ([assumption()] if self.exact else [])
        x, y = self._data_kept(data)
        network = self.network
        return Head(
            schema=SCHEMA, created=datetime.now(UTC).isoformat(timespec="seconds"), command=self.command, named=named,
            network=repr(network), description=describe(network),
            loss_formula=network.loss_formula,
            weights={name: tuple(shape) for name, shape in network.weights.items()},
            gradients=network.gradients, activations=network.activations,
            data=", ".join(filter(None, [data.describe(), data.meaning(network)])),
            data_digest=digest_of(self.batches.named), x=x, y=y,
            optimizer=repr(self.optimizer), dtype=self.dtype, seed=self.seed, batch=self.batches.size,
            steps=self.schedule.last, free_run=self.free, exact=self.exact,
            schedule="every entry at every step" if self.schedule.full else "sampled between steps 1, 2, 4, 8, ...",
            implementations=self.admission.versions, environment=environment() | self.admission.settings, ledger=lines,
        )  # fmt: skip

    def _data_kept(self, data: Data) -> tuple[Any, list[Any] | None]:
        known = data.name in (*DATA_SETS, RANDOM)  # which can be had again, and its digest tells whether it is the same
        if known or sum(array.size for array in self.batches.named.values()) > DATA_KEPT:
            return None, None
        inputs = {name: array.tolist() for name, array in self.batches.inputs.items()}
        return next(iter(inputs.values())) if len(inputs) == 1 else inputs, self.batches.y.tolist()

    def step(self, number: int) -> StepEvidence:
        """Everything that has to be run; `harness.lockstep.judging` says what is made of it."""
        points, turn = self._points(number), self.schedule.turn(number)
        attempts = {p.name: p.pass_at(points[p.name]) for p in self.participants if p.alive}
        answered = {name: result for name, result in attempts.items() if result is not None}
        drift, diverged = self._drift(), self._diverged(number, points, answered)
        passes = {p.name: answered[p.name] for p in self.participants if p.alive and p.name in answered}
        of_passes = [] if diverged or turn is None else self._collected(points, passes, turn)
        of_updates = [] if diverged else self._updated(points, passes)
        checked: Checked = "none" if turn is None else "full" if turn == EVERYTHING else "sample"
        only = turn.names(sizes_of(of_passes, of_updates)) if turn and checked == "sample" else frozenset[str]()
        before = [*remarks_on(self.network), *self.admission.absent] if number == 1 else []
        return StepEvidence(
            number=number, optimizer=self.optimizer, points=points, passes=passes, checked=checked,
            only=only, diverged=diverged,
            milestone=milestone(number, self.schedule.last),
            losses={name: result.loss for name, result in answered.items()},
            of_passes=of_passes, of_updates=of_updates, drift=drift,
            findings=before + [finding for p in self.participants for finding in p.take_findings()],
            built=lambda name, dtype: next(p for p in self.participants if p.name == name).built(dtype),
        )  # fmt: skip

    def _points(self, number: int) -> dict[str, Point]:
        """Where each stands; one point for all whose weights are the same object."""
        x, y = self.batches.at(number)
        x = with_buffers(self.network, x, self.buffers)
        certified = self.exact and self.schedule.certifies(number)
        watch = Watch(f"the true gradient at step {number}", self.announce) if self.announce else None
        made: dict[int, Point] = {}
        everybody = [*self.participants, *([self.twin] if self.twin else [])]
        for participant in everybody:
            weights = participant.weights
            made.setdefault(id(weights), Point(self.network, weights, x, y, number, certified, watch, self.nonzero))
        return {p.name: made[id(p.weights)] for p in everybody}

    def _drift(self) -> dict[str, float]:
        """How far each has come from the hand code's weights, in a free run."""
        if self.twin is None:
            return {}
        others = [p for p in [*self.participants[1:], self.twin] if p.alive]
        return {p.name: distance(p.weights, self.reference.weights) for p in others}

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

    def _collected(self, points: Mapping[str, Point], passes: Mapping[str, Pass], turn: Turn) -> list[Evidence]:
        """What else has to be run of every implementation to judge its pass: nothing, where a sample is judged."""
        if turn != EVERYTHING:
            return [working_only(p, points[p.name], passes[p.name]) for p in self.participants if p.name in passes]
        evidence = []
        for participant in self.participants:
            name = participant.name
            if name not in passes:
                continue
            point, expected = points[name], None
            if name != REFERENCE:
                same = point is points[REFERENCE]
                expected = passes.get(REFERENCE) if same else self.reference.pass_at(point)
            evidence.append(collected(participant, point, passes[name], expected))
        return evidence

    def _updated(self, points: Mapping[str, Point], passes: Mapping[str, Pass]) -> list[UpdateEvidence]:
        """Each implementation's own step; then everybody gets the weights to go on from."""
        evidence: list[UpdateEvidence] = []
        moved: dict[str, Mapping[str, Array]] = {}
        for participant in [p for p in self.participants if p.name in passes and p.alive]:
            point, gradients = points[participant.name], passes[participant.name].gradients
            update = participant.update_at(self.optimizer, point, gradients)
            if update is not None:
                moved[participant.name] = update.weights
            if update is not None or participant.alive:
                evidence.append(
                    UpdateEvidence(
                        name=participant.name, point=point, profile=participant.profile_of_updates,
                        gradients=gradients, before=participant.state_before, update=update,
                    )
                )  # fmt: skip
        if REFERENCE in passes:
            self.buffers = self.network.next_buffers(passes[REFERENCE].activations)
        if REFERENCE in moved:
            for participant in self.participants:
                # One that has no such optimizer goes with the hand code.
                mover = participant.name if self.free and participant.name in moved else REFERENCE
                participant.weights = moved[mover]
            self._move_twin(points)
        return evidence

    def _move_twin(self, points: Mapping[str, Point]) -> None:
        if self.twin is None or not self.twin.alive:
            return
        point = points[TWIN]
        result = self.twin.pass_at(point)
        update = result and self.twin.update_at(self.optimizer, point, result.gradients)
        if update:
            self.twin.weights = update.weights
