"""Guards: what keeps a probability p away from the poles of the logarithm in a cross-entropy.

    epsilon    g(p) = p + e                       g'(p) = 1
    clip       g(p) = min(max(p, e), 1 - e)       g'(p) = 1 where e < p < 1 - e, else 0

In the loss log g(p) stands for log p, and so g'(p)/g(p) for 1/p in its gradient. Where a clip holds p, the loss does
not change with it. On logits a guarded loss is that of the probabilities, written out behind their sigmoid or softmax.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.graph.primitive import Array
from impls.hand.parts import Loss, number


class Guarded(Loss):
    """A cross-entropy whose logarithms may have a guard."""

    def __init__(self, epsilon: float = 0.0, clip: float = 0.0) -> None:
        why = "it keeps the argument of a logarithm from 0"
        self.epsilon = number("epsilon", epsilon, least=0, why=why)
        self.clip = number("clip", clip, least=0, why=why)
        if self.clip >= 0.5:
            raise ValueError(f"Cannot use clip={clip!r}, because it leaves no probability; give a number below 0.5.")
        if epsilon and clip:
            raise ValueError(
                f"Cannot use epsilon={epsilon!r} with clip={clip!r}, because either keeps the logarithm from 0; "
                f"leave one out."
            )

    @property
    def guard(self) -> dict[str, float]:
        """The guard by its name and number; empty if there is none."""
        return {name: size for name in ("epsilon", "clip") if (size := getattr(self, name))}

    def guarded(self, p: Array) -> Array:
        """g(p), entry by entry."""
        if self.clip:
            return np.minimum(np.maximum(p, self.clip), 1 - self.clip)
        return p + self.epsilon if self.epsilon else p

    def passed(self, by_guarded: Array, p: Array) -> Array:
        """The gradient by p, from that by g(p)."""
        return by_guarded * ((p > self.clip) * (p < 1 - self.clip)) if self.clip else by_guarded

    def guarded_text(self, p: str) -> str:
        """g(p) as text."""
        if self.clip:
            return f"clip({p}, {self.clip:g}, 1 - {self.clip:g})"
        return f"({p} + {self.epsilon:g})" if self.epsilon else p


class GuardedOnLogits(Guarded):
    """A cross-entropy on logits, which with a guard is that on probabilities, written out."""

    written_out: Any
    """The loss on probabilities."""

    def __init__(self, epsilon: float = 0.0, clip: float = 0.0) -> None:
        super().__init__(epsilon, clip)
        self.on_p: Any = None
        if self.guard:
            self.on_p = on_p = type(self).written_out(**self.guard)
            by_p = on_p.derivative.replace("{a}", "{p}" if self.applies == "softmax" else "s({a})")
            self.derivative = f"the {self.applies}'s derivative · ({by_p})"
