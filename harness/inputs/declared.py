"""Inputs of an operation: arrays, or shapes in which a letter stands for one size wherever it occurs; and the rest.

    x=N,M                    ("N", "M")                          reals
    x=N,M from 0 to 6        Reals(("N", "M"), 0, 6)             reals of an interval
    p=N,K probabilities      Probabilities(("N", "K"))           reals from 0 to 1, evenly
    y=N below K              Indices(("N",), below="K")          whole numbers from 0 on, with repetitions
    y=N from 1 below K       Indices(("N",), below="K", low=1)   whole numbers from 1 on
    m=N,M flags              Flags(("N", "M"))                   True and False
    r=M constant             Constant(("M",))                    any of these, without a gradient
    how in mean, sum         OneOf("mean", "sum")                no tensor: each of these values is tried
    p.W=M,K; p.b=K           {"p": {"W": ("M", "K"), ...}}       a dictionary; h[0]=N; h[1]=N is a list

One table for the command's text and for Python: what stands on the left is what `declared` reads.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

import numpy as np

from harness.usage import UsageError
from impls.contract import Array

Size: TypeAlias = int | str
Shape: TypeAlias = tuple[Size, ...]


@dataclass(frozen=True)
class Reals:
    """Real numbers from `low` to `high`, the interval in which the code must work: ``Reals(("N", "M"), 0, 6)``."""

    shape: Shape
    low: float = -inf
    high: float = inf


@dataclass(frozen=True)
class Indices:
    """Whole numbers from `low` to `below` - 1, drawn with repetitions: ``Indices(("N",), below="V")``."""

    shape: Shape
    below: Size
    low: int = 0


@dataclass(frozen=True)
class Probabilities:
    """Numbers between 0 and 1."""

    shape: Shape


@dataclass(frozen=True)
class Flags:
    """True and False, such as a mask: ``Flags(("N", "M"))``."""

    shape: Shape


@dataclass(frozen=True)
class Constant:
    """An input that has no gradient, though it may hold reals: ``Constant(("M",))``, ``Constant(array)``."""

    value: Any


@dataclass(frozen=True, init=False)
class OneOf:
    """An argument that is no tensor; each of its values is tried, the first most: ``OneOf("mean", "sum")``."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        if not values:
            raise UsageError(
                'Cannot use OneOf(), because it has no value; give each that is to be tried: OneOf("sum").'
            )
        object.__setattr__(self, "values", values)


Declared: TypeAlias = Reals | Indices | Probabilities | Flags
Input: TypeAlias = Array | Shape | Declared

_SIZES = r"(?P<sizes>\(\s*\)|\(?\w+(\s*,\s*\w+)*\s*,?\s*\)?)"
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf"
_NAME = r"(?P<name>[^\W\d]\w*(\.\w+|\[\d+\])*)"
_DECLARED = re.compile(
    rf"{_NAME}\s*=\s*{_SIZES}"
    rf"(\s+from\s+(?P<low>{_NUMBER})(?=\s+(to|below)\b))?"
    rf"(\s+to\s+(?P<high>{_NUMBER})|\s+below\s+(?P<below>\w+)|\s+(?P<kind>probabilities|flags))?"
    r"(?P<constant>\s+constant)?"
)
_ONE_OF = re.compile(rf"{_NAME}\s+in\s+(?P<values>\S.*)")
_STEP = re.compile(r"\.?([^\W\d]\w*|\w+)|\[(\d+)\]")

SIZES = (5, 7, 3, 9, 11, 13, 15, 17)
"""Sizes for the letters in the order in which they come: odd, unequal, at least 2."""
OTHER_SIZES = {"other sizes": (11, 3, 7, 13, 5, 17, 9, 15), "many rows": (257, 8, 4, 6, 12, 10, 16, 14)}
"""And others, by the case: a kernel may be right at odd sizes alone, or for a few rows; 257 fit no block."""
EQUAL, MOST_EQUAL = (16, 4), 4
"""Every letter's size where all are equal, of so many letters and of more."""


