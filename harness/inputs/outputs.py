"""Outputs: the arrays of real numbers that a function returns, in containers or not, by name and one after the other.

An operation of several outputs is judged as one whose output is all of them, one after the other, and so is its
upstream gradient. What holds whole numbers, or is no array, has no upstream and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from math import prod
from typing import Any

import numpy as np

from harness.inputs.trees import taken_apart
from harness.usage import UsageError
from impls.abilities import Hosts
from impls.contract import Array

OUTPUT = "output"
GRADIENTS = "gradients"
"""What a finding about a whole backward call is of."""
Parts = Mapping[str, tuple[int, ...]]
"""The shape of each output by its name: ``output`` if there is one, else ``output[0]``, ``output.h``."""


def reals_of(returned: Any) -> dict[str, Any]:
    """The real arrays in what was returned, by name."""
    leaves = taken_apart(returned, OUTPUT)[1]
    reals = {name: leaf for name, leaf in leaves.items() if "float" in str(getattr(leaf, "dtype", ""))}
    return dict.fromkeys([OUTPUT], *reals.values()) if len(reals) == 1 else reals


def flat(function: Callable[..., Any], host: Hosts, constant: Sequence[bool]) -> Callable[..., Any]:
    """A function of own arrays that returns its real output, or a tuple of them; constant where it is said."""

    def of_reals(*own: Any) -> Any:
        given = [host.constant(array) if fixed else array for array, fixed in zip(own, constant, strict=True)]
        found = tuple(reals_of(function(*given)).values())
        if not found:
            raise UsageError("it returns no real numbers")
        return found[0] if len(found) == 1 else found

    return update_wrapper(of_reals, function, updated=())


def parts_of(output: Any, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of the outputs."""
    several = output if isinstance(output, tuple) else (output,)
    return {name: array.shape for name, array in zip(names, several, strict=True)}


def joined(output: Any) -> Array:
    """One output as it is, several in one row."""
    if not isinstance(output, tuple):
        return np.asarray(output)
    return np.concatenate([np.ravel(array) for array in output])


def whole_shape(parts: Parts) -> tuple[int, ...]:
    """The shape of the outputs, one after the other."""
    return next(iter(parts.values())) if len(parts) == 1 else (sum(map(prod, parts.values())),)


def parted(array: Array, parts: Parts) -> dict[str, Array]:
    """The outputs by name, from what `joined` gives."""
    if len(parts) == 1:
        return dict.fromkeys(parts, array)
    ends = np.cumsum([prod(shape) for shape in parts.values()])
    rows = np.split(array, ends[:-1])
    return {name: row.reshape(shape) for (name, shape), row in zip(parts.items(), rows, strict=True)}


def each_of(array: Array | None, parts: Parts) -> Any:
    """An upstream as a host takes it: an array, or a list of several."""
    if array is None or len(parts) == 1:
        return array
    return list(parted(array, parts).values())
