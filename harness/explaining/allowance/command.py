"""`harness.why`: where the allowance of one entry comes from, at a step of a run.

An entry is asked for as ``dW1[3,2]``, ``dz2[5,1]`` or ``loss``, in a graph as ``fc1.dW[3,2]``, against what there is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from harness.evaluation.given import with_buffers
from harness.evaluation.moment import moment_after
from harness.evaluation.point import Point
from harness.explaining.allowance.split import Allowance, allowance_of
from harness.inputs.arguments import as_count, as_data, as_dtype, as_network, as_optimizer, check_parameters
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.usage import UsageError, did_you_mean
from impls.graph import Graph


def why(
    reference: str,
    network: Graph | str | os.PathLike[str] = "4-3-2-1",
    data: Data | str | os.PathLike[str] | tuple[Any, Any] = "iris",
    *,
    raw: bool = False,
    target: str | None = None,
    optimizer: Any = "gradient-descent",
    step: int = 1,
    batch: int | None = None,
    dtype: str = "float64",
    seed: int = 0,
) -> Allowance:
    """Where the allowance of an entry comes from: own rounding and what it inherits, link by link.

    Args:
        reference: a tensor and a place counted from 1: ``dW1[3,2]``, ``dz2[5,1]``, ``loss``.
        network, data, raw, target, optimizer, batch, seed: as `harness.run` takes them.
        step: of a run, counted from 1: step 1 is at the initial weights.
        dtype: float64, the formula check's, or float32, end to end.

    Raises:
        UsageError: there is no such entry, or something impossible was asked for.
    """
    network, optimizer = as_network(network), as_optimizer(optimizer)
    dtype, number = as_dtype(dtype), as_count("step", step, 1) or 1
    check_parameters(network, optimizer, dtype)
    size, seed = as_count("batch", batch, 1), as_count("seed", seed, 0) or 0
    loaded = as_data(data, network, seed, raw=raw, target=target)
    batches = batches_of(network, loaded, dtype, size, seed)
    moment = moment_after(network, batches, optimizer, seed, number - 1)
    x, y = batches.at(number)
    point = Point(network, moment.weights, with_buffers(network, x, moment.buffers), y, number)
    shown = [name for name in network.link if network.tensors[name].through is None]
    shapes = {name: network.tensors[name].sized(point.rows) for name in (*network.gradients, *shown)}
    name, index = entry(reference, shapes)
    return allowance_of(point, name, index)


FORM = re.compile(r"([A-Za-z_][\w.-]*)(?:\[([0-9]{1,18}(?:,[0-9]{1,18})*)\])?", flags=re.ASCII)


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
