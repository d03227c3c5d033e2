"""The reference: a pass of the hand code over all rows, at weights and on data of one's choice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.candidates.arrays import as_array
from harness.evaluation.given import fed, named, read_only, with_buffers
from harness.inputs.arguments import as_data, as_dtype, as_network
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.inputs.plain import as_count, refused, unmasked
from harness.usage import UsageError
from impls.contract import Array, Inputs, is_number
from impls.graph import TARGET, Graph
from impls.hand_numpy import Hand, HandPass


def reference(
    network: Graph | str | os.PathLike[str],
    weights: Mapping[str, Any] | None = None,
    x: Any = None,
    y: Any = None,
    *,
    data: Data | str | os.PathLike[str] | None = None,
    seed: int = 0,
    dtype: str | None = None,
) -> HandPass:
    """The hand code's loss, activations and gradients; the pass knows network, weights, x and y.

    Args:
        network: a `Network`, layer sizes, or the path of a .toml file.
        weights: arrays of NumPy, torch or JAX by name: W1, b1, ...; drawn from the seed if None.
        x, y: the rows, x (N, inputs), or all inputs by name, and y as the loss reads it.
        data: a `Data`, the name or path of one, instead of x and y; random rows if neither is given.
        seed: of the weights and of random rows.
        dtype: float32 or float64, which must hold every number given; that of x and the weights where they are given,
            else float64.

    Raises:
        UsageError: something does not fit the network, or is not held by the dtype.
    """
    network, seed = as_network(network, data), as_count("seed", seed, 0) or 0
    if weights is not None and not isinstance(weights, Mapping):
        raise refused("weights", weights, "it is no dictionary", "give arrays by name: W1, b1, ...")
    dtype = _usual(network, x, weights) if dtype is None else as_dtype(dtype)
    if (x is None) != (y is None) or (x is not None and data is not None):
        raise UsageError("Cannot take a reference on these rows, because they are named by x and y, or by data.")
    if x is None:
        rows = as_data("random" if data is None else data, network, seed, raw=False, target=None)
        batch = batches_of(network, rows, dtype, None, seed)
        x, y = batch.at(1)
        x = with_buffers(network, x, network.fresh_buffers(dtype))
    else:
        x, y = _batch(network, x, y, dtype)
    at = network.init(seed, dtype) if weights is None else _weights(network, weights, dtype)
    given = read_only(named(network, at, x, y))
    return Hand(network, dtype).differentiate({name: given[name] for name in at}, fed(network, given), given[TARGET])


def _batch(network: Graph, x: Any, y: Any, dtype: str) -> tuple[Array | Inputs, Array]:
    """Rows that somebody has, in a dtype; buffers that are not given are fresh."""
    buffers = network.fresh_buffers(dtype)
    try:
        inputs = network.given({**buffers, **x} if isinstance(x, Mapping) else with_buffers(network, x, buffers))
        given = {
            name: _array(name, array) if network.tensors[name].whole else _held(name, array, dtype)
            for name, array in {**inputs, TARGET: y}.items()
        }
        network.check_batch(fed(network, given), given[TARGET])
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    return fed(network, given), given[TARGET]


def _usual(network: Graph, x: Any, weights: Mapping[str, Any] | None) -> str:
    """float32 where everything given is, whole numbers set aside, else float64."""
    inputs = x if isinstance(x, Mapping) else {} if x is None else {network.sources[0].name: x}
    named = {**inputs, **(weights or {})}
    given = [as_array(a) for n, a in named.items() if not (n in network.tensors and network.tensors[n].whole)]
    return "float32" if given and all(a is not None and a.dtype == np.float32 for a in given) else "float64"


def _weights(network: Graph, weights: Mapping[str, Any], dtype: str) -> dict[str, Array]:
    if set(weights) != set(network.weights):
        raise UsageError(
            f"Cannot use weights called {', '.join(map(str, weights)) or 'nothing'}, because this network has "
            f"{', '.join(network.weights)}; give these."
        )
    arrays = {name: _held(name, weights[name], dtype) for name in network.weights}
    for name, shape in network.weights.items():
        if arrays[name].shape != shape:
            raise UsageError(
                f"Cannot use {name} of shape {arrays[name].shape}, because this network's has shape {shape}; "
                f"W has shape (n_in, n_out)."
            )
    return arrays


def _held(name: str, value: Any, dtype: str) -> Array:
    """An array in a dtype that holds its numbers, unrounded: a function is judged at the numbers it was given."""
    array = _array(name, value)
    if not np.isfinite(array).all():
        raise UsageError(f"Cannot use {name}, because it is not finite everywhere; give finite numbers.")
    with np.errstate(over="ignore"):  # told below
        cast = array.astype(dtype)
    if not np.array_equal(cast, array):
        raise UsageError(
            f"Cannot use {name} in {dtype}, because it holds numbers that {dtype} does not; round it first, and give "
            f"your function the rounded numbers too."
        )
    return cast


def _array(name: str, value: Any) -> Array:
    unmasked(name, value)
    array = as_array(np.array(value) if isinstance(value, list | tuple) else value)
    if array is None or not is_number(array):
        raise UsageError(f"Cannot use {name}={type(value).__name__}, because it is no array of real numbers.")
    return array
