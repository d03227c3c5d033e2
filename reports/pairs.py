"""Whether commands became slower: ``python -m reports.pairs OLD_CHECKOUT``.

A command of an older checkout and the same one here are run in turn, each in a process of its own, and a ratio is taken
within each pair, so that what a shared machine does meanwhile meets both. Which of the two is first changes from pair
to pair. Quoted is the median of the ratios, by processor time, own and of children, and by wall time, with the smallest
and the largest; above 1 means slower here. Processor time is the steadier of the two: it does not count waiting.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tabulate import tabulate

HERE = Path(__file__).parents[1]
COMMANDS = {
    "run --steps 60 --quiet --output {fresh}": 0,
    "check docs/examples/my_nn.py": 1,
    "report {record} --output {page}": 0,
}
"""Words after ``harness``, and the exit status: the example is wrong, and its mistake is located."""


class Taken(NamedTuple):
    """What one command took, in seconds."""

    processor: float
    wall: float


class Checkout:
    """A checkout whose commands are run, by its own virtual environment where it has one."""

    def __init__(self, root: Path, folder: Path) -> None:
        own = root / ".venv" / "bin" / "python"
        self.root, self.folder, self.python = root, folder, own if own.exists() else Path(sys.executable)
        folder.mkdir()
        # Compiled modules are kept, as they are where the project is used, in a folder of this measurement.
        self.environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def take(self, words: str, status: int, number: int) -> Taken:
        """Run a command for the so many-th time: a ``{fresh}`` record is this one's, ``{record}`` the first one's.

        Raises:
            RuntimeError: it ended with another exit status.
        """
        import resource

        names = {"fresh": f"{number}.jsonl", "record": "0.jsonl", "page": "page.html"}
        files = {what: self.folder / name for what, name in names.items()}
        typed = [str(self.python), "-m", "harness", *[word.format(**files) for word in words.split()]]
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(typed, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != status:
            raise RuntimeError(f"{' '.join(typed)} ended with {done.returncode} in {self.root}: {done.stderr[-2000:]}")
        return Taken(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall)


def pairs(old: Checkout, new: Checkout, words: str, status: int, times: int) -> list[tuple[Taken, Taken]]:
    """What a command took in each pair, the old checkout's first; the first pair only warms caches and is left out."""
    found = []
    for number in range(times + 1):
        order = [old, new] if number % 2 else [new, old]
        taken = {checkout.root: checkout.take(words, status, number) for checkout in order}
        found.append((taken[old.root], taken[new.root]))
    return found[1:]


def row(words: str, found: Sequence[tuple[Taken, Taken]]) -> list[str]:
    """A line of the table: medians of both in seconds, and the ratios of new to old."""
    cells = [f"harness {words.split(' {')[0].removesuffix(' --output')}"]
    for measure in range(2):
        old, new = ([pair[which][measure] for pair in found] for which in range(2))
        ratios = [after / before for before, after in zip(old, new, strict=True)]
        cells.append(f"{statistics.median(old):.2f} → {statistics.median(new):.2f} s")
        cells.append(f"{statistics.median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return cells


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the ratios of every command."""
    parser = argparse.ArgumentParser(prog="python -m reports.pairs", description=__doc__)
    parser.add_argument("old", type=Path, metavar="OLD_CHECKOUT", help="a folder, such as `git worktree add` makes")
    parser.add_argument("--pairs", type=int, default=7, help="of each command [7]")
    options = parser.parse_args(arguments)
    if not (options.old / "harness" / "__main__.py").exists():
        parser.error(f"Cannot compare with {options.old}, because it holds no harness; give a checkout of it.")
    if options.pairs < 1:
        parser.error(f"Cannot take --pairs {options.pairs}, because a median needs one; give a number from 1 on.")
    with TemporaryDirectory() as folder:
        old, new = Checkout(options.old.resolve(), Path(folder, "old")), Checkout(HERE, Path(folder, "new"))
        rows = [row(words, pairs(old, new, words, status, options.pairs)) for words, status in COMMANDS.items()]
    headers = ("command", "processor time", "new / old", "wall time", "new / old")
    print(tabulate(rows, headers, disable_numparse=True))


if __name__ == "__main__":
    main()
