"""A hypothesis: one mistake, and what the gradient would be with it, computed anew at each case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from harness.arithmetic import Bounded, Context, profile_of
from harness.evaluation.references.reference import Reference
from harness.inputs.cases import Case
from impls.contract import Array


class Cause(msgspec.Struct, frozen=True):
    """Why a gradient is wrong.

    Attributes:
        cause: name of the mistake, or ``unknown``.
        says: the mistake in one line, or what is known of it.
        off: largest difference between the gradient and what the mistake gives, as a share of the largest entry; in
            the case that was looked at first. None if unknown.
        reproduced: cases in which the mistake gives these numbers within the allowance.
        also: other mistakes that give the same numbers in all of them.
        runner_up: the mistake that comes nearest of those that do not reproduce the numbers.
        runner_up_off: how far off that is.
    """

    gradient: str
    cause: str
    says: str
    off: float | None = None
    reproduced: int = 0
    also: tuple[str, ...] = ()
    runner_up: str | None = None
    runner_up_off: float | None = None


@dataclass(frozen=True)
class Situation:
    """One case in which a gradient is wrong, and all that a hypothesis may use.

    Attributes:
        answered: the candidate's gradients here.
        before: the candidate's gradients in the call before this one.
    """

    reference: Reference
    case: Case
    upstream: Array
    dtype: str
    answered: Mapping[str, Array | None]
    before: Mapping[str, Array | None]

    @property
    def inputs(self) -> Mapping[str, Array]:
        """Of the case."""
        return self.case.inputs

    @cached_property
    def context(self) -> Context:
        """In which programs of the candidate's dtype compute."""
        return Context(profile_of(self.dtype))

    @cached_property
    def expected(self) -> dict[str, Bounded]:
        """What the gradients should be."""
        return self.reference.gradients(self.inputs, self.upstream, self.dtype)

    @cached_property
    def output(self) -> Bounded:
        """What the output should be."""
        return self.reference.output(self.inputs, self.dtype)

    @property
    def reals(self) -> list[str]:
        """Names of the inputs that hold real numbers."""
        return [name for name, array in self.inputs.items() if array.dtype.kind == "f"]

    def with_upstream(self, name: str, upstream: Array) -> Bounded:
        """The gradient of one input for another upstream."""
        return self.reference.gradients(self.inputs, upstream.astype(self.upstream.dtype), self.dtype)[name]

    def with_inputs(self, name: str, **changed: Array) -> Bounded:
        """The gradient of one input where inputs are other ones."""
        return self.reference.gradients({**self.inputs, **changed}, self.upstream, self.dtype)[name]


class Hypothesis(NamedTuple):
    """A mistake by its name, in words that are the same in every case, and what it gives in one.

    Attributes:
        of: what it predicts: the ``numbers``; the numbers by a ``constant`` read off them, so that a case in which it
            is another refutes it; or only the ``size`` of the errors.
    """

    cause: str
    says: str
    predict: Callable[[], Bounded]
    of: Literal["numbers", "constant", "size"] = "numbers"


Hypotheses = Callable[[Situation, str], Iterator[Hypothesis]]
