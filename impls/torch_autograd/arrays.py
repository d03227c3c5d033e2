"""Tensors from NumPy's arrays and back; bfloat16 of ml_dtypes, which NumPy lacks, has the very bits of torch's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch.utils._pytree import tree_map_only

from impls.contract import Array

_NOT_NUMPYS = {
    np.dtype(ml_dtypes.bfloat16): torch.bfloat16,
    np.dtype(ml_dtypes.float8_e4m3fn): torch.float8_e4m3fn,
    np.dtype(ml_dtypes.float8_e5m2): torch.float8_e5m2,
}
_OF_TORCH = {own: theirs for theirs, own in _NOT_NUMPYS.items()}


def tensor_of(array: Any, device: str = "cpu") -> torch.Tensor:
    """A contiguous copy on a device that requires no gradient."""
    array = np.asarray(array)
    if array.dtype not in _NOT_NUMPYS:
        return torch.tensor(array, device=device)
    bits = np.ascontiguousarray(array).view(f"u{array.itemsize}").reshape(array.shape)
    return torch.tensor(bits, device=device).view(_NOT_NUMPYS[array.dtype])


def array_of(tensor: torch.Tensor) -> Array:
    """A copy, from whichever device."""
    return np.array(shared_array_of(tensor))


def arrays_of(tensors: Mapping[str, torch.Tensor], others: Iterable[torch.Tensor]) -> dict[str, Array]:
    """Of each an array, in the tensor's own memory where nothing else lies there, of these or others; else a copy."""
    each = {id(tensor): tensor for tensor in (*others, *tensors.values())}
    there = Counter(tensor.untyped_storage().data_ptr() for tensor in each.values())

    def own(tensor: torch.Tensor) -> bool:
        storage = tensor.untyped_storage()
        return tensor.is_contiguous() and storage.nbytes() == tensor.nbytes and there[storage.data_ptr()] == 1

    return {name: shared_array_of(tensor) if own(tensor) else array_of(tensor) for name, tensor in tensors.items()}


def arrays_in(path: str) -> Any:
    """What torch.save has written: tensors, in containers or not, as arrays; anything else is refused, and not run."""
    held = torch.load(path, map_location="cpu", weights_only=True)
    return tree_map_only(torch.Tensor, array_of, held)


def shared_array_of(tensor: torch.Tensor) -> Array:
    """The numbers, in the tensor's own memory where that can be."""
    with torch.no_grad():
        plain = tensor.detach().resolve_conj().resolve_neg()
        if plain.dtype not in _OF_TORCH:
            return plain.numpy(force=True)
        bits = plain.view(torch.uint16 if plain.itemsize == 2 else torch.uint8)
        return bits.numpy(force=True).view(_OF_TORCH[plain.dtype])
