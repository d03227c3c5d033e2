"""Wall time of whole commands, what the catalogue names, and sizes of pages."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory

from harness.explaining import explain
from harness.faults.catalogue import CAUSES
from impls.hand import from_text
from reports.benchmark.figure import Figure, figure_of
from reports.catalogue import counted, networks
from reports.page.sizes import page_sizes

DIGITS = "64-128-64-10 --data digits --activation relu --loss cross-entropy --optimizer adam --batch 128"
HARNESS = [sys.executable, "-m", "harness"]
STARTS: dict[str, tuple[list[str], float]] = {
    "harness --help": ([*HARNESS, "--help"], 0.15),
    "import impls.hand": ([sys.executable, "-c", "import impls.hand"], 0.15),
    "harness run --steps 1": ([*HARNESS, "run", "--steps", "1", "--quiet"], 4.0),
    "harness run": ([*HARNESS, "run", "--quiet"], 5.0),
    "harness run, digits": ([*HARNESS, "run", *DIGITS.split(), "--quiet"], 8.0),
}
"""What is started from a shell, and in how many seconds it should be done on two cores; a run has 200 steps."""


def starts(times: int) -> Iterator[Figure]:
    """Of what somebody waits for, after one start of each to warm up: in turn, round by round; and of the page."""
    for words, _ in STARTS.values():
        _wall(words)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in STARTS}
    for _ in range(times):
        for name, (words, _) in STARTS.items():
            begin = _processor()
            found[name].append((_wall(words), _processor() - begin))
    for name, each in found.items():
        detail = f"{statistics.median(processor for _, processor in each):.2f} s of processor time"
        wall = [seconds for seconds, _ in each]
        yield figure_of(wall, network=name, measure="time", target=STARTS[name][1], unit="s", detail=detail)
    yield _page(times)


def _page(times: int) -> Figure:
    """Of the default run's record into a page."""
    with TemporaryDirectory() as folder:
        record, page = f"{folder}/run.jsonl", f"{folder}/page.html"
        _wall([*HARNESS, "run", "--quiet", "--output", record])
        taken = [_wall([*HARNESS, "report", record, "-o", page]) for _ in range(times)]
    return figure_of(taken, network="harness report, the default run", measure="time", target=2.0, unit="s")


def _processor() -> float:
    """Seconds that the processes which this one has started, and which have ended, have had."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wall(words: Sequence[str], shows: str = "") -> float:
    """Seconds that a command takes; it has to show what is said."""
    begin = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begin
    if done.returncode > bool(shows) or shows not in done.stdout:
        raise RuntimeError(f"{' '.join(words[1:])} ended with {done.returncode}: {done.stderr[-2000:]}")
    return taken


def calibrate() -> Figure:
    """Of the elementary functions, measured."""
    taken = _wall([*HARNESS, "calibrate"])
    return figure_of([taken], network="harness calibrate", measure="time", target=60.0, unit="s")


WRONG = {
    "check docs/examples/my_nn.py": 3.0,
    "check docs/examples/any_depth.py:after_the_update --model 784-512-256-10 --batch 64": 10.0,
}
"""Checks of wrong backward passes, with their diagnosis, and in how many seconds they should be done."""
CHAINS = {f"check docs/examples/character_model{framework}.py --chain --quiet": 5.0 for framework in ("", "_jax")}
"""Checks of 26 gradients by hand, in torch and in JAX."""


def checks(times: int) -> list[Figure]:
    """Of checks."""
    found = [(words, target, "what you computed") for words, target in WRONG.items()]
    found += [(words, target, "PASS  26 gradients") for words, target in CHAINS.items()]
    return [
        figure_of(
            [_wall([*HARNESS, *words.split()], shows) for _ in range(times)], network=f"harness {words}",
            measure="time", target=target, unit="s",
        )
        for words, target, shows in found
    ]  # fmt: skip


def catalogue(quick: bool) -> Iterator[Figure]:
    """How many of all mistakes in the catalogue are found and named."""
    yield figure_of([len(CAUSES)], network="catalogue", measure="causes", target=30, unit="", more=True)
    count = counted(networks()[:2] if quick else networks()[::2])
    planted = count.planted - count.same
    for measure, share, target in (
        ("located", count.located / planted, 1.0), ("named", count.named / planted, 0.95),
    ):  # fmt: skip
        detail = f"of {planted:,} planted faults that change something"
        said = {"network": "catalogue", "measure": measure, "target": 100 * target, "unit": "%", "detail": detail}
        yield figure_of([100 * share], more=True, **said)


def pages() -> list[Figure]:
    """Sizes of pages."""
    return [
        figure_of(
            [size.bytes / 1e6], network=size.of, measure="size", target=size.goal / 1e6, unit="MB",
            detail=f"made in {size.seconds:.1f} s",
        )
        for size in page_sizes()
    ]  # fmt: skip


def explanations(times: int) -> list[Figure]:
    """One derivative of a wide network: until its paths are on screen, and with every other way, frameworks loaded."""
    words = ["explain", "w_27^(1)", "784-512-256-10", "--data", "random", "--activation", "relu"]
    words += ["--loss", "cross-entropy"]
    network = from_text("784-512-256-10", activation="relu", loss="cross-entropy")
    shown, all_ways = [], []
    for _ in range(times):
        begin = time.perf_counter()
        with subprocess.Popen([sys.executable, "-m", "harness", *words], stdout=subprocess.PIPE, text=True) as command:
            assert command.stdout is not None
            for printed in command.stdout:
                if printed.startswith("where each factor comes from"):
                    shown.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        _ = explain("w_27^(1)", network, "random").ways
        all_ways.append(time.perf_counter() - begin)
    name = f"harness {' '.join(words[:3])}, 128 rows"
    return [
        figure_of(taken, network=name, measure=measure, target=2.0, unit="s")
        for measure, taken in (("paths on screen", shown), ("every way, frameworks loaded", all_ways))
    ]
