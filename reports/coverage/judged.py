"""What the samples of an operator or a function showed."""

from __future__ import annotations

from typing import NamedTuple

BEST = ("derived", "its own forward", "its decomposition", "rounding only", "none")


class Judged(NamedTuple):
    """An operator or a function, and what its samples showed.

    Attributes:
        kind: by what its own operations were judged, the worst of all samples.
        wrong: the first line of what was found wrong.
        why: why it has no reference; of a function of JAX, the primitives that were judged by no more than its kind.
    """

    name: str
    kind: str
    wrong: str
    why: str
