"""``harness calibrate`` and ``harness conventions``: from options to a survey, from a survey to text."""

from __future__ import annotations

import click
import msgspec
from tabulate import tabulate

from harness.cli.progress import Progress
from harness.cli.running import named, printable
from harness.surveys.accuracy import Accuracy, place, size
from harness.surveys.calibration import Calibration, calibrate
from harness.surveys.conventions import conventions, render
from harness.usage import UsageError
from impls.registry import REFERENCE

HEADERS = ("function", "against", "points", "largest", "table", "verdict", "at")
ALIGN = ("left", "left", "right", "right", "right", "left", "left")


def calibrate_and_print(*, as_json: bool, exhaustive: bool, seed: int, **names: str | None) -> int:
    """Measure, print, and return the exit status; `names` are comma-separated lists."""
    try:
        against, functions, dtypes = (named(names[option], option) for option in ("against", "function", "dtype"))
        with Progress("functions") as progress:
            result = calibrate(against, functions, dtypes, seed=seed, exhaustive=exhaustive, progress=progress.at)
    except UsageError as error:
        click.echo(f"harness calibrate: {printable(str(error))}", err=True)
        return 2
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result.to_dict()), indent=1))
    else:
        click.echo(printable(_screen(result)))
    return result.exit


def conventions_and_print(*, against: str | None, dtype: str, style: str | None, as_json: bool) -> int:
    """Measure, print, and return the exit status."""
    try:
        with Progress("topics") as progress:
            result = conventions(named(against), dtype, progress=progress.at)
    except UsageError as error:
        click.echo(f"harness conventions: {printable(str(error))}", err=True)
        return 2
    if as_json or style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(result.to_dict()), indent=1))
    else:
        click.echo(printable(render(result, style or "table")))
    return result.exit


def _screen(result: Calibration) -> str:
    """The whole screen: who, the unit, the verdict, a table for each dtype, what was not measured, what next."""
    who = " · ".join(f"{name} {v}" if name == REFERENCE else v for name, v in result.implementations.items())
    tried = " and ".join(dict.fromkeys(row.tried for row in result.measured))
    parts = [
        f"elementary functions of {who or 'nothing'} · {tried or 'nothing tried'} · seed {result.seed}\n"
        "u = 2^-24 in float32, 2^-53 in float64, half the distance from 1 to the next number; off by k u means "
        "|computed - f(x)| = k u |f(x)|, for erfc k u",
        f"{result.verdict}  {result.reason}",
    ]
    parts += [_table(result, dtype) for dtype in dict.fromkeys(row.dtype for row in result.measured)]
    unmeasured = _unmeasured(result.rows)
    if unmeasured:
        parts.append(unmeasured)
    parts.append(_footer(result))
    return "\n\n".join(parts)


def _table(result: Calibration, dtype: str) -> str:
    rows, last = [], ""
    for row in result.measured:
        if row.dtype == dtype:
            rows.append(_cells(row, row.function if row.function != last else ""))
            last = row.function
    return f"{dtype}, errors in u\n" + tabulate(rows, HEADERS, disable_numparse=True, colalign=ALIGN)


def _cells(row: Accuracy, label: str) -> list[str]:
    return [label, row.against, f"{row.points:,}", size(row), f"{row.constant:g}", row.verdict, place(row)]


def _unmeasured(rows: list[Accuracy]) -> str:
    """A line for each reason, naming what it keeps from being measured."""
    kept: dict[tuple[str, str], list[Accuracy]] = {}
    for row in rows:
        if row.largest is None:
            kept.setdefault((row.verdict, row.reason or ""), []).append(row)
    lines = []
    for (verdict, reason), group in kept.items():
        functions, names, dtypes = (
            ", ".join(dict.fromkeys(getattr(row, name) for row in group)) for name in ("function", "against", "dtype")
        )
        lines.append(f"{verdict}  {functions} of {names} in {dtypes}: {reason}")
    return "\n".join(lines)


def _footer(result: Calibration) -> str:
    lines = []
    if any(row.tried == "sample" for row in result.measured):
        lines.append("largest  seen at these points; a sample underestimates it, in float32 --exhaustive does not")
    lines.append("next  harness calibrate --exhaustive --function exp    harness doctor    harness run")
    return "\n".join(lines)
