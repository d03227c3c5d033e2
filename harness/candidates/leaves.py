"""Leaves: what a function returned, taken out of the dictionaries, tuples and lists that it stands in."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from harness.candidates.arrays import numbers_of
from harness.candidates.vocabulary import Path, Vocabulary
from harness.usage import visible

DEEPEST, MOST = 4, 10_000
"""Containers in containers, and members of one, that are looked into: somebody's own mapping may never end."""


class Leaf(NamedTuple):
    """Something that was returned, and how it is reached."""

    path: Path
    value: Any

    @property
    def said(self) -> str:
        """The path as one would write it: ``W1``, ``layer1.dW``, ``W[0]``."""
        return visible("".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path).removeprefix("."))


def leaves_of(returned: Any, whole: Collection[str], words: Vocabulary) -> list[Leaf]:
    """Everything in containers that is no container itself, in order; nor is a list of numbers.

    What lies further in is looked into later, so that much of something else hides nothing that lies outside of it.

    Args:
        returned: what was returned.
        whole: keys of the outermost mapping of which what they hold is not taken apart.
        words: by which a list of layers is told from an array.
    """
    found, waiting, seen = list[tuple[Path, Leaf]](), deque[tuple[Path, Path, Any]]([((), (), returned)]), 0
    while waiting:
        at, path, value = waiting.popleft()
        closed = len(path) >= DEEPEST or (len(path) == 1 and path[0] in whole) or seen > MOST
        inner = None if closed else _members(value, words.depth if words.lacks_place(path) else 0)
        if inner:
            seen += len(inner)
            waiting.extend(((*at, n), (*path, *key), member) for n, (key, member) in enumerate(inner))
        elif path:
            found.append((at, Leaf(path, value)))
            if (gradient := _kept_gradient(value)) is not None:
                found.append((at, Leaf((*path, "grad"), gradient)))
    return [leaf for _, leaf in sorted(found, key=lambda each: each[0])]


def _kept_gradient(value: Any) -> Any:
    """The gradient that a torch parameter keeps beside its numbers."""
    try:
        return value.grad if value.is_leaf and value.requires_grad else None
    except Exception:  # anything else
        return None


def _members(value: Any, layers: int) -> list[tuple[Path, Any]] | None:
    """The members of a container by what they are reached by; None if it is none.

    Args:
        layers: how many of them there are, where every one of them is meant by a list or an array; else 0.
    """
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        value = dict(zip(value._fields, value, strict=False))
    if isinstance(value, Mapping):
        items = islice(value.items(), MOST)
        return [(tuple(map(str, key)) if isinstance(key, tuple) else (str(key),), member) for key, member in items]
    if isinstance(value, np.ndarray) and value.ndim and (value.dtype == object or len(value) == layers):
        value = list(value)
    if not isinstance(value, list | tuple) or (_is_array(value) and len(value) != layers):
        return None
    return [((place,), member) for place, member in enumerate(value[:MOST])]


def _is_array(value: Sequence[Any]) -> bool:
    """Whether these are numbers, or lists of as many numbers each."""
    number = (int, float, np.generic)
    rows = [each if isinstance(each, list | tuple) else [each] for each in value]
    return len({len(row) for row in rows}) < 2 and all(isinstance(each, number) for row in rows for each in row)


def copied_leaves(returned: Any, depth: int = 0) -> Any:
    """The same containers with copies of the arrays in them, which nobody else can write to."""
    try:
        members = None if depth > DEEPEST else _members(returned, 0)
    except MemoryError:
        raise
    except Exception:  # a mapping of somebody's own; that it cannot be read is told where it is read
        return returned
    if members is None:
        array = None if isinstance(returned, list | tuple) else numbers_of(returned)
        return returned if array is None or not hasattr(returned, "shape") else np.array(array)
    if isinstance(returned, Mapping) or hasattr(returned, "_fields"):
        return {key[0] if len(key) == 1 else key: copied_leaves(member, depth + 1) for key, member in members}
    return [copied_leaves(member, depth + 1) for _, member in members]
