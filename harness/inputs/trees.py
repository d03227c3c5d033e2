"""Trees: dictionaries, lists and tuples that hold arrays, taken apart into leaves by name and put together again.

A leaf is called by the way to it: ``params.W``, ``layers[0].b``. A single array is a tree of one leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from numbers import Number
from typing import Any

DEEPEST, MOST = 20, 10_000
"""Containers in containers, and members of one, that are looked into: somebody's own mapping may never end."""


@dataclass(frozen=True)
class Leaf:
    """Stands in a tree for what has this name."""

    name: str


Whole = Callable[[Any], bool]
"""Whether something is a leaf although it is a container."""


def taken_apart(tree: Any, name: str, whole: Whole = lambda _: False) -> tuple[Any, dict[str, Any]]:
    """The same containers with a `Leaf` in place of each leaf, and what stood there by name.

    >>> taken_apart({"W": 1.5, "hs": (2.5, None)}, "p")[1]
    {'p.W': 1.5, 'p.hs[0]': 2.5, 'p.hs[1]': None}
    """
    leaves: dict[str, Any] = {}

    def of(value: Any, path: str, depth: int) -> Any:
        members = None if depth > DEEPEST or whole(value) else _members(value)
        if members is None:
            leaves[path] = value
            return Leaf(path)
        inner = {key: of(member, f"{path}{step}", depth + 1) for key, step, member in members}
        return inner if isinstance(value, Mapping) else _like(value, list(inner.values()))

    return of(tree, name, 0), leaves


def put_together(template: Any, leaf: Callable[[str], Any]) -> Any:
    """A tree from its template, with what `leaf` gives for a name in place of each leaf."""
    if isinstance(template, Leaf):
        return leaf(template.name)
    if isinstance(template, Mapping):
        return {key: put_together(member, leaf) for key, member in template.items()}
    return _like(template, [put_together(member, leaf) for member in template])


def names_of(template: Any) -> list[str]:
    """The names of the leaves of a template, in order."""
    found: list[str] = []
    put_together(template, found.append)
    return found


def matched(template: Any, tree: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of a template and what stands at their places in another tree; None where it has nothing there."""
    if isinstance(template, Leaf):
        yield template.name, tree
    elif isinstance(template, Mapping):
        for key, member in template.items():
            yield from matched(member, tree.get(key) if isinstance(tree, Mapping) else None)
    else:
        fits = isinstance(tree, list | tuple) and len(tree) == len(template)
        for place, member in enumerate(template):
            yield from matched(member, tree[place] if fits else None)


def is_numbers(value: Any) -> bool:
    """Whether something is a list of numbers, or of such lists, as an array is written."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and not hasattr(value, "_fields")
        and all(isinstance(member, Number) or is_numbers(member) for member in value)
    )


def _members(value: Any) -> list[tuple[Any, str, Any]] | None:
    """The members of a container by their key, how each is reached in a name; None if it is none."""
    if isinstance(value, Mapping):
        return [(key, f".{key}", member) for key, member in islice(value.items(), MOST)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(key, f".{key}", member) for key, member in zip(value._fields, value, strict=False)]
    if isinstance(value, list | tuple):
        return [(place, f"[{place}]", member) for place, member in enumerate(value[:MOST])]
    return None


def _like(container: Any, members: list[Any]) -> Any:
    """A list, a tuple or a named tuple of the same kind."""
    if hasattr(container, "_make"):
        return container._make(members)
    return tuple(members) if isinstance(container, tuple) else members
