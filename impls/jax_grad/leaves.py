"""A function of pytrees as one of arrays in a row, each called by the way to it: ``arguments[0].layer1.w``.

The program itself may be a pytree, as modules of libraries are: then its arrays are leaves too, ``program.w``. What is
no array, a number of Python's or a function, stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import tree_util


def is_array(value: Any) -> bool:
    """Arrays and numbers that are JAX's or NumPy's, of a dtype that JAX has."""
    return isinstance(value, jax.Array) or (isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcV")


def is_real(kind: Any) -> bool:
    """Whether an array, or what is known of one, holds real numbers."""
    return bool(jnp.issubdtype(kind.dtype, jnp.floating))


@dataclass(frozen=True)
class Leaves:
    """The arrays of a program and its arguments, by name, and what puts them together again."""

    arrays: dict[str, jax.Array]
    _others: Sequence[Any]
    _structure: Any

    @staticmethod
    def of(program: Any, arguments: Sequence[Any]) -> Leaves:
        """In the order that JAX has them."""
        ways, structure = tree_util.tree_flatten_with_path({"arguments": list(arguments), "program": program})
        arrays = {_name(way): jnp.asarray(leaf) for way, leaf in ways if is_array(leaf)}
        return Leaves(arrays, [_ARRAY if is_array(leaf) else leaf for _, leaf in ways], structure)

    @property
    def reals(self) -> list[str]:
        """Names of those that can have a gradient."""
        return [name for name, array in self.arrays.items() if is_real(array)]

    def together(self, arrays: Sequence[Any]) -> tuple[Callable[..., Any], Sequence[Any]]:
        """The program and its arguments with these in place of its arrays."""
        left = iter(arrays)
        leaves = [next(left) if other is _ARRAY else other for other in self._others]
        tree: dict[str, Any] = tree_util.tree_unflatten(self._structure, leaves)
        return tree["program"], tree["arguments"]

    def answer(self, arrays: Sequence[Any]) -> Any:
        """What the program returns with these in place of its arrays."""
        program, arguments = self.together(arrays)
        return program(*arguments)


_ARRAY = object()


def _name(way: Sequence[Any]) -> str:
    """The way to a leaf as it is written elsewhere."""
    first, *steps = way
    return str(first.key) + "".join(map(_step, steps))


def _step(step: Any) -> str:
    place = getattr(step, "idx", getattr(step, "key", None))
    if isinstance(place, int):
        return f"[{place}]"
    return f".{getattr(step, 'name', place)}"
