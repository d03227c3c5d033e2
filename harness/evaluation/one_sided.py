"""One-sided gradients: what a link gives on either side of a kink that an argument is exactly on.

A layer says it of the gradient of what it reads (``one_sided``). Where such a gradient is one part of several that add
up, the sum jumps with it: it is the other parts and either side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from harness.evaluation.centre import NOTHING
from impls.graph import Link

Reads = Callable[[Link], Sequence[Any]]
"""What a link reads, as bounded arrays, arguments of a kink exact."""


def one_sided(link: Link, reads: Reads, parts: Mapping[str, Link] = NOTHING) -> tuple[Any, Any, Any] | None:
    """Where a gradient jumps, and its values there on both sides; None if it nowhere does.

    Args:
        parts: by name, links of the parts that `link` adds and nobody shows.
    """
    if not parts:
        return _of_one(link, reads)
    jumping = {name: sides for name, part in parts.items() if (sides := _of_one(part, reads))}
    if not jumping:
        return None
    low, high = dict(zip(link.inputs, reads(link), strict=True)), {}
    for name, value in low.items():
        kink, below, above = jumping.get(name, (None, value, value))
        low[name] = value if kink is None else np.where(kink, np.minimum(below, above), value)
        high[name] = value if kink is None else np.where(kink, np.maximum(below, above), value)
    on_any = reduce(add, (kink for kink, _, _ in jumping.values()))
    return on_any, link.rule(*low.values()), link.rule(*high.values())


def _of_one(link: Link, reads: Reads) -> tuple[Any, Any, Any] | None:
    said = getattr(link.layer, "one_sided", None)
    if said is None or link.of is None or link.of != link.names.get(link.layer.reads):
        return None
    sides: tuple[Any, Any, Any] | None = said(*reads(link))
    return sides
