"""Containers of named arrays: NPZ and safetensors files, read without running anything that they hold.

What a file declares of an array, its dtype and shape, stands in front of the numbers and is read alone. So whoever
knows what should be there asks for nothing else, and a few bytes cannot swell to more than was expected.

Sources: numpy.lib.format (the NPY format, of which an NPZ file is an archive); the format section of the safetensors
package's README.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.lib import format as npy

from harness.usage import UsageError, ordinary, reason
from impls.contract import Array

_T = TypeVar("_T")
INSTALL = "pip install 'backprop-harness[dumps]'"


@dataclass(frozen=True)
class Declared:
    """What a file says of an array: the name of its dtype, and its shape."""

    dtype: str
    shape: tuple[int, ...]


class Container(Protocol):
    """How one kind of file is read and written."""

    def names(self, path: str) -> list[str]:
        """The names of all arrays."""
        ...

    def declared(self, path: str, names: Iterable[str]) -> dict[str, Declared]:
        """Dtype and shape of these arrays."""
        ...

    def read(self, path: str, names: Iterable[str]) -> dict[str, Array]:
        """These arrays, each a copy in the machine's byte order."""
        ...

    def packed(self, arrays: Mapping[str, Array]) -> bytes:
        """A file that holds these arrays."""
        ...


class Npz:
    """An archive of NPY files, ``numpy.savez``; pickled objects are declared and never read."""

    def names(self, path: str) -> list[str]:
        """Members without their ``.npy``."""
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
        name, times = next(iter(Counter(names).most_common(1)), ("", 0))
        if times > 1:
            raise ValueError(f"it holds {name} {times} times")
        return names

    def declared(self, path: str, names: Iterable[str]) -> dict[str, Declared]:
        """What stands in the header of each member."""
        found = {}
        with zipfile.ZipFile(path) as archive, catch_warnings():
            simplefilter("ignore")  # headers that Python 2 wrote
            for name in names:
                with archive.open(f"{name}.npy") as member:
                    version = npy.read_magic(member)
                    if version not in _HEADERS:
                        raise ValueError(
                            f"{name} is in version {version} of the NPY format, which has no plain numbers"
                        )
                    shape, _, dtype = _HEADERS[version](member)
                found[name] = Declared(dtype.name, shape)
        return found

    def read(self, path: str, names: Iterable[str]) -> dict[str, Array]:
        """The members of these names."""
        found = {}
        with zipfile.ZipFile(path) as archive, catch_warnings():
            simplefilter("ignore")
            for name in names:
                with archive.open(f"{name}.npy") as member:
                    found[name] = _native(npy.read_array(member, allow_pickle=False))
                    member.read(1)  # at the end of a member its checksum is compared
        return found

    def packed(self, arrays: Mapping[str, Array]) -> bytes:
        """What numpy.savez writes."""
        held = io.BytesIO()
        np.savez(held, **dict(arrays))  # type: ignore[arg-type]  # no array is called allow_pickle
        return held.getvalue()


_HEADERS: dict[tuple[int, int], Any] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"} | {
    f"{kind}{bits}": f"{name}{bits}" for kind, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
}
"""From the name of a dtype in a safetensors file to NumPy's, or to ml_dtypes'."""


class Safetensors:
    """A safetensors file, by the package of that name."""

    def names(self, path: str) -> list[str]:
        """The keys of its header, without ``__metadata__``."""
        with _safetensors().safe_open(path, framework="np") as file:
            return list(file.keys())

    def declared(self, path: str, names: Iterable[str]) -> dict[str, Declared]:
        """What its header says."""
        with _safetensors().safe_open(path, framework="np") as file:
            slices = {name: file.get_slice(name) for name in names}
            return {
                name: Declared(_DTYPES.get(part.get_dtype(), part.get_dtype()), tuple(part.get_shape()))
                for name, part in slices.items()
            }

    def read(self, path: str, names: Iterable[str]) -> dict[str, Array]:
        """The tensors of these names."""
        with _safetensors().safe_open(path, framework="np") as file:
            return {name: _native(file.get_tensor(name)) for name in names}

    def packed(self, arrays: Mapping[str, Array]) -> bytes:
        """What the package writes."""
        _safetensors()
        from safetensors.numpy import save

        return save({name: np.array(array, order="C") for name, array in arrays.items()})


KINDS: Mapping[str, Container] = {".npz": Npz(), ".safetensors": Safetensors()}


def container_of(path: str) -> Container:
    """How a file of this name is read and written.

    Raises:
        UsageError: its name has another ending.
    """
    kind = KINDS.get(Path(path).suffix.lower())
    if kind is None:
        raise UsageError(
            f"Cannot use {path} for a dump, because its name ends neither in .npz nor in .safetensors; choose one of "
            f"the two."
        )
    return kind


def readable(path: str, read: Callable[[], _T]) -> _T:
    """What reading a file gives, or UsageError that it is damaged."""
    try:
        return read()
    except (UsageError, MemoryError):
        raise
    except Exception as error:  # each library raises its own for each way in which a file can be damaged
        raise UsageError(
            f"Cannot read {path}, because it is damaged, or no file of that kind ({reason(error)}); write it again."
        ) from None


def check_readable(path: str) -> None:
    """Raise UsageError unless there is a file, with something in it, that can be opened."""
    try:
        with ordinary(path).open("rb") as file:
            empty = not file.read(1)
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {path}, because {reason(error)}; give the path of a dump.") from None
    if empty:
        raise UsageError(f"Cannot read {path}, because it is empty; harness template writes a file to fill.")


def _safetensors() -> Any:
    try:
        import safetensors
    except ModuleNotFoundError:
        raise UsageError(
            f"Cannot read or write .safetensors files, because the package safetensors is not installed; {INSTALL} or "
            f"use .npz."
        ) from None
    return safetensors


def _native(array: Array) -> Array:
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
