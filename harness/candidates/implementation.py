"""Implementations in a run: which take part and why others do not, each called under guard, in either dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from harness.arithmetic import Profile
from harness.arithmetic.profile import stated_profile
from harness.candidates.conformance import BreachError, check_pass, check_update, guarded
from harness.comparison.judge import Finding, Kind
from harness.evaluation.given import fed, read_only
from harness.evaluation.point import Point
from harness.inputs.devices import placed
from harness.usage import visible
from impls import registry
from impls.abilities import ChecksGradients, Comparer, Compares, GradientChecker
from impls.contract import (
    CPU,
    Arithmetic,
    Array,
    CannotCompareError,
    Describes,
    Implementation,
    Pass,
    StatesArithmetic,
    Trains,
    Update,
    Updater,
)
from impls.graph import TARGET, Graph
from impls.hand.optimizers import initial_state


class Participant:
    """One implementation; everything that is wrong with it becomes a `Finding`.

    Attributes:
        alive: False after a breach: it takes no further part.
        weights: where it stands.
        state: its optimizer state, and before the last update.
    """

    def __init__(self, name: str, build: Callable[[Graph, str], Implementation], network: Graph, dtype: str) -> None:
        self.name, self.network, self.alive = name, network, True
        self.findings: list[Finding] = []
        self._build, self._built = build, dict[str, Implementation]()
        self.dtype = dtype
        self.updater: Updater | None = None
        self.weights: Mapping[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.state_before: dict[str, Array] = {}

    def built(self, dtype: str) -> Implementation:
        """The implementation in a dtype, built when first needed."""
        if dtype not in self._built:
            self._built[dtype] = guarded(lambda: self._build(self.network, dtype), {}, {})
        return self._built[dtype]

    @cached_property
    def profile(self) -> Profile:
        """Of its passes in the working dtype, with the settings as they are when it is first asked for.

        Raises:
            CannotCompareError: a link has products whose arithmetic is not known.
        """
        try:
            profile = profile_for(self.built(self.dtype), self.dtype, self.network)
            for link in self.network.links:
                profile.of(link.layer, link.local)
        except ValueError as error:
            raise CannotCompareError(str(error)) from None
        return profile

    @cached_property
    def profile_of_updates(self) -> Profile:
        """Of its optimizer, which nobody says is eager."""
        return replace(self.profile, eager=False)

    def describe(self) -> tuple[str, dict[str, str]]:
        """Version and settings."""
        made = self.built(self.dtype)
        settings = made.environment() if isinstance(made, Describes) else {}
        return visible(str(made.version)), {visible(str(key)): visible(str(v)) for key, v in settings.items()}

    def attempt(self, step: int, call: Callable[[], Any]) -> Any:
        """The result of `call`, or None after recording why there is none."""
        try:
            return call()
        except CannotCompareError as reason:
            self.record(step, "missing", str(reason), fails=False)
        except BreachError as breach:
            self.record(step, breach.kind, str(breach), breach.tensor)
        self.alive = False
        return None

    def take_findings(self) -> list[Finding]:
        """What there was to say since the last call."""
        findings, self.findings = self.findings, []
        return findings

    def record(self, step: int, kind: Kind, message: str, tensor: str | None = None, fails: bool = True) -> None:
        """Remember something to say about this implementation."""
        self.findings.append(Finding(self.name, step, kind, message, tensor, fails))

    def pass_at(self, point: Point, *, tap: bool = True) -> Pass | None:
        """A pass at a point, in the point's dtype; None after recording why there is none."""
        return self.attempt(point.step, partial(self.differentiate, point, tap=tap))

    def differentiate(self, point: Point, *, tap: bool = True) -> Pass:
        """A pass at a point that keeps the contract.

        Raises:
            BreachError, CannotCompareError: why there is none.
        """
        dtype, given = point.dtype, read_only(point.given)  # its own copies: what it writes, no other reads
        weights = {name: given[name] for name in self.network.weights}
        x, y = fed(self.network, given), given[TARGET]
        implementation = self.built(dtype)
        result = guarded(lambda: implementation.differentiate(weights, x, y, tap=tap), given, point.given)
        return check_pass(self.network, dtype, point.rows, result)

    def update_at(self, optimizer: Any, point: Point, gradients: Mapping[str, Array]) -> Update | None:
        """One optimizer step from a point with this implementation's own gradients and state.

        None after recording why there is none. `state_before` and `state` are its state before and after.
        """
        if self.updater is None and point.step == 1:
            self.attempt(1, partial(self._start, optimizer, point))
        if self.updater is None:
            return None
        self.state_before = self.state
        update = self.attempt(point.step, partial(self._update, optimizer, point, gradients))
        if update is not None:
            self.state = dict(update.state)
        return update

    def _start(self, optimizer: Any, point: Point) -> None:
        """Set up the framework's own optimizer; without one, gradients are compared and updates are not."""
        implementation = self.built(self.dtype)
        self.state = initial_state(optimizer, point.weights)
        if not isinstance(implementation, Trains):
            self.record(1, "no optimizer", "has no optimizer: updates are not comparable", fails=False)
            return
        try:
            weights = read_only(point.weights)
            self.updater = guarded(lambda: implementation.start(optimizer, weights), weights, point.given)
        except CannotCompareError as reason:
            self.record(1, "no optimizer", str(reason), fails=False)

    def _update(self, optimizer: Any, point: Point, gradients: Mapping[str, Array]) -> Update:
        assert self.updater is not None
        updater, weights = self.updater, read_only(point.weights)
        result = guarded(lambda: updater.update(weights, gradients), weights, point.given)
        update = check_update(weights, optimizer.state, result)
        return Update(read_only(update.weights), _copies(update.state))


