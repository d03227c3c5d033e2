"""Written otherwise: an optimizer as the rules that somebody may have written for it.

It runs on bounded numbers, so that it reproduces somebody's numbers within a bound of its own, or does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from typing import Any, Literal

Rule = Callable[..., Any]


@dataclass(frozen=True)
class Rules:
    """Rules of the state, in the order in which they are applied, then of the weight; parameters say what is read."""

    state: dict[str, Rule]
    W: Rule


@dataclass(frozen=True)
class Variant:
    """An optimizer, written otherwise.

    Attributes:
        cause: name of the mistake; of a right form, ``another form``.
        says: in one line for the person who made it.
        rules: of the state and of the weight.
        first: t, the number of the step, at the first one.
        counts: what t counts.
        keeps: whether the state is kept from step to step.
        right: whether it is no mistake.
    """

    cause: str
    says: str
    rules: Rules
    first: int = 1
    counts: Literal["steps", "tensors", "nothing"] = "steps"
    keeps: bool = True
    right: bool = False

    def t(self, step: int, tensor: int, tensors: int) -> int:
        """The number of a step, from its place and the tensor's, both counted from 0, and the number of tensors."""
        return self.first + {"steps": step, "tensors": step * tensors + tensor, "nothing": 0}[self.counts]


def as_written(optimizer: Any) -> Variant:
    """An optimizer as the hand code has it."""
    return Variant("", "", rules_of(optimizer), right=True)


def rules_of(optimizer: Any) -> Rules:
    """The rules of an optimizer of the hand code."""
    return Rules({name: getattr(optimizer, name) for name in optimizer.state}, optimizer.W)


def other(optimizer: Any, **parameters: Any) -> Any:
    """The optimizer with other parameters, the impossible among them."""
    changed = copy(optimizer)
    vars(changed).update(parameters)
    return changed


def written(cause: str, says: str, optimizer: Any, **rules: Any) -> Variant:
    """A variant of an optimizer; `rules` may replace W, and of the state some or all (``state``)."""
    own = rules_of(optimizer)
    state = rules.pop("state", None) or {name: rules.pop(name, rule) for name, rule in own.state.items()}
    return Variant(cause, says, Rules(state, rules.pop("W", own.W)), **rules)


def reading(names: Iterable[str], rule: Rule) -> Rule:
    """A rule that reads these, in this order."""
    rule.__signature__ = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])  # type: ignore[attr-defined]
    return rule


def read_by(rule: Rule) -> list[str]:
    """What a rule reads, in its order."""
    return list(signature(rule).parameters)


def and_then(moved: Rule, more: Callable[[Any, Any], Any]) -> Rule:
    """A weight's rule, and then something more, of the new weight and the old one."""
    reads = read_by(moved)
    return reading(reads, lambda *read: more(moved(*read), read[reads.index("W")]))
