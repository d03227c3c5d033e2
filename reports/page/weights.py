"""The weights of a result, at the steps at which they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from impls.contract import Array


@dataclass(frozen=True)
class Weights:
    """Weights by name, before the update of a step.

    Attributes:
        steps: at which they are kept, of `last` steps.
        at: gives them.
        dtype: they are of.
    """

    steps: list[int]
    last: int
    at: Callable[[int], dict[str, Array] | None]
    dtype: str

    def before(self, step: int) -> dict[str, Array]:
        """At a step at which they are kept."""
        weights = self.at(step)
        assert weights is not None
        return weights
