"""Files of tensors: what is expected, and what else lies beside it.

expected     alone, or each other array by itself where none is called so
actual       what somebody's program gave: is it accepted?
eager        what another program of the dtype gave
allowed      what each entry may be off by; without it, the rounding of a right result to the dtype
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from harness.candidates.containers import KINDS, check_readable, container_of, readable
from harness.candidates.dumps import LARGEST_BYTES
from harness.formats import FORMATS
from harness.inputs.frameworks import kind_of
from harness.tolerances.subject import Floats, Subject
from harness.usage import UsageError, told, visible
from impls import registry
from impls.abilities import Reads
from impls.contract import Array, CannotCompareError, network_of_example

ENDINGS = (".npz", ".npy", ".safetensors", ".pt", ".pth")
EXPECTED, BESIDE = "expected", ("actual", "eager", "allowed")


def file_subjects(path: str, dtype: str | None) -> list[Subject]:
    """The tensors of a file.

    Args:
        dtype: in which programs compute them; that of the arrays if None.

    Raises:
        UsageError: it cannot be read, holds no numbers, or arrays of unequal shapes.
    """
    arrays = _arrays(path)
    if not arrays:
        raise UsageError(f"Cannot judge a tolerance on {path}, because it holds no arrays; save at least one.")
    for name, array in arrays.items():
        _check(path, name, array)
    found: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        tensor, _, role = name.rpartition(".")
        own, role = (tensor or EXPECTED, role) if role in (EXPECTED, *BESIDE) else (name, EXPECTED)
        found.setdefault(own, {})[role] = array
    for name, held in found.items():
        _check_together(path, visible(name), held)
    return [_subject(path, held, visible(name), dtype) for name, held in found.items()]


def _check_together(path: str, name: str, held: Mapping[str, Array]) -> None:
    if EXPECTED not in held:
        raise UsageError(
            f"Cannot judge a tolerance on {path}, because it holds {next(iter(held))} without {EXPECTED}; save what is "
            f"expected under that name."
        )
    for role, array in held.items():
        if array.shape != held[EXPECTED].shape:
            raise UsageError(
                f"Cannot judge a tolerance on {path}, because of {name} {role} has shape {array.shape} and {EXPECTED} "
                f"{held[EXPECTED].shape}; save both of one shape."
            )


def _subject(path: str, arrays: Mapping[str, Array], name: str, dtype: str | None) -> Subject:
    own = next(arrays[each] for each in ("actual", "eager", "expected") if each in arrays)
    of = dtype or str(own.dtype)
    if of not in FORMATS:
        raise UsageError(
            f"Cannot judge a tolerance on {path}, because {of} is no format of numbers here; give --dtype, one of "
            f"{', '.join(FORMATS)}."
        )
    expected = _wide(arrays["expected"])
    rounding = np.maximum(FORMATS[of].u * np.abs(expected), FORMATS[of].smallest_subnormal / 2)
    allowed = _wide(arrays["allowed"]) if "allowed" in arrays else rounding
    if not np.all(allowed >= 0):
        raise UsageError(
            f"Cannot judge a tolerance on {path}, because allowed holds what is negative or no number; save how far "
            f"off each entry may be."
        )
    return Subject(
        name=name, expected=expected, allowed=allowed, dtype=of,
        source="given" if "allowed" in arrays else "rounding of the result alone",
        programs={"eager": _wide(arrays["eager"])} if "eager" in arrays else {},
        given=_wide(arrays["actual"]) if "actual" in arrays else None,
    )  # fmt: skip


def _check(path: str, name: str, array: Array) -> None:
    kind = str(array.dtype)
    if not array.size:
        raise UsageError(f"Cannot judge a tolerance on {path}, because {visible(name)} is empty; save numbers.")
    if array.dtype.kind not in "fiu" and kind not in FORMATS:
        raise UsageError(f"Cannot judge a tolerance on {path}, because {visible(name)} is {kind}; save real numbers.")
    if name.rpartition(".")[2] not in ("actual", "allowed") and not np.all(np.isfinite(_wide(array))):
        raise UsageError(
            f"Cannot judge a tolerance on {path}, because {visible(name)} holds what is no finite number; save finite "
            f"ones."
        )


def _arrays(path: str) -> dict[str, Array]:
    check_readable(path)
    if Path(path).suffix.lower() == ".npy":
        return {Path(path).stem: readable(path, lambda: np.load(path, allow_pickle=False))}
    if (reader := _reader(path)) is not None:
        return _by_name(path, readable(path, lambda: _read_by(reader, path)))
    container = container_of(path)
    names = readable(path, lambda: container.names(path))
    declared = readable(path, lambda: container.declared(path, names))
    if pickled := [name for name, each in declared.items() if each.dtype == "object"]:
        raise UsageError(
            f"Cannot read {path}, because {visible(pickled[0])} holds pickled Python objects, and reading those can "
            f"run any program; save arrays of numbers."
        )
    if sum(8 * int(np.prod(each.shape, dtype=object)) for each in declared.values()) > LARGEST_BYTES:
        raise UsageError(
            f"Cannot read {path}, because what it declares takes more than the {LARGEST_BYTES / 2**30:g} GiB that are "
            f"read; save fewer rows."
        )
    return readable(path, lambda: container.read(path, names))


def _reader(path: str) -> Reads | None:
    """The framework whose kind of file it is, loaded for it.

    Raises:
        UsageError: it is not installed.
    """
    ending = Path(path).suffix.lower()
    if ending in KINDS:
        return None
    for name in registry.names():
        with suppress(ImportError, CannotCompareError):
            made = registry.load(name)(network_of_example(), "float32")
            if isinstance(made, Reads) and ending in made.endings:
                return made
    raise UsageError(
        f"Cannot read {path}, because the framework that writes {ending} is not installed; save it as .safetensors."
    )


def _read_by(reader: Reads, path: str) -> Any:
    try:
        return reader.arrays_in(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever a framework raises where a file holds something else
        raise UsageError(
            f"Cannot read {path}, because {told(error)[:120]}; save a tensor, or a dictionary of tensors."
        ) from None


def _by_name(path: str, held: Any) -> dict[str, Array]:
    """One array by the name of its file, or several by their own."""
    named = held if isinstance(held, Mapping) else {Path(path).stem: held}
    for name, array in named.items():
        if not isinstance(array, np.ndarray):
            raise UsageError(
                f"Cannot read {path}, because {visible(str(name))} is {kind_of(array)}; save a tensor, or a dictionary "
                f"of tensors."
            )
    return {str(name): array for name, array in named.items()}


def _wide(array: Any) -> Floats:
    return np.asarray(array, np.float64)
