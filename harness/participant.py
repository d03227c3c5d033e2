"""A participant: one implementation in a run, called under guard, in the working dtype and in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.centre import Array
from harness.conformance import BreachError, Finding, Kind, check_pass, check_update, guarded, read_only
from harness.updates import initial_state
from harness.usage import visible
from impls.contract import CannotCompareError, Describes, Implementation, Pass, Trains, Update, Updater
from impls.hand import Network


class Participant:
    """One implementation; everything that is wrong with it becomes a `Finding`.

    Attributes:
        alive: False after a breach: it takes no further part.
        state: its optimizer state before the next update.
    """

    def __init__(
        self, name: str, build: Callable[[Network, str], Implementation], network: Network, dtype: str
    ) -> None:
        self.name, self.network, self.alive = name, network, True
        self.findings: list[Finding] = []
        self._build, self._built = build, dict[str, Implementation]()
        self.dtype = dtype
        self.updater: Updater | None = None
        self.state: dict[str, Array] = {}

    def built(self, dtype: str) -> Implementation:
        """The implementation in a dtype, built when first needed."""
        if dtype not in self._built:
            self._built[dtype] = guarded(lambda: self._build(self.network, dtype), {}, {})
        return self._built[dtype]

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

    def record(self, step: int, kind: Kind, message: str, tensor: str | None = None, fails: bool = True) -> None:
        """Remember something to say about this implementation."""
        self.findings.append(Finding(self.name, step, kind, message, tensor, fails))

    def differentiate(
        self, dtype: str, given: Mapping[str, Array], seals: Mapping[str, str], *, tap: bool = True
    ) -> Pass:
        """A pass that keeps the contract.

        Raises:
            BreachError, CannotCompareError: why there is none.
        """
        given = read_only(given)  # its own copies: what one implementation writes, no other reads
        weights = {name: given[name] for name in self.network.weights}
        implementation = self.built(dtype)
        result = guarded(lambda: implementation.differentiate(weights, given["x"], given["y"], tap=tap), given, seals)
        return check_pass(self.network, dtype, len(given["x"]), result)

    def start(self, optimizer: Any, weights: Mapping[str, Array], seals: Mapping[str, str]) -> None:
        """Set up the framework's own optimizer; without one, gradients are compared and updates are not."""
        implementation = self.built(self.dtype)
        if not isinstance(implementation, Trains):
            self.record(1, "no optimizer", "has no optimizer: updates are not comparable", fails=False)
            return
        try:
            self.updater = guarded(lambda: implementation.start(optimizer, weights), weights, seals)
        except CannotCompareError as reason:
            self.record(1, "no optimizer", str(reason), fails=False)
        self.state = initial_state(optimizer, weights)

    def update(
        self,
        optimizer: Any,
        weights: Mapping[str, Array],
        gradients: Mapping[str, Array],
        seals: Mapping[str, str],
    ) -> Update:
        """One optimizer step from the run's weights and this implementation's own gradients."""
        assert self.updater is not None
        updater, weights = self.updater, read_only(weights)
        result = guarded(lambda: updater.update(weights, gradients), weights, seals)
        update = check_update(weights, optimizer.state, result)
        return Update(_copies(update.weights), _copies(update.state))


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.array(array) for name, array in arrays.items()}
