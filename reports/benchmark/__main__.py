"""The figures of the project, each beside its goal: ``python -m reports.benchmark``.

No figure is enforced. All of them are printed, and kept beside this folder in ``benchmark.md`` and ``benchmark.json``.
Libraries are left to choose their own kernels: settings that choose others for NumPy's BLAS are cleared first.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from threadpoolctl import threadpool_info

from harness.environment import environment
from harness.memory import keep_freed
from impls import registry
from impls.hand import from_text
from reports.benchmark import commands, sees
from reports.benchmark.figure import Figure, as_json, page, table
from reports.benchmark.networks import cases
from reports.benchmark.steps import figures_of

KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
KEPT = Path(__file__).parents[1]


def _steps(quick: bool) -> Iterable[Figure]:
    for case in cases(quick=quick):
        yield from figures_of(case, 5 if quick or case.name.startswith("E") else 15)


GROUPS: dict[str, Callable[[bool], Iterable[Figure]]] = {
    "steps": _steps,
    "sees": lambda quick: [*sees.sees(64), *sees.sees(128), *sees.certificates(_times(quick))],
    "commands": lambda quick: [*commands.commands(_times(quick)), *commands.explanations(_times(quick))],
    "checks": lambda quick: [*commands.checks(_times(quick)), *commands.catalogue(quick)],
    "pages": lambda _: commands.pages(),
    "growth": commands.growth,
}


def _times(quick: bool) -> int:
    return 2 if quick else 5


def _machine() -> dict[str, str]:
    built = [registry.load(name)(from_text("1-1"), "float32") for name in ("torch", "jax")]
    kernels = {pool["filepath"].rpartition("/")[2]: pool.get("architecture", "") for pool in threadpool_info()}
    versions = {made.version.partition(" ")[0]: made.version for made in built}
    return environment() | versions | {f"kernels of {library}": name for library, name in kernels.items() if name}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every figure, or those of some groups, and keep all of them where all were measured."""
    parser = argparse.ArgumentParser(prog="python -m reports.benchmark", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, the widest network left out; nothing is kept"
    )
    parser.add_argument(
        "--only", choices=list(GROUPS), action="append", help="this group (repeatable); nothing is kept"
    )
    options = parser.parse_args(arguments)
    if any(name in os.environ for name in KERNELS):
        cleared = {name: value for name, value in os.environ.items() if name not in KERNELS}
        words = sys.argv[1:] if arguments is None else arguments
        os.execve(sys.executable, [sys.executable, "-m", "reports.benchmark", *words], cleared)
    keep_freed()
    figures = []
    for group in options.only or GROUPS:
        figures += list(GROUPS[group](options.quick))
    print(table(figures))
    if not options.quick and not options.only:
        (KEPT / "benchmark.md").write_text(page(figures, machine := _machine(), __doc__ or ""))
        (KEPT / "benchmark.json").write_text(as_json(figures, machine))


if __name__ == "__main__":
    main()
