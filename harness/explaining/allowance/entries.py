"""What was asked about one entry: ``dW1[3,2]``, ``dz2[5,1]``, ``loss``, against what a network has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.usage import UsageError, did_you_mean

FORM = re.compile(r"([A-Za-z]+[0-9]*)(?:\[([0-9]{1,18}(?:,[0-9]{1,18})*)\])?", flags=re.ASCII)


def entry(text: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, tuple[int, ...]]:
    """Name and index, counted from 0, of the entry that a text names, counted from 1.

    A tensor of one entry needs no index.

    >>> entry("dW1[3,2]", {"dW1": (4, 3)})
    ('dW1', (2, 1))

    Raises:
        UsageError: the text names no entry; the message says what exists.
    """
    match = FORM.fullmatch("".join(text.split()))
    if not match:
        raise UsageError(
            f"Cannot look for {text[:80]!r}, because an entry is written as a tensor and its place, counted from 1; "
            f"write for example {_example(shapes)}."
        )
    name, place = match.groups()
    if name not in shapes:
        raise UsageError(
            f"Cannot look for {text[:80]!r}, because there is no tensor {name}{did_you_mean(name, shapes)}; there are "
            f"{', '.join(shapes)}."
        )
    shape = shapes[name]
    index = tuple(int(i) - 1 for i in place.split(",")) if place else (0,) * len(shape)
    inside = len(index) == len(shape) and all(0 <= i < size for i, size in zip(index, shape, strict=True))
    if not inside or (not place and any(size > 1 for size in shape)):
        sizes = " and ".join(f"1 to {size}" for size in shape)
        has = f"its entries are {name}[{','.join('ij'[: len(shape)])}], {sizes}" if shape else "it is one number"
        raise UsageError(f"Cannot look for {text[:80]!r}, because {has}; write for example {_example({name: shape})}.")
    return name, index


def _example(shapes: Mapping[str, tuple[int, ...]]) -> str:
    name, shape = next(iter(shapes.items()))
    return f"{name}[{','.join(map(str, shape))}]" if shape else name
