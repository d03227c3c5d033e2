"""What a run costs as it grows: memory against steps and against checks of operations, time and memory against layers.

Each figure is measured in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from impls.graph import Graph
from impls.hand import from_text

EVERYBODY = ("hand", "torch", "jax")
WIDTH, EVERY = 6, 20


class OfSteps(NamedTuple):
    """Megabytes that the process held after the first half of the steps and after all, and the seconds a step takes.

    Seconds are of processor time and begin at the end of the first step, when the frameworks are imported and have
    compiled: `parts` those to a quarter, to half and to all of the steps.
    """

    steps: int
    early: float
    late: float
    seconds: float
    parts: tuple[float, float, float]

    @property
    def kilobytes_a_step(self) -> float:
        """By how much memory grew in the later half: steps are held up to so many bytes, and then put away."""
        return 1000 * (self.late - self.early) / (self.steps - self.steps // 2)


class OfChecks(NamedTuple):
    """Megabytes that the process held after every 20 checks of operations, and the seconds a check took."""

    held: tuple[float, ...]
    seconds: float

    @property
    def kilobytes_a_check(self) -> float:
        """By how much memory grew in the later half: what is kept is kept up to some number."""
        half = len(self.held) // 2
        return 1000 * (self.held[-1] - self.held[half - 1]) / (EVERY * (len(self.held) - half))


class OfLayers(NamedTuple):
    """Seconds of the first step, of planting faults in it, and of the second; the most memory there was, in GB."""

    layers: int
    first: float
    planting: float
    second: float
    gigabytes: float


def of_steps(steps: int, against: Sequence[str] = EVERYBODY, sizes: str = "4-3-2-1") -> OfSteps:
    """Of a run on random rows, every step fully checked."""
    early, late, seconds, *parts = _apart(f"measure_steps({steps}, {list(against)!r}, {sizes!r})")
    return OfSteps(steps, early, late, seconds, (parts[0], parts[1], parts[2]))


def of_layers(layers: int, against: Sequence[str] = EVERYBODY) -> OfLayers:
    """Of two steps of so many layers of six sigmoids on iris."""
    return OfLayers(layers, *_apart(f"measure_layers({layers}, {list(against)!r})"))


def of_checks(checks: int) -> OfChecks:
    """Of checks of an operation in one process: against hand layers, torch and JAX functions, each of other shapes."""
    *held, seconds = _apart(f"measure_checks({checks})")
    return OfChecks(tuple(held), seconds)


def _apart(call: str) -> list[float]:
    code = f"from reports.growth import measure_checks, measure_layers, measure_steps; print(*{call})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return list(map(float, done.stdout.split()))


def measure_steps(steps: int, against: list[str], sizes: str) -> tuple[float, ...]:
    """Megabytes after half of the steps and after all, seconds a step, and of parts of it, of this process."""
    from harness.lockstep.training import run

    held: dict[int, float] = {}
    ends: dict[int, float] = {}

    def at(step: int, _: int) -> None:
        if step in (steps // 2, steps):
            held[step] = resident()
        if step in (1, *_parts(steps)):
            ends[step] = time.process_time()

    run(sizes, "random", against, steps=steps, dtype="float64", progress=at)
    parts = tuple(ends[part] - ends[1] for part in _parts(steps))
    return held[steps // 2], held[steps], parts[-1] / (steps - 1), *parts


def _parts(steps: int) -> tuple[int, int, int]:
    return steps // 4, steps // 2, steps


def measure_checks(checks: int) -> list[float]:
    """Megabytes after every 20 checks, and seconds a check, of this process."""
    import numpy as np

    from harness import check_vjp
    from impls.hand import Tanh
    from impls.jax_grad.operations import operation_of as of_jax
    from impls.torch_autograd.operations import operation_of as of_torch

    held, begin = list[float](), time.process_time()
    for number in range(checks):
        c, sizes = 1 + number / checks, (3 + number % 5, 4 + number % 3)
        tanh = (None, *(of(Tanh(), "a") for of in (of_torch, of_jax)))[number % 3]
        reference = (lambda z, c=c, tanh=tanh: tanh(c * z)) if tanh else Tanh()
        c = c if tanh else 1.0
        found = check_vjp(
            lambda z, c=c: np.tanh(c * z), lambda u, z, c=c: u * c * (1 - np.tanh(c * z) ** 2),
            reference=reference, inputs={"z": ("N", *sizes) if tanh else ("N", sizes[0])},
        )  # fmt: skip
        assert found.verdict == "PASS"
        if number % EVERY == EVERY - 1:
            held.append(resident())
    return [*held, (time.process_time() - begin) / checks]


def measure_layers(layers: int, against: list[str]) -> tuple[float, float, float, float]:
    """Seconds of the first step, of planting faults in it, of the second, and the most gigabytes, of this process."""
    from harness.fault_injection import misses
    from harness.lockstep import judging, session, training

    marks, planting, make, plant = list[float](), list[float](), session.Session, misses.count_misses

    def made(*given: Any) -> Any:
        marks.append(time.process_time())  # frameworks are there, and nothing is done yet
        return make(*given)

    def planted(*given: Any) -> Any:
        begin = time.process_time()
        counted = plant(*given)
        planting.append(time.process_time() - begin)
        return counted

    with patch.object(training, "Session", made), patch.object(judging, "count_misses", planted):
        training.run(
            deep(layers), "iris", against, steps=2, dtype="float64",
            progress=lambda *_: marks.append(time.process_time()),
        )  # fmt: skip
    begin, first, second = marks
    return first - begin, planting[0], second - first, peak_memory()


def deep(layers: int) -> Graph:
    """4-6-6-...-1, as many layers of weights."""
    return from_text("-".join(["4", *[str(WIDTH)] * (layers - 1), "1"]))


def resident() -> float:
    """Megabytes that this process holds now; source: proc_pid_statm(5)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_memory() -> float:
    """The most memory that this process had so far, in GB; source: proc_pid_status(5), getrusage(2)."""
    import resource

    if (status := Path("/proc/self/status")).exists():
        # Linux counts the peak of getrusage on across fork and exec: it would be that of the parent, which holds
        # the frameworks. VmHWM, in kilobytes, belongs to the address space, which is new after exec.
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 2**20
    unit = 2**30 if sys.platform == "darwin" else 2**20  # macOS counts bytes, the others kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
