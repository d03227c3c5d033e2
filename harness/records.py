"""Run records: one JSON line for the head, one per step, one for the end, each flushed as it happens.

A run that is killed keeps every finished step: a last line without its newline is dropped on reading.
Numbers round-trip (shortest representation), and what is not a finite number is null.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from harness.comparison import Row
from harness.conformance import Finding
from harness.usage import UsageError

SCHEMA = 1
WEIGHTS_KEPT = 10_000
"""Up to this many parameters a record holds the weights of each step; above, their digest and the seed."""


class Head(msgspec.Struct, frozen=True, tag="run", tag_field="kind"):
    """What a run was asked to do, where, and what it takes for granted."""

    schema: int
    created: str
    network: str
    description: str
    loss_formula: str
    weights: dict[str, tuple[int, ...]]
    gradients: tuple[str, ...]
    activations: tuple[str, ...]
    data: str
    optimizer: str
    dtype: str
    seed: int
    steps: int
    batch: int
    schedule: str
    implementations: dict[str, str]
    environment: dict[str, str]
    ledger: list[str]
    named: bool = False
    free_run: bool = False


class Step(msgspec.Struct, frozen=True, tag="step", tag_field="kind"):
    """One step: the weights' digest, every implementation's loss, every row, every finding.

    Attributes:
        checked: full, sample or none.
        losses: loss before the update; null where it is not finite.
        undecided: arguments closer to their kink than their float64 bound.
        weights: before the update, flattened, for small networks.
        drift: in a free run, largest difference of each implementation's weights, and the twin's, from the
            hand code's, before the update.
    """

    step: int
    digest: str
    checked: str
    losses: dict[str, float | None]
    rows: list[Row]
    findings: list[Finding]
    undecided: int = 0
    weights: dict[str, list[float]] | None = None
    drift: dict[str, float] = {}


class End(msgspec.Struct, frozen=True, tag="end", tag_field="kind"):
    """How a run ended: finished, interrupted or diverged."""

    how: str
    steps: int
    verdict: str
    exit: int


class Writer:
    """Appends lines to a new file; refuses one that exists, so that no run is lost."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: BinaryIO = path.open("xb")
        except FileExistsError:
            raise UsageError(
                f"Cannot write the run to {path}, because the file exists and would be lost; remove it or "
                f"choose another name."
            ) from None
        except OSError as error:
            raise UsageError(
                f"Cannot write the run to {path}, because {error.strerror}; choose a path that can be written."
            ) from None

    def write(self, line: Head | Step | End) -> None:
        """One whole line, flushed.

        Raises:
            OSError: the disk is full or gone; the steps written before stay readable.
        """
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path) -> tuple[Head, list[Step], End | None]:
    """The lines of a record; End is None for a run that was cut off.

    Raises:
        UsageError: the file cannot be read, is no run record or has a newer schema.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {path}, because {error.strerror}; give a run record.") from None
    whole = text[: text.rfind(b"\n") + 1].splitlines()
    if not whole:
        raise UsageError(f"Cannot read {path}, because it holds no whole line; give a run record.")
    decoder: msgspec.json.Decoder[Head | Step | End] = msgspec.json.Decoder(Head | Step | End)
    lines: list[Any] = []
    for number, line in enumerate(whole, 1):
        try:
            lines.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            _refuse_newer(path, line)
            raise UsageError(
                f"Cannot read {path}, because line {number} is not part of a run record ({error}); give a "
                f"file that `harness run --output` wrote."
            ) from None
    head, rest = lines[0], lines[1:]
    end = rest.pop() if rest and isinstance(rest[-1], End) else None
    if not isinstance(head, Head) or not all(isinstance(line, Step) for line in rest):
        raise UsageError(
            f"Cannot read {path}, because its lines are not a head, steps and an end in this order; give a "
            f"file that `harness run --output` wrote."
        )
    if head.schema > SCHEMA:
        _refuse_newer(path, whole[0])
    return head, rest, end


def _refuse_newer(path: Path, line: bytes) -> None:
    try:
        schema = msgspec.json.decode(line).get("schema", 0)
    except (msgspec.DecodeError, AttributeError):
        return
    if isinstance(schema, int) and schema > SCHEMA:
        raise UsageError(
            f"Cannot read {path}, because its schema is {schema} and this version knows schema {SCHEMA}; "
            f"install a newer backprop-harness."
        )
