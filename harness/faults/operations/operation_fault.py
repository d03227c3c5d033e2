"""A fault of an operation: one mistake, and what the gradient would be with it, computed anew at each case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from harness.arithmetic import Bounded
from harness.faults.operations.situation import Situation, within
from impls.contract import Array


class OperationFault(NamedTuple):
    """A mistake by its name, in words that are the same in every case, and what it gives in one.

    Attributes:
        of: what it predicts: the ``numbers``; the numbers by a ``constant`` read off them, so that a case in which it
            is another refutes it; or only the ``size`` of the errors.
        plain: the same numbers in plain floats, where there are many such faults, and nearly all of them wrong.
        again: what it gives in another case, where the mistake is read off this one; the family is asked again if None.
    """

    cause: str
    says: str
    predict: Callable[[], Bounded]
    of: Literal["numbers", "constant", "size"] = "numbers"
    plain: Callable[[], Array] | None = None
    again: Callable[[Situation], Bounded] | None = None

    def is_near(self, actual: Array) -> bool:
        """Whether it is worth bounded arithmetic."""
        return self.plain is None or within(self.plain(), actual)


OperationFaults = Callable[[Situation, str], Iterator[OperationFault]]
