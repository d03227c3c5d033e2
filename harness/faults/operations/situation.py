"""A situation: one case of an operation, and all that a fault of it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from harness.arithmetic import Bounded, Context, profile_of
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import Expected
from harness.evaluation.references.reference import Reference
from harness.evaluation.references.twins import Twin, twin_of
from impls.contract import Array, is_real

TWINS: WeakKeyDictionary[Reference, dict[Any, Twin | None]] = WeakKeyDictionary()
"""The hand layers that references are, by the shapes of the inputs, each looked for in the first case of its shapes."""


class HandSituation(NamedTuple):
    """A case as a hand layer knows it.

    Attributes:
        own: the layer's names of the inputs, by those of the case.
        at: the layer at this point, by its own names.
    """

    hand: HandReference
    own: Mapping[str, str]
    at: Expected


@dataclass(frozen=True)
class Situation:
    """One case, and all that a fault of it may use.

    Attributes:
        at: the reference in this case.
        answered: the candidate's gradients here, by the name of the input.
        before: the candidate's gradients in the call before this one.
    """

    at: Expected
    answered: Mapping[str, Array | None]
    before: Mapping[str, Array | None]

    @classmethod
    def of(cls, at: Expected, answered: Mapping[str, Array], before: Mapping[str, Array]) -> Situation:
        """From gradients by their own names."""
        return cls(at, *({name: g.get(tensor) for tensor, name in at.inputs.items()} for g in (answered, before)))

    @property
    def reference(self) -> Reference:
        """What the candidate is compared with."""
        return self.at.reference

    @property
    def inputs(self) -> Mapping[str, Array]:
        """Of the case."""
        return self.at.given

    @property
    def upstream(self) -> Array:
        """Of the case."""
        return self.at.upstream

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the inputs."""
        return tuple(array.shape for array in self.inputs.values())

    @property
    def dtype(self) -> str:
        """In which the candidate computes."""
        return self.at.dtype

    @cached_property
    def context(self) -> Context:
        """In which programs of the candidate's dtype compute."""
        return Context(profile_of(self.dtype))

    @cached_property
    def expected(self) -> dict[str, Bounded]:
        """What the gradients should be."""
        return {name: self.at.tensors[gradient] for gradient, name in self.at.inputs.items()}

    @property
    def output(self) -> Bounded:
        """What the output should be."""
        return self.at.output

    @property
    def reals(self) -> list[str]:
        """Names of the inputs that hold real numbers."""
        return [name for name, array in self.inputs.items() if is_real(array)]

    @cached_property
    def twin(self) -> Twin | None:
        """The hand layer that the reference is."""
        known = TWINS.setdefault(self.reference, {})
        if self.shapes not in known:
            known[self.shapes] = twin_of(self.reference, self.inputs, self.upstream)
        return known[self.shapes]

    @cached_property
    def hand(self) -> HandSituation | None:
        """The case as a hand layer knows it, where the reference is one or has a twin."""
        if isinstance(self.reference, HandReference):
            return HandSituation(self.reference, {name: name for name in self.inputs}, self.at)
        if self.twin is None:
            return None
        at = Expected(self.twin.hand, self.twin.inputs(self.inputs), self.upstream, self.dtype)
        return HandSituation(self.twin.hand, self.twin.own, at)

    def turned(self, factor: float) -> Situation:
        """With the upstream and the gradients that came multiplied by a power of two."""
        upstream = np.asarray(factor * self.upstream, self.upstream.dtype)
        answered = {name: None if array is None else factor * array for name, array in self.answered.items()}
        return Situation(self.at.under(upstream), answered, self.before)

    def with_upstream(self, name: str, upstream: Array) -> Bounded:
        """The gradient of one input for another upstream."""
        return self.reference.gradients(self.inputs, upstream.astype(self.upstream.dtype), self.dtype)[name]

    def if_upstream(self, name: str, upstream: Array) -> Bounded:
        """Likewise, if that could be what came: see `_if`."""
        return self._if(name, self.inputs, upstream.astype(self.upstream.dtype))

    def if_inputs(self, name: str, **changed: Array) -> Bounded:
        """The gradient of one input where inputs are other ones, if that could be what came: see `_if`."""
        return self._if(name, {**self.inputs, **changed}, self.upstream)

    def _if(self, name: str, inputs: Mapping[str, Array], upstream: Array) -> Bounded:
        """With its allowance; where that is measured, which takes ten runs, only if the numbers are near what came.

        Of others nothing is asked but how far off they are.
        """
        actual = self.answered.get(name)
        if self.reference.measured and actual is not None:
            value = self.reference.values(inputs, upstream)[name]
            if not within(value, actual):
                return Bounded(value, np.zeros(value.shape), self.context)
        return self.reference.gradients(inputs, upstream, self.dtype)[name]


NEAR = 1e-3
"""Off by more of the largest entry, numbers are others, in whatever dtype."""


def within(found: Array, right: Array, where: Array | bool = True) -> bool:
    """Whether numbers in plain floats are near enough for bounded arithmetic to be asked."""
    if found.shape != right.shape:
        return False
    with np.errstate(all="ignore"):
        off = np.max(np.abs(found - right), initial=0.0, where=where)
        return bool(off <= NEAR * np.max(np.abs(right), initial=0.0, where=where))
