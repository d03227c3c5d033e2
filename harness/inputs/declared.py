"""Inputs of an operation: arrays, or shapes in which a letter stands for one size wherever it occurs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from harness.inputs.frameworks import as_arrays
from harness.usage import UsageError
from impls.contract import Array

Size: TypeAlias = int | str
Shape: TypeAlias = tuple[Size, ...]


@dataclass(frozen=True)
class Indices:
    """Whole numbers from 0 to `below` - 1, drawn with repetitions: ``Indices(("N",), below="V")``."""

    shape: Shape
    below: Size


@dataclass(frozen=True)
class Probabilities:
    """Numbers between 0 and 1."""

    shape: Shape


Input: TypeAlias = Array | Shape | Indices | Probabilities

_DECLARED = re.compile(
    r"(?P<name>[^\W\d]\w*)\s*=\s*(?P<sizes>\(\s*\)|\(?\w+(\s*,\s*\w+)*\s*,?\s*\)?)"
    r"(\s+below\s+(?P<below>\w+)|\s+(?P<shares>probabilities))?"
)

SIZES = (5, 7, 3, 9, 11, 13, 15, 17)
"""Sizes for the letters in the order in which they come: odd, unequal, at least 2."""
OTHER_SIZES = {"other sizes": (11, 3, 7, 13, 5, 17, 9, 15), "many rows": (64, 8, 4, 6, 12, 10, 16, 14)}
"""And others, by the case: a kernel may be right at odd sizes alone, or for a few rows."""


def specified(inputs: Mapping[str, Any], dtype: str) -> dict[str, Input]:
    """What is meant by each input, arrays as NumPy ones of the dtype.

    Raises:
        UsageError: an input is none of this, or a size is no whole number from 1 on.
    """
    if not isinstance(inputs, Mapping) or not inputs:
        raise UsageError(
            f"Cannot use inputs={inputs!r}, because each input needs a name; give a dictionary from the names of "
            f'forward\'s parameters to arrays or shapes, such as {{"x": ("N", "M")}}.'
        )
    found: dict[str, Input] = {}
    for name, value in inputs.items():
        if isinstance(value, Indices | Probabilities):
            sizes = [*value.shape, *([value.below] if isinstance(value, Indices) else [])]
            found[name] = value
        elif isinstance(value, tuple) and all(isinstance(size, int | str) for size in value):
            sizes, found[name] = list(value), value
        elif isinstance(value, str):
            raise UsageError(f"Cannot use the input {name}={value!r}, because a shape is a tuple; write ({value!r},).")
        else:
            sizes, found[name] = [], as_arrays({name: value}, dtype)[name]
        for size in sizes:
            if isinstance(size, bool) or not (isinstance(size, str) or (isinstance(size, int) and size >= 1)):
                raise UsageError(
                    f"Cannot use the size {size!r} of the input {name!r}, because a size is a letter or a whole "
                    f'number from 1 on; write ("N", 3).'
                )
    return found


def declared(text: str) -> dict[str, Any]:
    """Inputs as a command says them: ``x=N,M; W=M,K; labels=N below K; p=N,K probabilities; scale=()``.

    A name, then sizes: letters, or whole numbers; ``()`` is a single number. After them ``below`` a size, of whole
    numbers from 0 on, or ``probabilities``.

    >>> declared("a=N,K probabilities; y=N below K")
    {'a': Probabilities(shape=('N', 'K')), 'y': Indices(shape=('N',), below='K')}

    Raises:
        UsageError: a part of the text says nothing of this kind.
    """
    found: dict[str, Any] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        match = _DECLARED.fullmatch(part)
        if match is None or match["name"] in found:
            why = "names an input twice" if match else "is no NAME=SIZES"
            raise UsageError(
                f'Cannot use --inputs {text!r}, because {part!r} {why}; write "x=N,M; W=M,K", "y=N below K" for whole '
                f'numbers, "p=N,K probabilities", "c=()" for one number.'
            )
        shape = tuple(map(_size, filter(None, re.split(r"[\s,]+", match["sizes"].strip("() ")))))
        found[match["name"]] = (
            Indices(shape, _size(match["below"]))
            if match["below"]
            else Probabilities(shape)
            if match["shares"]
            else shape
        )
    if not found:
        raise UsageError(
            f'Cannot use --inputs {text!r}, because it names none; write "x=N,M; W=M,K", or leave it out with a layer '
            f"of the hand code."
        )
    return found


def _size(text: str) -> Size:
    return int(text) if text.isdecimal() else text


def letters_of(inputs: Mapping[str, Input]) -> list[str]:
    """Letters in the order in which they first occur."""
    sizes: list[Size] = []
    for value in inputs.values():
        if isinstance(value, Indices | Probabilities):
            sizes += value.shape
        elif isinstance(value, tuple):
            sizes += value
    sizes += [value.below for value in inputs.values() if isinstance(value, Indices)]
    return [size for size in dict.fromkeys(sizes) if isinstance(size, str)]


def sizes_of(inputs: Mapping[str, Input], pool: tuple[int, ...] = SIZES) -> dict[str, int]:
    """A size for each letter: from the pool, unequal to each other and to every size that is given.

    >>> sizes_of({"x": ("N", "M"), "W": ("M", 7)})
    {'N': 5, 'M': 3}
    """
    taken = {size for value in inputs.values() if isinstance(value, tuple) for size in value}
    taken |= {size for value in inputs.values() if isinstance(value, np.ndarray) for size in value.shape}
    letters = letters_of(inputs)
    further = range(max(pool) + 2, max(pool) + 2 + 2 * (len(letters) + len(taken)), 2)
    free = [size for size in (*pool, *further) if size not in taken]
    return dict(zip(letters, free, strict=False))


def shape_of(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in numbers."""
    return tuple(sizes[size] if isinstance(size, str) else size for size in shape)