def profile_for(made: Any, dtype: str, network: Graph) -> Profile:
    """Of an implementation's passes, as it says that it computes."""
    arithmetic = made.arithmetic if isinstance(made, StatesArithmetic) else _unknown
    places = [(link.layer, link.local) for link in network.links]
    return stated_profile(dtype, arithmetic, places, bool(getattr(made, "eager", False)))


def _unknown(_layer: Any, _local: str) -> Arithmetic:
    return Arithmetic()


def placed_by(name: str, device: str) -> Callable[[Graph, str], Implementation]:
    """The function that builds an implementation on a device; see `harness.inputs.devices.placed`."""
    build = registry.load(name)
    return build if device == CPU else lambda network, dtype: placed(name, build(network, dtype), device)


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.array(array) for name, array in arrays.items()}


@dataclass
class Admission:
    """Who takes part, who is absent and why, versions and settings of those who take part."""

    participants: list[Participant] = field(default_factory=list)
    absent: list[Finding] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def comparers(self, dtype: str) -> dict[str, Comparer]:
        """What their frameworks bring for comparing arrays, by name."""
        built = [participant.built(dtype) for participant in self.participants]
        return {name: own for made in built if isinstance(made, Compares) for name, own in made.comparers().items()}

    def checkers(self, dtype: str) -> dict[str, GradientChecker]:
        """What their frameworks bring for checking gradients by differences, by name."""
        built = [participant.built(dtype) for participant in self.participants]
        checking = [made.gradient_checkers() for made in built if isinstance(made, ChecksGradients)]
        return {name: own for checkers in checking for name, own in checkers.items()}


def admit(names: Iterable[str], network: Graph, dtype: str, *, named: bool, device: str = CPU) -> Admission:
    """Load the implementations; what is missing or cannot be built is a finding, not an end.

    Args:
        named: whether somebody asked for them by name: then a broken one fails the run.
        device: where they compute, all but the hand code, which is the reference.
    """
    admission = Admission()
    for name in names:
        try:
            build = placed_by(name, CPU if name == registry.REFERENCE else device)
            participant = Participant(name, build, network, dtype)
            version, settings = participant.describe()
            _ = participant.profile  # one that is not known is refused before anything is run
        except (registry.NotInstalledError, CannotCompareError) as error:
            admission.absent.append(Finding(name, 1, "missing", str(error), fails=False))
            continue
        except BreachError as breach:
            admission.absent.append(Finding(name, 1, breach.kind, str(breach), fails=named))
            continue
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            message = f"could not be imported: {type(error).__name__}: {text}"
            admission.absent.append(Finding(name, 1, "raised", message, fails=named))
            continue
        admission.participants.append(participant)
        admission.versions[name] = version
        admission.settings |= settings
    return admission
