"""Records of programs: a trace in one file, which is read without the framework that made it.

A record is an .npz archive: ``trace``, everything but arrays as JSON, and the arrays by their places. It is written
beside its place and then linked to it, so that a record that is there is whole, and none is overwritten. Every member
has a checksum, as in every such archive.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec
import numpy as np
from msgspec.structs import replace

from harness.programs.pairs.trace import SCHEMA, Trace
from harness.usage import UsageError, ordinary, reason, visible

SUFFIX = ".npz"
HEAD = "trace"
GIVE = "give a file that `harness program --record` wrote"


def refuse_path(path: str) -> None:
    """Raise UsageError where a record cannot be written, before there is one."""
    file = Path(path)
    if file.suffix != SUFFIX:
        raise _cannot(path, f"its name does not end in {SUFFIX}; choose one that does")
    if file.exists() or file.is_symlink():
        raise _cannot(path, "the file exists and would be lost; remove it or choose another name")
    if not file.parent.is_dir():
        raise _cannot(path, f"the folder {file.parent} does not exist; create it or choose another")


def write_trace(path: str, trace: Trace) -> str:
    """Write a record; how large it is, for people.

    Raises:
        UsageError: it cannot be written there; what was there stays.
    """
    refuse_path(path)
    head = np.frombuffer(msgspec.json.encode(replace(trace, arrays=())), np.uint8)
    arrays = {str(place): array for place, array in enumerate(trace.arrays)}
    file = Path(path)
    try:
        with NamedTemporaryFile("wb", dir=file.parent, prefix=".record.", delete=False) as new:
            aside = Path(new.name)
            try:
                np.savez(new, **{HEAD: head}, **arrays)  # type: ignore[arg-type]
                new.flush()
                os.link(aside, file)  # fails where another process was faster
            finally:
                aside.unlink(missing_ok=True)
        file.chmod(0o666 & ~_umask())
    except OSError as error:
        why = "the file exists and would be lost" if isinstance(error, FileExistsError) else reason(error)
        raise _cannot(path, f"{why}; choose a path that can be written") from None
    return f"wrote {visible(path)}, {file.stat().st_size / 1e6:.1f} MB"


def _umask() -> int:
    os.umask(found := os.umask(0))
    return found


def _cannot(path: str, why: str) -> UsageError:
    return UsageError(f"Cannot write the record to {path!r}, because {why}.")


def is_record(text: str) -> bool:
    """Whether what was typed is the path of a record."""
    return Path(text).suffix == SUFFIX


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """A record.

    Raises:
        UsageError: it cannot be read, is damaged, no record of a program, or of another version.
    """
    path = os.fspath(path)
    try:
        with ordinary(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            head = archive[HEAD].tobytes()
            _refuse_other_schema(path, head)
            trace = msgspec.json.decode(head, type=Trace)
            arrays = tuple(archive[str(place)] for place in range(len(archive.files) - 1))
    except (msgspec.DecodeError, KeyError, AttributeError, TypeError) as error:
        raise _unread(path, f"it is no record of a program ({type(error).__name__})") from None
    except (zipfile.BadZipFile, EOFError, ValueError, UnicodeDecodeError) as error:
        if isinstance(error, UsageError):
            raise
        raise _unread(path, "it is damaged, or no record") from None
    except OSError as error:
        raise _unread(path, reason(error)) from None
    trace = replace(trace, arrays=arrays)
    if wrong := _wrong_in(trace):
        raise _unread(path, wrong)
    return trace


def _unread(path: str, why: str) -> UsageError:
    return UsageError(f"Cannot read {path}, because {why}; {GIVE}.")


def _refuse_other_schema(path: str, head: bytes) -> None:
    try:
        schema = msgspec.json.decode(head).get("schema")
    except (msgspec.DecodeError, AttributeError):
        return
    if isinstance(schema, int) and schema != SCHEMA:
        what = "newer" if schema > SCHEMA else "older"
        raise UsageError(
            f"Cannot read {path}, because its schema is {schema} and this version knows schema {SCHEMA}; record it "
            f"again, with the {what} backprop-harness replaced."
        )


def _wrong_in(trace: Trace) -> str:
    """What the types do not tell: places that are none, and numbers that cannot be."""
    many = len(trace.arrays)
    kept = [trace.loss, *trace.gradients.values(), *trace.state.values()]
    places = [place for each in kept for place in (each.numbers, each.allowed)]
    places += [leaf.numbers for leaf in trace.leaves]
    for number, step in enumerate(trace.steps):
        places += [place for tensor in step.gives for place in (tensor.numbers, tensor.upstream) if place is not None]
        for read in step.reads:
            if isinstance(read, tuple) and not (
                0 <= read[0] < number and 0 <= read[1] < max(len(trace.steps[read[0]].gives), 1)
            ):
                return f"operation {number} reads what was not there"
    if any(not 0 <= place < many for place in places):
        return "it names arrays that it does not hold"
    if any(array.dtype.kind not in "fiub" for array in trace.arrays):
        return "it holds arrays that are no numbers"
    if any(trace.arrays[each.numbers].shape != trace.arrays[each.allowed].shape for each in kept):
        return "what is allowed has another shape than the numbers"
    return "" if trace.arrays[trace.loss.numbers].shape == () else "its loss is no single number"
