"""Traces: what is kept of a program that ran, so that it can be compared with another one, at once or later.

Of a tensor on the way its numbers are kept in order of size: two programs hold the same one where these are the same,
however it lies in memory. Of weights, their gradients and what is left afterwards every number keeps its place.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from impls.captured import Role
from impls.contract import Array

SCHEMA = 1
MOST_NUMBERS = 2**16
"""Of a larger tensor on the way, so many numbers at evenly spaced ranks are kept, the least and the largest in."""

Spot = tuple[int, int]
"""A tensor on the way: which step gave it, and as which of its outputs, both from 0."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Numbers in float64 and what is allowed to each: their places among the arrays of a trace."""

    numbers: int
    allowed: int


class Tensor(msgspec.Struct, frozen=True):
    """A tensor on the way, in float64.

    Attributes:
        shape: its own.
        numbers: place of its numbers in order of size.
        allowed: to any of them; None where nothing bounds it.
        upstream: likewise of the gradient that arrived at it; None where none did.
    """

    shape: tuple[int, ...]
    numbers: int
    allowed: float | None
    upstream: int | None = None
    upstream_allowed: float | None = None


class Step(msgspec.Struct, frozen=True):
    """One operation: what it is called, where it stands, what it read (tensors, or leaves by name) and what it gave."""

    name: str
    module: str
    file: str | None
    line: int | None
    reads: tuple[tuple[int, int] | str | None, ...]
    gives: tuple[Tensor, ...]


class TracedLeaf(msgspec.Struct, frozen=True):
    """An array that the program started from, as it was then; `places` are its own shape and numbers."""

    name: str
    role: Role
    numbers: int


class Verdict(msgspec.Struct, frozen=True):
    """What the program's own operations were found to be, each judged by itself."""

    verdict: str
    reason: str
    file: str | None = None
    line: int | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True, tag="program trace", tag_field="kind"):
    """A program that ran.

    Attributes:
        made: the version of backprop-harness that made it.
        framework: with its version.
        dtype: in which it works by itself.
        compiled: by what, if it was.
        draws: operations that draw random numbers.
        notes: what there was to say of its run, a sentence each.
        loss: its value; of several backward passes their sum.
        gradients, state: by the name of a leaf.
        arrays: what the places are places of; a file keeps them apart.
    """

    schema: int
    made: str
    name: str
    framework: str
    dtype: str
    seed: int
    command: str | None
    compiled: str
    draws: tuple[str, ...]
    notes: tuple[str, ...]
    leaves: tuple[TracedLeaf, ...]
    loss: Kept
    gradients: dict[str, Kept]
    state: dict[str, Kept]
    steps: tuple[Step, ...]
    judged: Verdict
    arrays: tuple[Any, ...] = ()

    def numbers(self, place: int) -> Array:
        """The array in a place."""
        return self.arrays[place]

    def uses(self) -> dict[str, int]:
        """By the name of a leaf, the first step that reads it."""
        found: dict[str, int] = {}
        for number, step in enumerate(self.steps):
            for read in step.reads:
                if isinstance(read, str):
                    found.setdefault(read, number)
        return found


def ranks(array: Array) -> Array:
    """The numbers of an array in order of size, of a large one at evenly spaced ranks."""
    numbers = np.sort(np.asarray(array, np.float64), axis=None)
    if numbers.size <= MOST_NUMBERS:
        return numbers
    return numbers[np.linspace(0, numbers.size - 1, MOST_NUMBERS).astype(np.int64)]
