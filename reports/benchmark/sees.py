"""What the checks see on a wide network, and what a certified gradient costs."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from harness.arithmetic import profile_of
from harness.evaluation.centre import alone, end_to_end
from harness.evaluation.point import Point
from harness.evaluation.truth import true_tensors
from harness.inputs.datasets import load_data
from impls.graph import TARGET
from impls.hand import from_text
from reports.benchmark.figure import Figure, figure_of
from reports.benchmark.networks import Case
from reports.growth import peak_memory

WIDE = "784-512-256-10"


def sees(rows: int) -> list[Figure]:
    """What the checks see: medians over all entries of the weight gradients."""
    figures = []
    for activation in ("relu", "tanh"):
        case = Case(f"{WIDE} {activation}", from_text(WIDE, activation=activation, loss="cross-entropy"), rows)
        network, (x, y) = case.network, case.batch()
        weights = network.init(0, np.float32)
        centre = end_to_end(network, weights, x, y, profile_of("float64")).tensors
        activations = network.forward(weights, x)
        given = Point(network, weights, x, y, 1).named
        tensors = {**given, **activations, **network.backward(weights, x, y, activations)}
        rounding = [alone(network.link[name], tensors, profile_of("float32")) for name in network.gradients]
        for check, target, bounded in (
            ("formula", 1e-6, [centre[name] for name in network.gradients]),
            ("rounding", 1e-4, rounding),
        ):
            caught = np.concatenate([(2 * t.bound[t.value != 0] / np.abs(t.value[t.value != 0])) for t in bounded])
            name = f"{case.name}, {rows} rows"
            found = figure_of(
                [float(np.median(caught))], network=name, measure=f"sees, {check}", target=target, unit=""
            )
            figures.append(found)
    return figures


def certificates(times: int) -> list[Figure]:
    """What the certified gradient costs: every tensor true, far below its bound; each in a process of its own."""
    cases = [("4-3-2-1", "sigmoid", "sum-squared-error", 150, 1.0)]
    cases += [(WIDE, activation, "cross-entropy", 64, 3.0) for activation in ("relu", "tanh")]
    figures = []
    for model, activation, loss, rows, target in cases:
        code = f"from reports.benchmark.sees import certify; certify({model!r}, {activation!r}, {loss!r}, {rows})"
        done = [
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
            for _ in range(times)
        ]
        seconds, gigabytes = ([float(numbers[which]) for numbers in done] for which in range(2))
        name = f"{model} {activation}, {rows} rows"
        figures += [
            figure_of(seconds, network=name, measure="certified gradient", target=target, unit="s"),
            figure_of(gigabytes, network=name, measure="certified gradient, memory", target=1.0, unit="GB"),
        ]
    return figures


def certify(model: str, activation: str, loss: str, rows: int) -> None:
    """Print the seconds that a certificate takes, and the most memory this process had, in GB."""
    network = from_text(model, activation=activation, loss=loss)
    weights = network.init(0)
    iris = load_data("iris")
    case = Case(model, network, rows)
    x, y = case.batch() if network.tensors[TARGET].whole else (iris.x[:rows], iris.targets(network)[:rows])
    centre = end_to_end(network, weights, x, y, profile_of("float64")).tensors
    begin = time.perf_counter()
    truth = true_tensors(network, weights, x, y, below={name: tensor.bound for name, tensor in centre.items()})
    for name in network.gradients:
        assert np.all(truth.tensors[name].distance(centre[name].value) <= centre[name].bound)
    taken = time.perf_counter() - begin
    print(taken, peak_memory())
