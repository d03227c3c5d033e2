"""A template: a dump to fill, with weights and a batch to compute with, and NaN where the gradients go."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from harness.candidates.containers import container_of
from harness.evaluation.given import named, with_buffers
from harness.inputs.arguments import as_data, as_dtype, check_parameters
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.inputs.plain import as_count
from harness.usage import UsageError, reason
from impls.graph import Graph


def write_template(
    path: str | os.PathLike[str],
    network: Graph,
    *,
    rows: int = 16,
    seed: int = 0,
    dtype: str = "float64",
    data: Any = "random",
    raw: bool = False,
    target: str | None = None,
) -> Data:
    """Write a new file that `read_dump` takes once its gradients are filled; what it was drawn from is returned.

    Weights, inputs and y are those of step 1 of ``harness run`` with the same data, seed, dtype and batch.

    Args:
        path: ends in .npz or .safetensors.
        rows: of inputs and y.
        seed: of the weights, of the choice of rows, and of random data.
        data: a name, a path, or arrays (x, y).
        raw, target: as `load_data` takes them.

    Raises:
        UsageError: something cannot be used, or the file exists.
    """
    name = os.fspath(path)
    container = container_of(name)
    dtype, size, start = as_dtype(dtype), as_count("rows", rows, 1), as_count("seed", seed, 0)
    if size is None or start is None:
        raise UsageError("Cannot write a template with rows=None or seed=None, because both are counts; give numbers.")
    check_parameters(network, None, dtype)
    source = as_data(data, network, start, raw=raw, target=target)
    if size > len(source.y):
        raise UsageError(
            f"Cannot write {size} rows of {source.name}, because it has {len(source.y)}; ask for as many or fewer."
        )
    x, y = batches_of(network, source, dtype, size, start).at(1)
    given = named(network, network.init(start, dtype), with_buffers(network, x, network.fresh_buffers(dtype)), y)
    gradients = {name: np.full(network.tensors[name].sized(size), np.nan, dtype) for name in network.gradients}
    packed = container.packed({**given, **gradients})
    _write_new(name, packed)
    return source


def _write_new(path: str, content: bytes) -> None:
    try:
        with Path(path).open("xb") as file:
            try:
                file.write(content)
                file.flush()
            except BaseException:
                with suppress(OSError):
                    Path(path).unlink()
                raise
    except FileExistsError:
        raise UsageError(
            f"Cannot write {path}, because it exists and may hold somebody's numbers; choose another name or remove it."
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot write {path}, because {reason(error)}; choose a place that can be written.") from None
