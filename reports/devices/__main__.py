"""What is right on a device: ``python -m reports.devices [--device cuda]``, which writes a folder here.

Every framework that has the device trains networks there, in each dtype, and every step is judged; its elementary
functions are measured against the constants of the device, and its sums by a probe. The folder has the machine's name:
a page with versions, settings and verdicts, and the record of each run, which `harness report` makes a page of.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from platform import node
from typing import NamedTuple

from tabulate import tabulate

import harness
from harness.candidates.implementation import Participant, placed_by
from harness.formats import DTYPES
from harness.inputs.devices import as_device, having
from harness.surveys.accumulation import accumulation_of
from harness.surveys.calibration import calibrate
from harness.usage import UsageError
from impls import registry
from impls.abilities import Accumulates
from impls.contract import network_of_example

HERE = Path(__file__).parent
NETWORKS = {"4-3-2-1": "iris", "64-128-64-10": "digits", "lenet": "digits", "resnet-tiny": "digits"}
"""Networks, and the data that each is trained on."""
STEPS, ROWS, TERMS = 3, 32, 32


class Row(NamedTuple):
    """One thing that was tried, and what came of it."""

    framework: str
    dtype: str
    what: str
    verdict: str
    told: str


def main(words: Sequence[str] | None = None) -> int:
    """Write the folder; 1 where something is not right, 2 where there is no such device."""
    parser = argparse.ArgumentParser(prog="python -m reports.devices", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ... [cuda]")
    parser.add_argument("--name", help="of the machine [its own]")
    parser.add_argument("--folder", type=Path, default=HERE, help="in which that of the machine is written")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="one of those that are trained [all]")
    parser.add_argument("--dtype", action="append", choices=DTYPES, help="one of those that are tried [all]")
    options = parser.parse_args(words)
    try:
        frameworks = [name for name in having(as_device(options.device)) if name != registry.REFERENCE]
        folder = options.folder / re.sub(r"[^A-Za-z0-9.-]+", "-", f"{options.name or node()} {options.device}")
        folder.mkdir(parents=True, exist_ok=False)
    except UsageError as error:
        return _refused(error)
    except FileExistsError:
        return _refused(f"Cannot write {folder}, because it is there already; remove it, or give another --name.")
    networks, dtypes = options.network or list(NETWORKS), options.dtype or list(DTYPES)
    settings = dict[str, str]()
    rows = [
        row
        for framework in frameworks
        for row in _tried(framework, options.device, networks, dtypes, folder, settings.update)
    ]
    (folder / "README.md").write_text(_page(folder.name, options.device, rows, settings), encoding="utf-8")
    wrong = [row for row in rows if row.verdict not in ("PASS", "measured")]
    print(f"wrote {folder}: {len(rows)} rows, {len(wrong)} of them not right")
    return int(bool(wrong) or not rows)


def _refused(why: object) -> int:
    print(f"python -m reports.devices: {why}", file=sys.stderr)
    return 2


def _tried(
    framework: str, device: str, networks: Sequence[str], dtypes: Sequence[str], folder: Path,
    keep: Callable[[dict[str, str]], None],
) -> Iterator[Row]:  # fmt: skip
    """Everything of one framework; `keep` is given its settings."""
    for dtype in dtypes:
        for network in networks:
            record = folder / re.sub(r"[^A-Za-z0-9-]+", "-", f"{framework}-{network}-{dtype}")
            try:
                run = harness.run(
                    network, NETWORKS[network], against=[framework], device=device, dtype=dtype, steps=STEPS,
                    batch=ROWS, output=record.with_suffix(".jsonl"),
                )  # fmt: skip
            except UsageError as error:
                yield Row(framework, dtype, network, "NOT COMPARED", str(error))
                continue
            keep(dict(run.head.environment))
            yield Row(framework, dtype, network, run.verdict, run.outcome.reason)
        measured = calibrate([framework], None, [dtype], device=device)
        yield Row(framework, dtype, "elementary functions", measured.verdict, measured.reason)
        made = Participant(framework, placed_by(framework, device), network_of_example(), dtype).built(dtype)
        if isinstance(made, Accumulates):
            for of, sums in made.accumulations().items():
                try:
                    yield Row(framework, dtype, of, "measured", str(accumulation_of(sums, TERMS, dtype)))
                except ValueError as error:  # what adds up otherwise than in any order
                    yield Row(framework, dtype, of, "FAIL", str(error))


def _page(name: str, device: str, rows: Sequence[Row], settings: dict[str, str]) -> str:
    told = tabulate(rows, Row._fields, tablefmt="github", disable_numparse=True)
    kept = tabulate(list(settings.items()), ("setting", "as found"), tablefmt="github", disable_numparse=True)
    again = f"Made by `python -m reports.devices --device {device}`; the records of the runs lie beside this page."
    return f"# {name}\n\n{again}\n\n{told}\n\n{kept}\n"


if __name__ == "__main__":
    sys.exit(main())
