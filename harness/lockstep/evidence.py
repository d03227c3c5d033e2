"""Evidence: everything that has to be run of one implementation at one point, run before anything is judged of it.

    working      the pass in the working dtype, which the run goes on from
    double       the same program in float64, for the formula check
    second       a second call at the same point, at step 1: it should answer the same
    untapped     the program that a user runs, whose intermediates are not shown, at step 1; taps should change nothing

At a full step each pass in the working dtype that is judged has one in float64 beside it; where only a sample is
compared nothing but the working dtype runs. What is judged later, or elsewhere, is this (`harness.lockstep.judging`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from harness.arithmetic import Profile
from harness.candidates.conformance import BreachError
from harness.candidates.implementation import Participant
from harness.comparison.judge import Finding
from harness.evaluation.point import Point
from harness.results.record import Checked
from impls import registry
from impls.contract import Array, Arrays, CannotCompareError, Pass, Update, tensors_of
from impls.graph import Graph, prefixed
from impls.registry import REFERENCE


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program, run in the working dtype and, where there is such a pass, in float64."""

    working: Pass
    double: Pass | None = None

    @property
    def passes(self) -> list[Pass]:
        """What it computed, float64 first, once where the working dtype is float64."""
        if self.double is None or self.double is self.working:
            return [self.working]
        return [self.double, self.working]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one implementation computed at one point.

    Attributes:
        profile: of the programs in the working dtype.
        expected: the hand code's pass in the working dtype here; None if that is what is judged, or a sample is.
        no_double: why there is no float64 of it, if the implementation says so.
        second, untapped: only where they differ from the first; `differs` names the tensor.
    """

    name: str
    point: Point
    profile: Profile
    first: Program
    expected: Pass | None
    no_double: str | None = None
    second: Program | None = None
    untapped: Program | None = None


@dataclass(frozen=True, kw_only=True)
class UpdateEvidence:
    """What one implementation made of its gradients; `update` is None where it has no such optimizer."""

    name: str
    point: Point
    profile: Profile
    gradients: Arrays
    before: Arrays
    update: Update | None


@dataclass(frozen=True, kw_only=True)
class StepEvidence:
    """Everything that was run at one step.

    Attributes:
        points: where each implementation stands, by its name; and the twin of a free run.
        losses: of everybody who answered.
        passes: in the working dtype, of those who go on.
        checked: how much is judged, as the record has it.
        only: of a sample, the names of the tensors that are judged.
        diverged: whether the training does, so that nothing is judged either.
        milestone: whether this is one of the steps 1, 2, 4, 8, ... and the last.
        of_passes, of_updates: what is judged.
        drift, findings: as the record has them.
        built: an implementation, by its name and a dtype.
    """

    number: int
    optimizer: Any
    points: Mapping[str, Point]
    losses: Mapping[str, Array]
    passes: Mapping[str, Pass]
    checked: Checked
    only: frozenset[str]
    diverged: bool
    milestone: bool
    of_passes: Sequence[Evidence]
    of_updates: Sequence[UpdateEvidence]
    drift: dict[str, float]
    findings: list[Finding]
    built: Callable[[str, str], Any]

    def __getstate__(self) -> dict[str, Any]:
        """What travels: an implementation is built anew there, if one is asked for."""
        return {**self.__dict__, "built": partial(_built, self.here.network)}

    @property
    def here(self) -> Point:
        """Where the hand code stands."""
        return self.points[REFERENCE]


def sizes_of(of_passes: Iterable[Evidence], of_updates: Iterable[UpdateEvidence]) -> dict[str, int]:
    """How many entries everything has that is judged, by name."""
    sizes: dict[str, int] = {}
    for each in of_passes:
        sizes |= {name: array.size for name, array in tensors_of(each.first.working).items()}
    for update in [each.update for each in of_updates if each.update is not None]:
        sizes |= {name: np.size(array) for name, array in (*update.weights.items(), *update.state.items())}
    return sizes


def read_of(step: StepEvidence) -> StepEvidence:
    """A step without what nobody reads to judge it, where that is known: of a sample, if implementations are eager.

    Where a link of another is not right by itself, everything may be read.
    """
    if step.checked != "sample":
        return step
    network = step.here.network
    links = [network.link[name] for name in step.only if name in network.link]
    # A gradient that is a sum has parts, which not everybody shows: then what they are made of is read.
    parts = [network.link[name] for link in links for name in link.inputs if network.tensors[name].through]
    read = step.only.union(*(link.inputs for link in [*links, *parts]))
    passes = {
        each.name: _pass_of(each.first.working, read) if each.profile.eager else each.first.working
        for each in step.of_passes
    }
    of_passes = [replace(each, first=Program(working=passes[each.name])) for each in step.of_passes]
    of_updates = [_update_of(each, step.optimizer, step.only) for each in step.of_updates]
    return replace(step, passes=passes, of_passes=of_passes, of_updates=of_updates)


def _pass_of(made: Pass, read: Container[str]) -> Pass:
    gradients = {name: array for name, array in made.gradients.items() if name in read}
    return Pass(made.loss, gradients, {name: array for name, array in made.activations.items() if name in read})


def _update_of(evidence: UpdateEvidence, optimizer: Any, only: Container[str]) -> UpdateEvidence:
    """What the rules read, and give, of weights of which something is judged."""
    if evidence.update is None:
        return evidence
    own = {name: [prefixed(each, name) for each in optimizer.state] for name in evidence.update.weights}
    kept = {name: state for name, state in own.items() if any(each in only for each in (name, *state))}
    states = [each for state in kept.values() for each in state]
    return replace(
        evidence,
        gradients={name: evidence.gradients[name] for name in map(partial(prefixed, "d"), kept)},
        before={name: evidence.before[name] for name in states},
        update=Update(
            {name: evidence.update.weights[name] for name in kept}, {n: evidence.update.state[n] for n in states}
        ),
    )


def _built(network: Graph, name: str, dtype: str) -> Any:
    return Participant(name, registry.load(name), network, dtype).built(dtype)


def working_only(participant: Participant, point: Point, working: Pass) -> Evidence:
    """What is judged where only a sample is: the pass in the working dtype as it is."""
    first = Program(working=working)
    return Evidence(name=participant.name, point=point, profile=participant.profile, first=first, expected=None)


def collected(participant: Participant, point: Point, working: Pass, expected: Pass | None) -> Evidence:
    """Run whatever else is judged, at a full step, of an implementation whose pass in the working dtype is there."""
    no_double = _no_double(participant)
    programs = {"first": working, **(_again(participant, point, working) if point.step == 1 else {})}
    made = {
        which: _program(participant, point, result, no_double, tap=which != "untapped")
        for which, result in programs.items()
    }
    return Evidence(
        name=participant.name, point=point, profile=participant.profile,
        expected=expected, no_double=no_double,
        first=made["first"], second=made.get("second"), untapped=made.get("untapped"),
    )  # fmt: skip


def _no_double(participant: Participant) -> str | None:
    if participant.dtype == "float64":
        return None
    try:
        participant.built("float64")
    except CannotCompareError as reason:
        return str(reason)
    except BreachError:
        pass  # told, and recorded, by the attempt that follows
    return None


def _program(participant: Participant, point: Point, working: Pass, no_double: str | None, *, tap: bool) -> Program:
    if participant.dtype == "float64":
        return Program(working=working, double=working)
    double = None if no_double else participant.pass_at(point.double, tap=tap)
    return Program(working=working, double=double)


def _again(participant: Participant, point: Point, first: Pass) -> dict[str, Pass]:
    """A second call and an untapped one, where they differ from the first; that they do is recorded."""
    second, untapped = participant.pass_at(point), participant.pass_at(point, tap=False)
    found = {}
    if second is not None and (tensor := first_difference(first, second)):
        message = f"answers differently the second time: {tensor} first, at step 1; both answers are judged"
        participant.record(1, "second call differs", message, tensor, fails=False)
        found["second"] = second
    if untapped is not None and (tensor := first_difference(first, untapped)):
        message = f"gives other gradients when its intermediates are tapped: {tensor} first, at step 1; both are judged"
        participant.record(1, "tap changes the program", message, tensor, fails=False)
        found["untapped"] = untapped
    return found


def first_difference(first: Pass, second: Pass) -> str | None:
    """The first tensor that is not the same in both."""
    one, other = tensors_of(first), tensors_of(second)
    return next((name for name in one if name in other and not np.array_equal(one[name], other[name])), None)
