"""The most memory that whole commands have, and whether a long run keeps what it has; each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from reports.benchmark.figure import Figure, figure_of
from reports.benchmark.networks import chain, gpt
from reports.growth import of_checks, of_layers, of_steps, peak_memory


def peaks(*, quick: bool) -> Iterator[Figure]:
    """The most memory of whole commands."""
    asked = {"check of a GPT": ("print_peak_of_check", 2.0)}
    if not quick:
        asked["checked run of E"] = ("print_peak_of_run", 6.0)
    for name, (function, target) in asked.items():
        code = f"from reports.benchmark import memory; memory.{function}()"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        yield figure_of([float(done.stdout)], network=name, measure="memory at most", target=target, unit="GB")


def kept(*, quick: bool) -> Iterator[Figure]:
    """What is kept of steps, of checks, of layers: growth with their number."""
    steps = of_steps(1_000 if quick else 10_000, sizes="2-1")
    yield figure_of(
        [steps.kilobytes_a_step], network="checked run of 2-1 against torch and jax",
        measure="memory a step, the later half", target=0.5, unit="KB",
        detail=f"{steps.early:.0f} MB after {steps.steps // 2:,} steps, {steps.late:.0f} after {steps.steps:,}",
    )  # fmt: skip
    checks = of_checks(60 if quick else 200)
    yield figure_of(
        [checks.kilobytes_a_check], network="checks of operations", measure="memory a check, the later half",
        target=500.0, unit="KB", detail=f"{checks.held[-1]:.0f} MB in the end",
    )  # fmt: skip
    for layers in (25,) if quick else (25, 100, 400):
        found = of_layers(layers)
        yield figure_of(
            [found.planting], network=f"{layers} layers", measure="planting faults", target=1.0, unit="s",
            detail=f"first step {found.first:.2f} s, then {found.second:.2f} s a step, {found.gigabytes:.2f} GB",
        )  # fmt: skip


def print_peak_of_run() -> None:
    """Gigabytes of two fully checked steps of E against torch and JAX."""
    from harness.lockstep.training import run
    from harness.memory import keep_freed

    keep_freed()
    case = chain("E")
    found = run(case.network, "random", batch=case.rows, steps=2)
    assert found.verdict == "PASS", found
    print(peak_memory())


def print_peak_of_check() -> None:
    """Gigabytes of a check of the hand code's own backward pass of a GPT."""
    from harness.checking.backward_pass import check
    from harness.memory import keep_freed

    keep_freed()
    case = gpt()
    network = case.network

    def backward(weights: Any, x: Any, y: Any) -> dict[str, Any]:
        activations = network.forward(weights, x)
        return {**network.backward(weights, x, y, activations), **activations}

    found = check(backward, network, "random", batch=case.rows)
    assert found.verdict == "PASS", found
    print(peak_memory())
