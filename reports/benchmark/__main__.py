"""The figures of the project, each beside its goal: ``python -m reports.benchmark``.

No figure is enforced. All are printed as they come, and a full benchmark is kept beside this folder in
``benchmark.md`` and ``benchmark.json``, from which the README has its figures. A part that ends early leaves the
others, and an interrupt leaves what there is. Libraries are left to choose their own kernels: settings that choose
others for NumPy's BLAS are cleared first, and one that keeps Python from keeping what it has compiled.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from harness.environment import environment
from harness.formats import DTYPES, FORMATS
from harness.memory import keep_freed
from harness.usage import told
from impls import registry
from impls.contract import Describes
from impls.hand import from_text
from reports.benchmark import commands, detection, growth, low_precision, memory, sees
from reports.benchmark.detection import Detection, detection_table
from reports.benchmark.figure import Figure, table
from reports.benchmark.kept import Measured, keep
from reports.benchmark.networks import cases, chain
from reports.benchmark.other_checks import compared
from reports.benchmark.readme import refresh
from reports.benchmark.steps import step_figures
from reports.benchmark.verdicts import Verdicts, checks_table, figures_of

SET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE")
"""Settings with which a library chooses other kernels, or every start compiles the project's files anew."""


def _steps(quick: bool) -> Iterable[Figure]:
    for case in cases(quick=quick):
        yield from step_figures(case, 3 if quick or case.name.startswith("E") else 15)


def _other_checks(quick: bool) -> Iterable[Figure | Verdicts]:
    rounds, most, part = (2, 32, 64) if quick else (5, 48, 512)
    for letter in "BC":
        found = list(compared(chain(letter), rounds=rounds, seeds=1 if quick else 5, most=most, part=part))
        yield from found
        yield from figures_of(found)


def _commands(quick: bool) -> Iterable[Figure]:
    yield from commands.explanations(1 if quick else 2)
    yield from commands.checks(1 if quick else 2)
    if not quick:
        yield commands.calibrate()
    yield from commands.catalogue(quick)
    yield from commands.pages()


def _sees(quick: bool) -> Iterable[Figure]:
    yield from sees.sees(64)
    yield from sees.sees(128)
    yield from sees.certificates(1 if quick else 3)
    yield from low_precision.low_precision()


def _detection(quick: bool) -> Iterable[Figure | Detection]:
    for dtype in ("float32", *(name for name in DTYPES if FORMATS[name].digits < FORMATS["float32"].digits)):
        found = list(detection.detections(seeds=2 if quick else 20, dtype=dtype))
        yield from found
        yield from detection.figures_of(found)


PARTS: dict[str, Callable[[bool], Iterable[Figure | Verdicts | Detection]]] = {
    "steps": _steps,
    "starts": lambda quick: commands.starts(1 if quick else 3),
    "checks": _other_checks,
    "growth": lambda quick: growth.growth(quick=quick),
    "peaks": lambda quick: memory.peaks(quick=quick),
    "memory": lambda quick: memory.kept(quick=quick),
    "sees": _sees,
    "commands": _commands,
    "detection": _detection,
}


def machine() -> dict[str, str]:
    """Processor, kernels, threads and versions."""
    built = [registry.load(name)(from_text("1-1"), "float32") for name in ("torch", "jax")]
    kernels = {pool["filepath"].rpartition("/")[2]: pool.get("architecture", "") for pool in threadpool_info()}
    versions = {made.version.partition(" ")[0]: made.version for made in built}
    settings = {
        key: value for made in built if isinstance(made, Describes) for key, value in made.environment().items()
    }
    found = {"processor": _processor()} | environment() | versions | settings
    load = {"load when it began": f"{os.getloadavg()[0]:.1f} processes"} if hasattr(os, "getloadavg") else {}
    return found | load | {f"kernels of {library}": name for library, name in kernels.items() if name}


def _processor() -> str:
    """Its name, where the system tells it; source: proc_cpuinfo(5)."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def measured(parts: Sequence[str], *, quick: bool) -> Measured:
    """Some parts, each row printed as it comes; after an interrupt the rest of them count as failed."""
    around = machine()  # first, since nothing is kept without it
    held: dict[type, list[Any]] = {Figure: [], Verdicts: [], Detection: []}
    failed, seconds = dict[str, str](), dict[str, float]()
    for name in parts:
        begin = time.perf_counter()
        try:
            for found in PARTS[name](quick):
                held[type(found)].append(found)
                if isinstance(found, Figure):
                    print(table([found], "plain").split("\n")[1], flush=True)
        except Exception as error:  # the other parts are measured all the same
            failed[name] = told(error)
            print(f"{name} ended early: {failed[name]}", file=sys.stderr)
        except KeyboardInterrupt:
            failed |= dict.fromkeys(parts[list(parts).index(name) :], "interrupted")
            print(f"interrupted in {name}", file=sys.stderr)
            break
        finally:
            seconds[name] = time.perf_counter() - begin
    return Measured(
        machine=around, rows=held[Figure], checks=held[Verdicts], detections=held[Detection], failed=failed,
        seconds=seconds,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every figure, or those of some parts; keep all of them where all were measured. 1 if a part ended early."""
    parser = argparse.ArgumentParser(prog="python -m reports.benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, the widest network left out; keeps nothing")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="this part (repeatable); keeps nothing")
    parser.add_argument(
        "--readme", action="store_true", help="put what was kept into the README again, and measure nothing"
    )
    options = parser.parse_args(arguments)
    if options.readme:
        refresh()
        return 0
    keep_freed()
    found = measured(options.only or list(PARTS), quick=options.quick)
    print("", table(found.rows), "", checks_table(found.checks), "", detection_table(found.detections), "", sep="\n")
    print(", ".join(f"{name} {seconds:.0f} s" for name, seconds in found.seconds.items()))
    if not options.quick and not options.only:
        keep(found, __doc__ or "")
        refresh()
    return 1 if found.failed else 0


def without_settings() -> None:
    """Begin anew where something is set that would decide the figures."""
    if any(name in os.environ for name in SET):
        cleared = {name: value for name, value in os.environ.items() if name not in SET}
        os.execve(sys.executable, [sys.executable, "-m", "reports.benchmark", *sys.argv[1:]], cleared)


if __name__ == "__main__":
    without_settings()
    sys.exit(main())
