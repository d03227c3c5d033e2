"""Wall time of whole commands, what the catalogue names, sizes of pages, and growth."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from harness.explaining import explain
from harness.faults.catalogue import CAUSES
from impls.hand import from_text
from reports.benchmark.figure import Figure, figure_of
from reports.catalogue import counted, networks
from reports.growth import of_checks, of_layers, of_steps
from reports.page.sizes import page_sizes

DIGITS = "64-128-64-10 --data digits --activation relu --loss cross-entropy --optimizer adam --batch 128"
COMMANDS = {"--help": 0.3, "run --quiet": 15.0, f"run {DIGITS} --quiet": 20.0, "calibrate": 60.0}
"""Commands, and in how many seconds they should be done on two cores; a run has 200 steps."""


def commands(times: int) -> list[Figure]:
    """Of commands that find nothing wrong."""
    return [
        figure_of(_times(words, times), network=f"harness {words}", measure="time", target=target, unit="s")
        for words, target in COMMANDS.items()
    ]


def _times(words: str, times: int, shows: str = "") -> list[float]:
    """Seconds that a command takes; it has to show what is said."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "harness", *words.split()], capture_output=True, text=True)
        taken.append(time.perf_counter() - begin)
        if done.returncode > bool(shows) or shows not in done.stdout:
            raise RuntimeError(f"harness {words} ended with {done.returncode}: {done.stderr[-2000:]}")
    return taken


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
        figure_of(_times(words, times, shows), network=f"harness {words}", measure="time", target=target, unit="s")
        for words, target, shows in found
    ]


def catalogue(quick: bool) -> Iterator[Figure]:
    """How many of all mistakes in the catalogue are found and named."""
    yield figure_of([len(CAUSES)], network="catalogue", measure="causes", target=30, unit="", more=True)
    count = counted(networks()[: 3 if quick else None])
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


def growth(quick: bool) -> Iterator[Figure]:
    """Memory against steps, and time against layers."""
    steps = of_steps(500 if quick else 5000)
    yield figure_of(
        [steps.kilobytes_a_step], network="4-3-2-1 against torch and jax", measure="memory a step", target=5.0,
        unit="KB", detail=f"steps {steps.steps // 10:,} to {steps.steps:,}: {steps.late:.0f} MB",
    )  # fmt: skip
    checks = of_checks(60 if quick else 200)
    yield figure_of(
        [checks.kilobytes_a_check], network="checks of operations", measure="memory a check, the later half",
        target=500.0, unit="KB", detail=f"{checks.held[-1]:.0f} MB in the end",
    )  # fmt: skip
    for layers in (25, 100) if quick else (25, 100, 400):
        found = of_layers(layers)
        yield figure_of(
            [found.planting], network=f"{layers} layers", measure="planting faults", target=1.0, unit="s",
            detail=f"first step {found.first:.2f} s, then {found.second:.2f} s a step, {found.gigabytes:.2f} GB",
        )  # fmt: skip


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
