"""What a full benchmark keeps beside this folder: ``benchmark.json`` for programs, ``benchmark.md`` for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from reports.benchmark.detection import Detection, detection_table
from reports.benchmark.figure import Figure, table
from reports.benchmark.verdicts import Verdicts, checks_table

FOLDER = Path(__file__).parents[1]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark, or what there is of it.

    Attributes:
        machine: processor, kernels, threads, versions.
        checks: what people check gradients with, beside this harness.
        detections: what the rules of others detect of historical mistakes.
        failed: parts that ended early, and why.
        seconds: that each part took.
    """

    machine: Mapping[str, str]
    rows: Sequence[Figure]
    checks: Sequence[Verdicts]
    failed: Mapping[str, str]
    seconds: Mapping[str, float]
    detections: Sequence[Detection] = msgspec.field(default_factory=list)


def kept(folder: Path = FOLDER) -> Measured | None:
    """The benchmark that was kept last; None where none was."""
    path = folder / "benchmark.json"
    return msgspec.json.decode(path.read_bytes(), type=Measured) if path.exists() else None


def keep(measured: Measured, how: str, folder: Path = FOLDER) -> None:
    """Write both files."""
    rows = [figure.row for figure in measured.rows]
    held = msgspec.to_builtins(measured) | {"rows": rows}
    (folder / "benchmark.json").write_bytes(msgspec.json.format(msgspec.json.encode(held), indent=1) + b"\n")
    (folder / "benchmark.md").write_text(page(measured, how), encoding="utf-8")


def page(measured: Measured, how: str) -> str:
    """The page, in Markdown."""
    around = [f"- {what}: {value}" for what, value in measured.machine.items()]
    parts = ["# Benchmark", how.strip(), "\n".join(around), table(measured.rows, "github")]
    if measured.checks:
        parts += ["## Against what people use", checks_table(measured.checks, "github"), _needs(measured.checks)]
    if measured.detections:
        parts += ["## Historical mistakes", detection_table(measured.detections, "github")]
    parts += [f"{name} ended early: {why}" for name, why in measured.failed.items()]
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in measured.seconds.items())
    return "\n\n".join([*parts, f"It took: {took}."]) + "\n"


def _needs(checks: Sequence[Verdicts]) -> str:
    return "\n".join(f"- {name}: {needs}." for name, needs in {each.check: each.needs for each in checks}.items())
