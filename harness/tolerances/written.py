"""Written: the allowance of every entry, in a new NPZ file beside what is expected."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.candidates.containers import KINDS
from harness.tolerances.subject import Floats, Subject
from harness.usage import UsageError, reason


def check_writable(path: str) -> None:
    """Raise UsageError unless a new .npz file can be made there."""
    place = Path(path)
    if place.suffix.lower() != ".npz":
        raise UsageError(f"Cannot write {path}, because allowances go into an NPZ file; give a name that ends in .npz.")
    if place.exists():
        raise UsageError(f"Cannot write {path}, because there is such a file already; give a new name.")
    if not place.absolute().parent.is_dir():
        raise UsageError(f"Cannot write {path}, because its folder does not exist; make it first.")


def write(path: str, subjects: Sequence[Subject]) -> str:
    """Each tensor's ``NAME.expected`` and ``NAME.allowed``; those of a file keep the names alone, to be read again.

    Raises:
        UsageError: there is no room, or the folder is not to be written to; then no part of a file is left.
    """
    alone = len(subjects) == 1
    arrays: dict[str, Floats] = {}
    for subject in subjects:
        before = "" if alone else f"{subject.name}."
        arrays |= {f"{before}expected": subject.expected, f"{before}allowed": subject.allowed}
    temporary = Path(f"{path}.{os.getpid()}.part")
    try:
        temporary.write_bytes(KINDS[".npz"].packed(arrays))
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"Cannot write {path}, because {reason(error)}; give another place.") from None
    return path