def declared(text: str) -> dict[str, Any]:
    """Inputs as a command says them: ``x=N,M; W=M,K; labels=N below K; p=N,K probabilities; scale=()``.

    A name, then sizes: letters, or whole numbers; ``()`` is a single number. After them what they are, see above.

    >>> declared("a=N,K probabilities; how in mean, sum")
    {'a': Probabilities(shape=('N', 'K')), 'how': OneOf(values=('mean', 'sum'))}

    Raises:
        UsageError: a part of the text says nothing of this kind.
    """
    found: dict[str, Any] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        match = _ONE_OF.fullmatch(part) or _DECLARED.fullmatch(part)
        if match is None or match["name"] in found:
            why = "names an input twice" if match else "is no NAME=SIZES"
            raise UsageError(
                f'Cannot use --inputs {text!r}, because {part!r} {why}; write "x=N,M; W=M,K", "y=N below K" for whole '
                f'numbers, "p=N,K probabilities", "c=()" for one number, "how in mean, sum" for what is no tensor.'
            )
        found[match["name"]] = _meant(match)
    if not found:
        raise UsageError(
            f'Cannot use --inputs {text!r}, because it names none; write "x=N,M; W=M,K", or leave it out with a layer '
            f"of the hand code."
        )
    return _nested(found, text)


def _meant(match: re.Match[str]) -> Any:
    """What one part of a text declares."""
    if match.re is _ONE_OF:
        return OneOf(*[_value(word.strip()) for word in match["values"].split(",")])
    shape: Shape = tuple(map(_size, filter(None, re.split(r"[\s,]+", match["sizes"].strip("() ")))))
    low, high = match["low"], match["high"]
    value: Any = shape
    if match["below"]:
        value = Indices(shape, _size(match["below"]), int(float(low or 0)))
    elif match["kind"]:
        value = Probabilities(shape) if match["kind"] == "probabilities" else Flags(shape)
    elif low or high:
        value = Reals(shape, float(low or -inf), float(high or inf))
    return Constant(value) if match["constant"] else value


def _value(word: str) -> Any:
    """A number, True, False, None or a quoted text as Python writes it; any other word as a text."""
    try:
        return literal_eval(word)
    except (ValueError, SyntaxError):
        return word


def _nested(found: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Dictionaries for names with dots, lists for those with brackets."""
    tree: dict[Any, Any] = {}
    for name, value in found.items():
        *way, last = [int(place) if place else word for word, place in _STEP.findall(name)]
        at = tree
        for step in way:
            at = at.setdefault(step, {})
        if not isinstance(at, dict) or last in at:
            raise UsageError(f"Cannot use --inputs {text!r}, because {name!r} stands inside another input; rename one.")
        at[last] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    members = {key: _lists(member) for key, member in value.items()}
    return list(members.values()) if list(members) == list(range(len(members))) else members


def _size(text: str) -> Size:
    return int(text) if text.isdecimal() else text


def shape_in(value: Input) -> Shape:
    """The shape of an input in letters and numbers; of an array its own."""
    return value if isinstance(value, tuple) else value.shape


def letters_of(inputs: Mapping[str, Input]) -> list[str]:
    """Letters in the order in which they first occur."""
    sizes = [size for value in inputs.values() for size in shape_in(value)]
    sizes += [value.below for value in inputs.values() if isinstance(value, Indices)]
    return [size for size in dict.fromkeys(sizes) if isinstance(size, str)]


def sizes_of(inputs: Mapping[str, Input], pool: tuple[int, ...] = SIZES) -> dict[str, int]:
    """A size for each letter: from the pool, unequal to each other and to every size that is given.

    >>> sizes_of({"x": ("N", "M"), "W": ("M", 7)})
    {'N': 5, 'M': 3}
    """
    taken = {size for value in inputs.values() if isinstance(value, tuple | np.ndarray) for size in shape_in(value)}
    letters = letters_of(inputs)
    further = range(max(pool) + 2, max(pool) + 2 + 2 * (len(letters) + len(taken)), 2)
    free = [size for size in (*pool, *further) if size not in taken]
    return dict(zip(letters, free, strict=False))


def all_sizes(inputs: Mapping[str, Input]) -> dict[str, dict[str, int]]:
    """Further sizes for the letters, by the name of the case; none where there are no letters."""
    letters = letters_of(inputs)
    if not letters:
        return {}
    found = {name: sizes_of(inputs, pool) for name, pool in OTHER_SIZES.items()}
    found["one row"] = {**sizes_of(inputs), letters[0]: 1}
    if len(letters) > 1:
        found["equal sizes"] = dict.fromkeys(letters, EQUAL[len(letters) > MOST_EQUAL])
    return found


def shape_of(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in numbers."""
    return tuple(sizes[size] if isinstance(size, str) else size for size in shape)
