"""How large a page becomes, and how long it takes to make: the figures that the benchmark quotes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import harness
from harness.comparison.judge import Row
from harness.results.record import Head, Step
from harness.results.run import Run
from impls.graph import prefixed
from reports.page.rendering import page


class Size(NamedTuple):
    """Of one page: bytes, the goal, and the seconds that it took to make."""

    of: str
    bytes: int
    goal: int
    seconds: float


def page_sizes() -> Iterator[Size]:
    """The page of the default run, and of 10,000 steps with 40 gradients."""
    for name, run, goal in (
        ("page of the default run", harness.run(), 1_200_000),
        ("page of 10,000 steps x 40 gradients", invented(10_000, 20), 3_000_000),
    ):
        begin = time.perf_counter()
        size = len(page(run).encode())
        yield Size(name, size, goal, time.perf_counter() - begin)


def invented(steps: int, layers: int) -> Run:
    """A run as it could be recorded, with two gradients for each layer of a deep network, without training one."""
    network = f"Network([{', '.join(['Dense(2, 2), Tanh()'] * layers)}], SumSquaredError())"
    weights: dict[str, tuple[int, ...]] = {}
    for layer in range(1, layers + 1):
        weights |= {f"W{layer}": (2, 2), f"b{layer}": (2,)}
    gradients = tuple(prefixed("d", name) for name in weights)
    names = {"hand": "numpy 2", "torch": "torch 2", "jax": "jax 0"}
    when, data, schedule = "2026-01-01T00:00:00+00:00", "invented N=4, raw values", "every entry at every step"
    head = Head(
        1, when, network, "deep tanh", "L = sum", weights, gradients, (), data, "GradientDescent(lr=0.01)", "float32",
        0, steps, 4, schedule, names, {}, [],
    )  # fmt: skip
    return Run(head, [_step(number, gradients, tuple(names), weights) for number in range(1, steps + 1)])


def _step(number: int, gradients: tuple[str, ...], names: tuple[str, ...], weights: dict[str, tuple[int, ...]]) -> Step:
    used = [((number * 31 + place * 17) % 97) / 97 for place in range(len(gradients))]
    rows = [
        Row(check, gradient, name, number, "ok", 1e-9, 1e-8, used[place], 1e-6, 1e-5, (0,), 4)
        for place, gradient in enumerate(gradients)
        for name in names
        for check in ("formula", "rounding")
    ]  # fmt: skip
    kept = {
        name: [((number * 7 + i * 13 + place) % 89) / 44.5 - 1 for i in range(4 if name[0] == "W" else 2)]
        for place, name in enumerate(weights)
    }
    losses: dict[str, float | None] = {name: 10 / number + i * 1e-7 / number for i, name in enumerate(names)}
    return Step(number, f"{number:064x}", "full", losses, rows, [], 0, kept)
