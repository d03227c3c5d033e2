"""Slips planted in networks from scratch by the operators of mutation, and what the diagnosis says of them.

``python -m reports.slips`` counts them.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

import harness
from harness.arithmetic import profile_of
from harness.diagnosis import Diagnosis, diagnose
from harness.diagnosis.location import located
from harness.evaluation.point import Point
from harness.faults.edits import CAUSE
from harness.mutation.mutants import Mutant, mutants_of, planted
from tests.helpers.diagnosing import point_of
from tests.users.from_scratch import PROGRAMS


@dataclass(frozen=True)
class Slip:
    """One slip, what is shown of it, and how it is diagnosed.

    Attributes:
        belongs: the tensors whose link has it.
        seconds: of one core that the diagnosis takes.
    """

    program: Any
    mutant: Mutant
    belongs: tuple[str, ...]
    diagnoses: list[Diagnosis]
    seconds: float

    @property
    def in_catalogue(self) -> bool:
        """Whether the catalogue alone names it."""
        causes = self.diagnoses[0].causes
        return bool(causes) and all(not cause.cause.startswith(CAUSE) for cause in causes)

    @property
    def named(self) -> bool:
        return bool(self.diagnoses[0].causes)

    @property
    def right(self) -> bool:
        """Whether one of what is named, all of which give the same numbers, is at a link that the line belongs to."""
        return any(cause.at.split(":")[0] in self.belongs for cause in self.diagnoses[0].causes)

    def __str__(self) -> str:
        first = self.diagnoses[0]
        told = [(c.at, c.formula) for c in first.causes[:3]] or first.known
        return f"{self.program.__name__}: {self.mutant.before}  ->  {self.mutant.after}: {first.at} {told}"


def point_for(program: Any, rows: int = 11) -> Point:
    (sizes, options), _ = PROGRAMS[program]
    network = harness.load_network(sizes, **options)
    point = point_of(network, rows=rows, seed=len(program.__name__))
    if network.loss.output_activation not in ("sigmoid",) and not network.loss.labels and not network.loss.unit_targets:
        point = Point(network, point.weights, point.x, 2 * point.y - 1, 1)
    return point


def shown_by(program: Any, point: Point) -> dict[str, Any] | None:
    """What a program shows, of the right shapes; None if it fails or shows another shape."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            given = {name: weight.copy() for name, weight in point.weights.items()}
            result = program(given, point.x.copy(), point.y.copy())
        except Exception:
            return None
    tensors, shown = point.network.tensors, {}
    for name, value in result.items():
        if name in point.network.link and tensors[name].role in ("activation", "gradient", "loss"):
            try:
                array = np.asarray(value, np.float64)
            except (TypeError, ValueError):
                return None
            if array.shape != tensors[name].sized(point.rows):
                return None
            shown[name] = array
    return shown


def belongs(program: Any, mutant: Mutant) -> tuple[str, ...] | None:
    """The tensors whose links a mutant's line makes; None if it makes no tensor by itself."""
    told = PROGRAMS[program][1]
    for sign in (" += ", " -= ", " /= ", " = "):
        if sign in mutant.before:
            name = mutant.before.partition(sign)[0]
            network = point_for(program).network
            return told.get(name) or ((name,) if name in network.link else None)
    return None


def slips_of(program: Any, every: int = 1, offset: int = 0) -> list[Slip]:
    """The slips in a program that change what it shows, and belong to a line that makes a tensor."""
    point, found = point_for(program), []
    right = shown_by(program, point)
    assert right is not None
    assert not located(point, right, profile_of("float64"), "it").faulty
    for mutant in mutants_of(program)[offset::every]:
        where = belongs(program, mutant)
        if where is None or mutant.equal:
            continue
        with planted(program, mutant):
            shown = shown_by(program, point)
        if shown is None or not all(np.isfinite(array).all() for array in shown.values()):
            continue
        judged = located(point, shown, profile_of("float64"), "it")
        if not judged.faulty:
            continue
        began = time.process_time()
        diagnoses = diagnose(point, shown, profile_of("float64"), judged.faulty, judged.planted)
        seconds = time.process_time() - began
        if diagnoses:
            found.append(Slip(program, mutant, where, diagnoses, seconds))
    return found
