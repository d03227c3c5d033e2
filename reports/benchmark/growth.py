"""How time and memory grow with width, depth, batch, context and steps: exponents beside those of the plain step.

An exponent is the slope of a line through the logarithms. Time is processor time of a plain step, the three native ones
one after the other, and of a fully checked one, the sizes in turn, round by round. Memory is what a process of its own
had at most during such a step beyond what it had before it and beyond what the smallest network takes, which is the
frameworks' own.

Everything is measured in processes of their own, of one thread: threads that wait for others would be counted as work.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.environment import cores, with_threads
from impls.hand import from_text
from impls.hand.named import named
from reports.benchmark.figure import Figure, figure_of
from reports.benchmark.networks import Case
from reports.growth import of_steps, peak_memory, resident


class Axis(NamedTuple):
    """What grows.

    Attributes:
        sizes: at which time is measured, and memory; one less where there is little time.
        case: the network of a size; of size 0 the smallest there is.
    """

    name: str
    sizes: tuple[int, ...]
    case: Callable[[int], Case]

    def measured(self, *, quick: bool) -> tuple[int, ...]:
        """The sizes that are measured."""
        return self.sizes[:-1] if quick else self.sizes


def _chain(width: int, depth: int, rows: int) -> Case:
    sizes = "-".join([str(width)] * (depth + 1))
    return Case(sizes, from_text(sizes, activation="relu", loss="mean-squared-error"), rows)


def _gpt(context: int) -> Case:
    text = f"gpt:layers=1,heads=2,width=32,context={context},tokens=65"
    return Case(text, named(text), 8)


AXES = (
    Axis("width", (512, 1024, 2048), lambda n: _chain(n or 8, 3, 128)),
    Axis("depth", (8, 16, 32), lambda n: _chain(192 if n else 8, n or 1, 128)),
    Axis("batch", (512, 1024, 2048), lambda n: _chain(256 if n else 8, 3, n or 8)),
    Axis("context", (64, 128, 256), lambda n: _gpt(n or 8)),
)
BY_NAME = {axis.name: axis for axis in AXES}
WHAT = ("plain", "checked")


def growth(*, quick: bool) -> Iterator[Figure]:
    """Exponents of time, then of memory."""
    for axis in AXES:
        sizes = axis.measured(quick=quick)
        of = f"{axis.name} {sizes[0]} to {sizes[-1]}"
        rounds = _apart("times", axis.name, sizes, 1 if quick else 3)
        slopes = {what: [slope(sizes, each[what]) for each in rounds] for what in WHAT}
        last = {what: [float(each[what][-1]) for each in rounds] for what in WHAT}
        detail = f"{1e3 * np.median(last['plain']):.0f} and {1e3 * np.median(last['checked']):.0f} ms at most"
        yield _beside(of, "time", slopes, detail)
    for axis in AXES:
        sizes = axis.measured(quick=quick)
        found = _apart("memories", axis.name, (0, *sizes), 1)
        grown = {what: [max(one - found[what][0], 1e-3) for one in found[what][1:]] for what in WHAT}
        slopes = {what: [slope(sizes, grown[what])] for what in WHAT}
        detail = f"{grown['plain'][-1]:.0f} and {grown['checked'][-1]:.0f} MB at most"
        yield _beside(f"{axis.name} {sizes[0]} to {sizes[-1]}", "memory", slopes, detail)
    yield _of_steps(400 if quick else 2_000)


def _of_steps(steps: int) -> Figure:
    """Of a whole checked run; plain steps take their number of times as long as one."""
    found = of_steps(steps, sizes="2-1")
    exponent = slope([1, 2, 4], found.parts)
    return figure_of(
        [exponent], network=f"steps {steps // 4:,} to {steps:,}", measure="exponent of time, checked run of 2-1",
        target=1.0, unit="", detail=f"plain 1.00: {1e3 * found.seconds:.1f} ms a step",
    )  # fmt: skip


def _beside(of: str, what: str, slopes: Mapping[str, Sequence[float]], detail: str) -> Figure:
    """The exponent of a checked step, whose goal is that of a plain one."""
    plain = float(np.median(slopes["plain"]))
    measure, detail = f"exponent of {what}, checked step beside plain", f"plain {plain:.2f}: {detail}"
    return figure_of(
        list(slopes["checked"]), network=of, measure=measure, target=plain, unit="", detail=detail
    )  # fmt: skip


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent p of values that grow as sizes to the power of p.

    >>> round(slope([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    return float(np.polyfit([math.log(size) for size in sizes], [math.log(value) for value in values], 1)[0])


def _apart(what: str, axis: str, sizes: Sequence[int], rounds: int):  # type: ignore[no-untyped-def]
    code = f"from reports.benchmark import growth; growth.print_{what}({axis!r}, {list(sizes)!r}, {rounds})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=with_threads(1), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{what} of {axis} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def print_times(name: str, sizes: list[int], rounds: int) -> None:
    """Of each round, the seconds of a plain and of a checked step at each size."""
    from harness.memory import keep_freed
    from reports.benchmark import checked
    from reports.benchmark.peers import PEERS
    from reports.benchmark.plain import peers_of

    keep_freed()
    clock = time.process_time
    made = [(peers_of(case, clock), checked.rounds_of(case, clock)) for case in map(BY_NAME[name].case, sizes)]
    found = []
    for _ in range(rounds):
        each = [(next(peers), next(steps).full) for peers, steps in made]
        plain = [sum(times[peer] for peer in PEERS) for times, _ in each]
        found.append({"plain": plain, "checked": [full for _, full in each]})
    print(json.dumps(found))


def print_memories(name: str, sizes: list[int], _: int) -> None:
    """By what a process does, the megabytes that it takes at each size: as many processes at a time as there are cores.

    They are forked from this one, which has loaded everything and run nothing.
    """
    import jax  # noqa: F401
    import torch  # noqa: F401

    import reports.benchmark.checked  # noqa: F401

    tasks = [(what, size) for what in WHAT for size in sizes]
    found: dict[str, list[float]] = {what: [] for what in WHAT}
    for first in range(0, len(tasks), cores()):
        running = [(what, _forked(BY_NAME[name].case, what, size)) for what, size in tasks[first : first + cores()]]
        for what, (process, reader) in running:
            with os.fdopen(reader) as told:
                text = told.read()
            if os.waitpid(process, 0)[1] or not text:
                raise RuntimeError(f"a {what} step of {name} ended its process")
            found[what].append(float(text))
    print(json.dumps(found))


def _forked(case: Callable[[int], Case], what: str, size: int) -> tuple[int, int]:
    import warnings

    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of any fork; nothing of it runs yet
        process = os.fork()
    if process:
        os.close(writer)
        return process, reader
    try:
        os.write(writer, str(memory_of(case(size), what)).encode())
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)


def memory_of(case: Case, what: str) -> float:
    """Megabytes that a step takes at most beyond what this process has now."""
    from harness.lockstep.judging import judged
    from reports.benchmark.checked import session_of
    from reports.benchmark.peers import PEERS

    x, y = case.batch()
    before = resident()
    if what == "plain":
        weights = case.network.init(0, np.float32)
        steps = [make(case.network, weights, x, y) for make in PEERS.values()]
        for step in [*steps, *steps]:
            step()
    else:
        session = session_of(case, x, y)
        for number in (1, 2):
            judged(session.step(number))
    return 1024**3 / 1e6 * peak_memory() - before
