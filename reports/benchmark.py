"""The figures of the project, each beside its goal: ``python -m reports.benchmark``.

Steps are measured in one process, the peers in turn, round by round, so that a shared machine's drift
meets all of them: quoted is the median over rounds of the ratio within a round. No figure is enforced.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from harness.arithmetic import profile_of
from harness.evaluation.centre import alone, end_to_end
from harness.evaluation.point import Point
from harness.evaluation.truth import true_tensors
from harness.explaining import explain
from harness.faults.catalogue import CAUSES
from harness.inputs.datasets import load_data
from impls.graph import TARGET, Graph
from impls.hand import from_text
from reports.catalogue import counted, networks
from reports.growth import of_checks, of_layers, of_steps, peak_memory
from reports.page.sizes import page_sizes
from reports.peers import PEERS, Step

Line = tuple[str, str, str, str]


def line(figure: str, value: str, goal: str, reached: bool) -> Line:
    """One figure beside its goal."""
    return figure, value, goal, "reached" if reached else "short"


def _batch(network: Graph, rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=network.tensors[network.sources[0].name].sized(rows)).astype(np.float32)
    return x, rng.integers(0, network.outputs, rows)


def _seconds(step: Step, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - begin) / calls


def hand_steps(rounds: int) -> list[Line]:
    """A hand step against torch eager and jitted JAX, as ratios."""
    small = from_text("4-3-2-1")
    iris = load_data("iris")
    cases = [("4-3-2-1 sigmoid, 150 rows", small, iris.x.astype("f4"), iris.targets(small).astype("f4"), 200)]
    for activation in ("relu", "tanh"):
        wide = from_text("784-512-256-10", activation=activation, loss="cross-entropy")
        cases.append((f"784-512-256-10 {activation}, 128 rows", wide, *_batch(wide, 128), 5))
    lines = []
    for name, network, x, y, calls in cases:
        weights = network.init(0, np.float32)
        steps = {peer: make(network, weights, x, y) for peer, make in PEERS.items()}
        for step in steps.values():
            _seconds(step, calls)
        times: dict[str, list[float]] = {peer: [] for peer in steps}
        for _ in range(rounds):
            for peer, step in steps.items():
                times[peer].append(_seconds(step, calls))
        microseconds = ", ".join(f"{peer} {1e6 * statistics.median(t):.0f}" for peer, t in times.items())
        for peer in ("torch eager", "jax jit"):
            ratio = statistics.median(t / h for t, h in zip(times[peer], times["hand"], strict=True))
            goal = 3.0 if peer == "torch eager" and network is small else 1.0
            if peer == "torch eager" or network is small:
                value = f"{ratio:.2f} x as fast as {peer}"
                lines.append(line(f"hand step, {name} ({microseconds} us)", value, f">= {goal:g} x", ratio >= goal))
    return lines


def sees(rows: int) -> list[Line]:
    """What the checks see on 784-512-256-10: medians over all entries of the weight gradients."""
    lines = []
    for activation in ("relu", "tanh"):
        network = from_text("784-512-256-10", activation=activation, loss="cross-entropy")
        weights, (x, y) = network.init(0, np.float32), _batch(network, rows)
        centre = end_to_end(network, weights, x, y, profile_of("float64")).tensors
        activations = network.forward(weights, x)
        given = Point(network, weights, x, y, 1).named
        tensors = {**given, **activations, **network.backward(weights, x, y, activations)}
        rounding = [alone(network.link[name], tensors, profile_of("float32")) for name in network.gradients]
        for check, goal, bounded in (
            ("formula", 1e-6, [centre[name] for name in network.gradients]),
            ("rounding", 1e-4, rounding),
        ):
            caught = np.concatenate([(2 * t.bound[t.value != 0] / np.abs(t.value[t.value != 0])) for t in bounded])
            median = float(np.median(caught))
            name = f"median sees, {check}, 784-512-256-10 {activation}, {rows} rows"
            lines.append(line(name, f"{median:.1e}", f"< {goal:g}", median < goal))
    return lines


def certificates(times: int) -> list[Line]:
    """What the certified gradient costs: every tensor true, far below its bound; each in a process of its own."""
    cases = [("4-3-2-1", "sigmoid", "sum-squared-error", 150, 1.0)]
    cases += [("784-512-256-10", activation, "cross-entropy", 64, 3.0) for activation in ("relu", "tanh")]
    lines = []
    for model, activation, loss, rows, goal in cases:
        code = f"from reports.benchmark import certify; certify({model!r}, {activation!r}, {loss!r}, {rows})"
        done = [
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
            for _ in range(times)
        ]
        seconds = statistics.median(float(taken) for taken, _ in done)
        largest = max(float(peak) for _, peak in done)
        name = f"certified gradient, {model} {activation}, {rows} rows"
        lines.append(line(name, f"{seconds:.2f} s", f"<= {goal:g} s", seconds <= goal))
        lines.append(line(f"{name}, memory", f"{largest:.2f} GB", "<= 1 GB", largest <= 1))
    return lines


def certify(model: str, activation: str, loss: str, rows: int) -> None:
    """Print the seconds that a certificate takes, and the most memory this process had, in GB."""
    network = from_text(model, activation=activation, loss=loss)
    weights = network.init(0)
    iris = load_data("iris")
    x, y = _batch(network, rows) if network.tensors[TARGET].whole else (iris.x[:rows], iris.targets(network)[:rows])
    centre = end_to_end(network, weights, x, y, profile_of("float64")).tensors
    begin = time.perf_counter()
    truth = true_tensors(network, weights, x, y, below={name: tensor.bound for name, tensor in centre.items()})
    for name in network.gradients:
        assert np.all(truth.tensors[name].distance(centre[name].value) <= centre[name].bound)
    taken = time.perf_counter() - begin
    print(taken, peak_memory())


DIGITS = "64-128-64-10 --data digits --activation relu --loss cross-entropy --optimizer adam --batch 128"
COMMANDS = {"--help": 0.3, "run --quiet": 15.0, f"run {DIGITS} --quiet": 20.0, "calibrate": 60.0}
"""Commands, and in how many seconds they should be done on two cores; a run has 200 steps."""


def commands(times: int) -> list[Line]:
    """Wall time of whole commands."""
    lines = []
    for words, goal in COMMANDS.items():
        taken = []
        for _ in range(times):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-m", "harness", *words.split()], check=True, capture_output=True)
            taken.append(time.perf_counter() - begin)
        median = statistics.median(taken)
        lines.append(line(f"harness {words}", f"{median:.2f} s", f"< {goal:g} s", median < goal))
    return lines


WRONG = {
    "check docs/examples/my_nn.py": 3.0,
    "check docs/examples/any_depth.py:after_the_update --model 784-512-256-10 --batch 64": 10.0,
}
"""Checks of wrong backward passes, with their diagnosis, and in how many seconds they should be done."""
CHAINS = {f"check docs/examples/character_model{framework}.py --chain --quiet": 5.0 for framework in ("", "_jax")}
"""Checks of 26 gradients by hand, in torch and in JAX."""


def checks(times: int, quick: bool) -> list[Line]:
    """Wall time of checks, and how many of all mistakes in the catalogue are found and named."""
    lines = []
    for words, goal in (WRONG | CHAINS).items():
        taken = []
        for _ in range(times):
            begin = time.perf_counter()
            done = subprocess.run([sys.executable, "-m", "harness", *words.split()], capture_output=True, text=True)
            taken.append(time.perf_counter() - begin)
            assert ("what you computed" if words in WRONG else "PASS  26 gradients") in done.stdout, done.stderr
        median = statistics.median(taken)
        lines.append(line(f"harness {words}", f"{median:.2f} s", f"< {goal:g} s", median < goal))
    count = counted(networks()[: 3 if quick else None])
    planted = count.planted - count.same
    name = f"{planted} planted faults that change something"
    share = f"{100 * count.named / planted:.1f} %"
    return [
        *lines,
        line("causes in the catalogue", str(len(CAUSES)), ">= 30", len(CAUSES) >= 30),
        line(f"{name}: located", str(count.located), "all", count.located == planted),
        line(f"{name}: named", share, ">= 95 %", count.named >= 0.95 * planted),
    ]


def pages() -> list[Line]:
    """Sizes of pages, and the time it takes to make them."""
    return [
        line(
            size.of,
            f"{size.bytes / 1e6:.2f} MB, {size.seconds:.1f} s",
            f"<= {size.goal / 1e6:.1f} MB",
            size.bytes <= size.goal,
        )
        for size in page_sizes()
    ]


def growth(quick: bool) -> list[Line]:
    """Memory against steps, and time against layers."""
    steps = of_steps(500 if quick else 5000)
    name = f"memory, 4-3-2-1 against torch and jax, steps {steps.steps // 10:,} to {steps.steps:,}"
    kilobytes = steps.kilobytes_a_step
    lines = [line(name, f"{kilobytes:.1f} KB a step, {steps.late:.0f} MB", "<= 5 KB a step", kilobytes <= 5)]
    checks = of_checks(60 if quick else 200)
    value = f"{checks.kilobytes_a_check:.0f} KB a check, {checks.held[-1]:.0f} MB"
    lines.append(line("memory, checks of operations, the later half", value, "<= 500 KB a check",
                      checks.kilobytes_a_check <= 500))  # fmt: skip
    for layers in (25, 100) if quick else (25, 100, 400):
        found = of_layers(layers)
        took = f"{found.planting:.2f} of {found.first:.2f} s of the first step"
        value = f"{took}, then {found.second:.2f} s a step, {found.gigabytes:.2f} GB"
        lines.append(line(f"planting faults, {layers} layers", value, "<= 1 s", found.planting <= 1))
    return lines


def explanations(times: int) -> list[Line]:
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
        line(f"{name}: {what}", f"{(median := statistics.median(taken)):.2f} s", "< 2 s", median < 2)
        for what, taken in (("paths on screen", shown), ("explained in every way, frameworks loaded", all_ways))
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(prog="python -m reports.benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args(arguments).quick
    times = 2 if quick else 5
    lines = [*hand_steps(5 if quick else 31), *sees(64), *sees(128), *certificates(times)]
    lines += [*commands(times), *explanations(times), *checks(times, quick), *pages(), *growth(quick)]
    headers = ("figure", "measured", "goal", "")
    print(tabulate(lines, headers, disable_numparse=True, colalign=("left", "right", "right", "left")))


if __name__ == "__main__":
    main()
