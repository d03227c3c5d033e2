"""What a pass is given, weights and batch: by name, in any kind of number, and sealed.

Somebody else's code is given copies that it cannot write to; what was kept tells whether it changed them all the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from impls.contract import Array, Arrays, Inputs, is_real
from impls.graph import TARGET, Graph


def named(network: Graph, weights: Mapping[str, Array], x: Array | Inputs, y: Array) -> dict[str, Array]:
    """Weights and batch by the names that the network's links read."""
    return {**weights, **network.given(x), TARGET: y}


def as_numbers(network: Graph, given: Mapping[str, Array], number: Callable[[Array], Any]) -> dict[str, Any]:
    """What is given, real numbers made into another kind by `number`; whole numbers stay what they are."""
    tensors = network.tensors
    return {name: np.asarray(array) if tensors[name].whole else number(array) for name, array in given.items()}


def with_buffers(network: Graph, x: Array | Inputs, buffers: Mapping[str, Array]) -> Array | Inputs:
    """What a network is fed besides weights: its inputs, and the buffers that it has."""
    if not buffers:
        return x
    inputs = x if isinstance(x, Inputs) else {network.sources[0].name: x}
    return Inputs({**inputs, **buffers})


def fed(network: Graph, given: Mapping[str, Array]) -> Array | Inputs:
    """What a network is fed besides weights, of what is given by name."""
    names = [*(source.name for source in network.sources), *network.buffers]
    return given[names[0]] if len(names) == 1 else Inputs({name: given[name] for name in names})


def digest_of(weights: Arrays) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, in the order of the names."""
    sha = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        sha.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        sha.update(array.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def read_only(arrays: Arrays) -> dict[str, Array]:
    """Copies nobody may write to."""
    copies = {name: np.array(array) for name, array in arrays.items()}
    for array in copies.values():
        array.flags.writeable = False
    return copies


def sealed(arrays: Arrays) -> dict[str, Array]:
    """Arrays to which nobody may write: each itself if it is one, and else a copy."""
    own = {name: array for name, array in arrays.items() if array.flags.owndata and not array.flags.writeable}
    return {**arrays, **own, **read_only({name: array for name, array in arrays.items() if name not in own})}


def changed(given: Arrays, kept: Arrays) -> str | None:
    """Name of the first array given away that is not, bit for bit, the one that was kept."""
    return next((name for name, array in given.items() if not _same_bits(array, kept[name])), None)


def _same_bits(one: Array, other: Array) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    if not is_real(one):
        return np.array_equal(one, other)
    bits = f"u{one.itemsize}"  # a NaN is not equal to itself, and -0.0 is to 0.0
    if one.flags.c_contiguous and other.flags.c_contiguous and one.nbytes % 8 == 0:
        one, other, bits = one.reshape(-1), other.reshape(-1), "u8"
    return np.array_equal(one.view(bits), other.view(bits))
