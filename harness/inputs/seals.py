"""What is given to somebody else's code: copies that it cannot write to, and digests by which a change is told."""

from __future__ import annotations

import hashlib

import numpy as np

from impls.contract import Array, Arrays


def digest_of(weights: Arrays) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, in the order of the names."""
    sha = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        sha.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def read_only(arrays: Arrays) -> dict[str, Array]:
    """Copies nobody may write to."""
    copies = {name: np.array(array) for name, array in arrays.items()}
    for array in copies.values():
        array.flags.writeable = False
    return copies


def seal(arrays: Arrays) -> dict[str, str]:
    """A digest of each array by itself, by which a change is told."""
    return {name: digest_of({name: array}) for name, array in arrays.items()}
