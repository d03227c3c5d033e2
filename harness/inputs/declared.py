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
from numbers import Integral, Real
from typing import Any, TypeAlias

from harness.inputs.plain import shown
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


def checked(name: str, value: Shape | Declared) -> Shape | Declared:
    """What is said of the input of this name.

    Raises:
        UsageError: a size is no letter and no whole number from 1 on, or no number lies in an interval.
    """
    shape = value if isinstance(value, tuple) else value.shape
    if not isinstance(shape, tuple | list):
        raise UsageError(
            f"Cannot use the shape {shown(shape)} of the input {name!r}, because it is no tuple of sizes; write "
            f'harness.{type(value).__name__}(("N", 3), ...).'
        )
    for size in [*shape, *([value.below] if isinstance(value, Indices) else [])]:
        if not (size.isidentifier() if isinstance(size, str) else _is_whole(size) and size >= 1):
            raise UsageError(
                f"Cannot use the size {shown(size)} of the input {name!r}, because a size is a letter or a whole "
                f'number from 1 on; write ("N", 3).'
            )
    if isinstance(value, Indices):
        most = inf if isinstance(value.below, str) else value.below
        if not _is_whole(value.low) or not value.low < min(most, 2.0**63):
            raise UsageError(
                f"Cannot draw the input {name!r} from {shown(value.low)} below {shown(value.below)}, because no whole "
                f"numbers lie there; give the smallest as low, and below one that is larger."
            )
    if isinstance(value, Reals) and as_ends(value.low, value.high) is None:
        raise UsageError(
            f"Cannot use the interval from {shown(value.low)} to {shown(value.high)} of the input {name!r}, because it "
            f"holds no interval of numbers; give the smaller end first."
        )
    return value


def as_ends(low: Any, high: Any) -> tuple[float, float] | None:
    """The ends of an interval as numbers; None if they are none, or hold none between them."""
    try:
        real = all(isinstance(end, Real) and not isinstance(end, bool) for end in (low, high))
        return (float(low), float(high)) if real and float(low) < float(high) else None
    except OverflowError:  # a whole number that is larger than every float
        return None


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
