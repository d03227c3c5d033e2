"""`harness.why`: where the allowance of one entry comes from, at a step of a run."""

from __future__ import annotations

import os
from typing import Any

from harness.evaluation.moment import moment_after
from harness.evaluation.point import Point
from harness.explaining.allowance.entries import entry
from harness.explaining.allowance.split import Allowance, allowance_of
from harness.inputs.arguments import as_count, as_data, as_dtype, as_network, as_optimizer, check_parameters
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
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
    weights = moment_after(network, batches, optimizer, seed, number - 1).weights
    point = Point(network, weights, *batches.at(number), number)
    shapes = {name: tensor.value.shape for name, tensor in point.centre(dtype).tensors.items()}
    name, index = entry(reference, {name: shapes[name] for name in (*network.gradients, *shapes)})
    return allowance_of(point, name, index)
