"""Somebody's optimizer, called under guard with NumPy arrays, step by step.

    step(weights, gradients, state) -> weights, state     a function; the state is an empty dictionary at first
    step(weights, gradients)                              a method, step or update, of an object or of a class

Weights are a dictionary by name, and gradients one by the same names; where that raises, gradients are called dW1, ...,
then both are lists. It changes the weights in place, or returns new ones, alone or first of several things. Parameters
that it, or the class, takes by the names of the hand optimizer's (lr, beta1, mu, weight_decay, ...) are given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from harness.candidates.arrays import as_array
from harness.candidates.guarded import guarded
from harness.candidates.printing import Printed
from harness.candidates.steps import RATES, binds, new_weights
from harness.comparison.judge import Finding
from harness.usage import UsageError, told, visible
from impls.contract import Array, Arrays
from impls.graph import prefixed

METHODS = ("step", "update")
OTHER_NAMES = {"eps": "epsilon", "momentum": "mu", "decay": "weight_decay"} | dict.fromkeys(RATES, "lr")


class Moved(NamedTuple):
    """The weights after one step, as far as they are arrays of real numbers; what is wrong with how."""

    weights: dict[str, Array]
    findings: list[Finding]


class OptimizerCandidate:
    """An optimizer that can be started anew.

    Args:
        name: what findings and messages call it.
        made: a function, an object with a method step or update, or its class.
        optimizer: of the hand code, whose parameters are given to what takes them.
        timeout: seconds that one step may take, or None.

    Raises:
        UsageError: it is nothing of these, or cannot be called so.
    """

    def __init__(self, name: str, made: Any, optimizer: Any, timeout: float | None) -> None:
        self.name, self.timeout = name, timeout
        self.kinds = [_by_name, _by_gradient, _in_order]
        parameters = {key: value for key, value in vars(optimizer).items() if isinstance(value, int | float)}
        self._parameters = parameters | {
            other: parameters[own] for other, own in OTHER_NAMES.items() if own in parameters
        }
        self._made, self.printed = made, Printed()
        self._stepping(self._fresh())

    def start(self) -> Callable[[Arrays, Arrays, int], Moved]:
        """A fresh one, whose state is that of no step: from weights, gradients and the number of the step."""
        begun = [self._begun()]

        def moved(weights: Arrays, gradients: Arrays, number: int) -> Moved:
            failed: list[Finding] = []
            for kind in list(self.kinds):
                step, state = begun[0]
                own, passed = kind(_copies(weights), _copies(gradients))
                stepped = partial(_stepped, partial(step, own, passed, *state), own, weights)
                answer, failure = guarded(stepped, self.timeout, self.printed)
                if failure is None:
                    returned, after = answer
                    self.kinds = [kind]  # the next calls need not try
                    if state and isinstance(returned, tuple) and len(returned) == 2:
                        state[0] = returned[1]
                    return self._after(after, passed, weights, gradients, number)
                raised = "raises " if failure.kind == "raised" else ""
                failed.append(Finding(self.name, number, failure.kind, f"{_at(number)}{raised}{failure.message}"))
                begun[0] = self._begun()  # what a call that raises has done to its state is forgotten
            return Moved({}, failed[:1])

        return moved

    def _begun(self) -> tuple[Callable[..., Any], list[Any]]:
        """What makes steps from a fresh start, and in a list the state that it takes, if it takes one."""
        step, takes_state = self._stepping(self._fresh())
        return step, [{}] if takes_state else []

    def _after(
        self, made: Mapping[str, Array | None], passed: Any, weights: Arrays, gradients: Arrays, number: int
    ) -> Moved:
        findings = []
        kept = passed if isinstance(passed, list) else list(passed.values())
        changed = [
            prefixed("d", k) for k, g in zip(gradients, kept, strict=False) if not np.array_equal(g, gradients[k])
        ]
        if changed:
            message = f"changed {', '.join(changed)}, which it was given to read"
            findings.append(Finding(self.name, number, "changed its input", message, changed[0], fails=False))
        after = dict[str, Array]()
        for name, array in made.items():
            old = weights[name]
            if array is None or array.shape != old.shape:
                shape = "no array" if array is None else f"an array of shape {array.shape} instead of {old.shape}"
                findings.append(Finding(self.name, number, "shape", f"{_at(number)}makes {name} {shape}", name))
            elif array.dtype != old.dtype:
                message = f"{_at(number)}makes {name} {array.dtype}, though it was given {old.dtype}"
                findings.append(Finding(self.name, number, "dtype", message, name))
            else:
                after[name] = np.array(array)
        return Moved(after, findings)

    def _fresh(self) -> Any:
        """What has made no step: a copy of the object, a new object of the class, or the function."""
        if inspect.isroutine(self._made):
            return self._made
        if not inspect.isclass(self._made):
            try:
                return deepcopy(self._made)
            except Exception as error:  # somebody else's code, or an object of his that cannot be copied
                raise UsageError(
                    f"Cannot check {self.name}, because a copy of it, which has made no step, cannot be made: "
                    f"{told(error)}; give its class."
                ) from None
        made, failure = guarded(lambda: self._made(**self._taken(self._made)), self.timeout, self.printed)
        if failure:
            raise UsageError(
                f"Cannot check {self.name}, because making one raises {failure.message}; give an object, or let "
                f"it take parameters by the names {', '.join(self._parameters)} only."
            )
        return made

    def _stepping(self, fresh: Any) -> tuple[Callable[..., Any], bool]:
        """The function or method that makes a step, with its parameters, and whether it takes the state."""
        method = next((getattr(fresh, name) for name in METHODS if callable(getattr(fresh, name, None))), None)
        step = method or fresh
        if not callable(step):
            raise UsageError(
                f"Cannot check {self.name}, because it is of type {type(fresh).__name__}, and has no method "
                f"{' or '.join(METHODS)}; give a function step(weights, gradients, state), or an object with "
                f"step(weights, gradients)."
            )
        given = self._taken(step)
        for count in (3, 2):
            if binds(step, count, given):
                return (lambda *arguments: step(*arguments, **given)), count == 3
        raise UsageError(
            f"Cannot check {self.name}, because it takes {visible(str(inspect.signature(step)))}, and is called as "
            f"step(weights, gradients, state), or as step(weights, gradients); let it take these."
        )

    def _taken(self, function: Callable[..., Any]) -> dict[str, float]:
        """The parameters that a function takes by name."""
        try:
            takes = inspect.signature(function).parameters
        except (TypeError, ValueError):
            return {}
        return {name: value for name, value in self._parameters.items() if name in takes}


def _stepped(step: Callable[[], Any], own: Any, weights: Arrays) -> tuple[Any, dict[str, Array | None]]:
    """What one step returns, and the new weights, which are read where a deadline holds."""
    returned = step()
    return returned, {name: as_array(value) for name, value in new_weights(returned, own, weights).items()}


def _copies(arrays: Arrays) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def _at(number: int) -> str:
    return f"at step {number}: "


def _by_name(weights: dict[str, Array], gradients: dict[str, Array]) -> tuple[Any, Any]:
    return weights, gradients


def _by_gradient(weights: dict[str, Array], gradients: dict[str, Array]) -> tuple[Any, Any]:
    return weights, {prefixed("d", name): gradient for name, gradient in gradients.items()}


def _in_order(weights: dict[str, Array], gradients: dict[str, Array]) -> tuple[Any, Any]:
    return list(weights.values()), list(gradients.values())
