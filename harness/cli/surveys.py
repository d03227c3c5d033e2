"""What is here: ``harness implementations``, ``doctor``, ``calibrate`` and ``conventions``, from options to text."""

from __future__ import annotations

import click
import numpy as np
from tabulate import tabulate

from harness.candidates.conformance import BreachError
from harness.candidates.implementation import Participant, placed_by
from harness.cli.terminal import Progress, indented, named, printable, style_of
from harness.environment import environment
from harness.evaluation.point import Point
from harness.formats import DTYPES, WIDE
from harness.inputs.devices import as_device, every_device, having
from harness.surveys.accumulation import accumulation_of
from harness.surveys.accuracy import Accuracy, place, size
from harness.surveys.calibration import Calibration, calibrate
from harness.surveys.conventions import conventions, render
from harness.usage import visible
from impls import registry
from impls.abilities import Accumulates
from impls.contract import CPU, CannotCompareError, Trains, network_of_example
from impls.hand import from_text

HEADERS = ("function", "against", "points", "largest", "table", "verdict", "at")
ALIGN = ("left", "left", "right", "right", "right", "left", "left")


def calibrate_and_print(*, as_json: bool, exhaustive: bool, seed: int, device: str, **names: str | None) -> int:
    """Measure, print, and return the exit status; `names` are comma-separated lists."""
    against, functions, dtypes = (named(names[option], option) for option in ("against", "function", "dtype"))
    with Progress("functions") as progress:
        result = calibrate(
            against, functions, dtypes, seed=seed, exhaustive=exhaustive, device=device, progress=progress.at
        )
    if as_json:
        click.echo(indented(result.to_dict()))
    else:
        click.echo(printable(_screen(result)))
    return result.exit


def conventions_and_print(*, against: str | None, dtype: str, style: str | None, as_json: bool) -> int:
    """Measure, print, and return the exit status."""
    style = style_of(style, as_json=as_json)
    with Progress("topics") as progress:
        result = conventions(named(against), dtype, progress=progress.at)
    if style == "json":
        click.echo(indented(result.to_dict()))
    else:
        click.echo(printable(render(result, style)))
    return result.exit


def _screen(result: Calibration) -> str:
    """The whole screen: who, the unit, the verdict, a table for each dtype, what was not measured, what next."""
    tried = " and ".join(dict.fromkeys(row.tried for row in result.measured))
    parts = [
        f"elementary functions of {result.who} · {tried or 'nothing tried'} · seed {result.seed}\n"
        "u, half the distance from 1 to the next number: 2^-24 in float32, 2^-53 in float64, 2^-11 in float16, 2^-8 in "
        "bfloat16; off by k u means "
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


def _examine(name: str) -> dict[str, str]:
    """Version, dtypes and conformance of one implementation, tried on a tiny network."""
    found = {"name": name, "version": "", "dtypes": "", "trains": "", "conformance": ""}
    network = from_text("3-2-1", activation="tanh")
    held = []
    try:
        build = registry.load(name)
        for dtype in DTYPES:
            participant = Participant(name, build, network, dtype)
            found["version"], _ = participant.describe()
            rng = np.random.default_rng(0)
            x, y = rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=(5, 1)).astype(dtype)
            participant.differentiate(Point(network, network.init(0, dtype), x, y, 1))
            held.append(dtype)
            found["trains"] = "yes" if isinstance(participant.built(dtype), Trains) else "no"
        found["conformance"] = "ok"
    except (registry.NotInstalledError, CannotCompareError) as reason:
        found["conformance"] = str(reason)
    except BreachError as breach:
        found["conformance"] = f"breaks the contract: {breach}"
    except Exception as error:
        found["conformance"] = f"cannot be imported: {type(error).__name__}: {str(error)[:200]}"
    found["dtypes"] = ", ".join(held)
    return {key: visible(text) for key, text in found.items()}


def print_implementations(as_json: bool) -> int:
    """A row per implementation; exit status 0, or 1 if an installed one breaks the contract."""
    rows = [_examine(name) for name in registry.names()]
    if as_json:
        click.echo(indented(rows))
    else:
        headers = ("name", "version", "dtypes", "optimizers", "conformance")
        click.echo(
            tabulate([list(row.values()) for row in rows], headers, disable_numparse=True, colalign=("left",) * 5)
        )
    return int(any(row["conformance"].startswith("breaks") for row in rows))


TERMS_ADDED = 32


def _accumulations(name: str, device: str) -> dict[str, str]:
    """In how many digits and in which order an implementation adds up numbers narrower than float32."""
    found = {}
    for dtype in (dtype for dtype in DTYPES if dtype not in WIDE):
        made = Participant(name, placed_by(name, device), network_of_example(), dtype).built(dtype)
        if isinstance(made, Accumulates):
            for of, sums in made.accumulations().items():
                found[f"{name} {dtype} {of}"] = str(accumulation_of(sums, TERMS_ADDED, dtype))
    return found


def print_doctor(as_json: bool, device: str = CPU) -> int:
    """Environment of the process, devices, and settings of every installed implementation on one of them."""
    device, found = as_device(device), environment()
    having(device)
    found |= {f"{name} devices": ", ".join(devices) for name, devices in every_device().items()}
    network = from_text("3-2-1", activation="tanh")
    for name in registry.names():
        try:
            on = CPU if name == registry.REFERENCE else device
            version, settings = Participant(name, placed_by(name, on), network, "float32").describe()
            found |= {name: version, **settings}
            found |= _accumulations(name, on)
        except Exception as error:
            found[name] = visible(" ".join(str(error).split())[:200])
    if as_json:
        click.echo(indented(found))
    else:
        click.echo(tabulate(list(found.items()), tablefmt="plain", disable_numparse=True, colalign=("left", "left")))
    return 0
