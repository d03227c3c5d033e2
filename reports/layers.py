"""A page for each file of hand-written layers, made from its docstrings and its code: ``python -m reports.layers``.

A page holds the formulas, what a file or the command line calls its layers, the rules as they run, and one step in
float32 in which the hand code, torch and JAX are judged on each of them. The pages lie in docs/layers/.
"""

from __future__ import annotations

import argparse
import ast
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

from tabulate import tabulate

from harness.arithmetic import profile_of
from harness.comparison.checks import rounding
from harness.comparison.judge import Row
from harness.evaluation.given import with_buffers
from harness.evaluation.point import Point
from harness.inputs.batches import batches_of
from harness.inputs.datasets import load_data
from impls import registry
from impls.contract import CannotCompareError
from impls.graph import LOSS, Graph, prefixed
from impls.graph.node import as_names
from impls.graph.tensor import ROWS, Shape
from impls.hand import GraphBuilder, layers
from impls.hand.losses import MeanSquaredError
from impls.hand.notation import ACTIVATIONS, LAYERS, LOSSES, from_text

ROWS_CHECKED, DTYPE = 7, "float32"
FOLDER = Path("docs/layers")

EXAMPLES: Mapping[str, tuple[Any, Mapping[str, tuple[int, ...]]]] = {
    "dense": (layers.Dense(4, 3), {"x": (4,)}),
    "embedding": (layers.Embedding(5, 3), {"i": (6,)}),
    "add": (layers.Add(), {"p": (3,), "q": (3,)}),
    "multiply": (layers.Multiply(), {"p": (3,), "q": (3,)}),
    "concatenate": (layers.Concatenate(), {"p": (3,), "q": (2,)}),
    "split": (layers.Split(2), {"x": (5,)}),
    "layer-norm": (layers.LayerNorm(6), {"x": (3, 6)}),
    "positions": (layers.Positions(4, 3), {"x": (4, 3)}),
    "unembedding": (layers.Unembedding(5, 3), {"x": (4, 3)}),
    "split-heads": (layers.SplitHeads(2), {"x": (4, 12)}),
    "attention-scores": (layers.AttentionScores(), {"q": (2, 4, 3), "k": (2, 4, 3)}),
    "causal-softmax": (layers.CausalSoftmax(), {"z": (2, 4, 4)}),
    "matrix-product": (layers.MatrixProduct(), {"p": (2, 4, 4), "q": (2, 4, 3)}),
    "merge-heads": (layers.MergeHeads(2), {"x": (2, 4, 3)}),
    "masked-softmax": (layers.MaskedSoftmax(), {"z": (2, 3, 4), "m": (4,)}),
    "heads": (layers.Heads(2), {"x": (4, 6)}),
    "repeat-heads": (layers.RepeatHeads(2), {"x": (2, 4, 3)}),
    "rotary": (layers.Rotary(), {"x": (2, 4, 6)}),
    "reshape": (layers.Reshape([3, 4]), {"x": (12,)}),
    "flatten": (layers.Flatten(), {"x": (3, 4)}),
    "transpose": (layers.Transpose([2, 1]), {"x": (3, 4)}),
    "conv2d": (layers.Conv2d(2, 4, 3, stride=2, padding=1), {"x": (2, 6, 5)}),
    "conv1d": (layers.Conv1d(2, 4, 3, stride=2, padding=1), {"x": (2, 7)}),
    "conv-transpose2d": (layers.ConvTranspose2d(2, 4, 3, stride=2, padding=1), {"x": (2, 3, 2)}),
    "adaptive-avg-pool2d": (layers.AdaptiveAvgPool2d([3, 2]), {"x": (2, 5, 4)}),
    "einsum": (layers.Einsum("nij,njk->nik"), {"p": (2, 3), "q": (3, 4)}),
    "max-pool2d": (layers.MaxPool2d(2), {"x": (2, 6, 4)}),
    "avg-pool2d": (layers.AvgPool2d(2), {"x": (2, 6, 4)}),
    "global-avg-pool2d": (layers.GlobalAvgPool2d(), {"x": (2, 6, 4)}),
    "batch-norm": (layers.BatchNorm(3), {"x": (3, 4, 2)}),
    "batch-norm-evaluation": (layers.BatchNormEvaluation(3), {"x": (3, 4, 2)}),
    "dropout": (layers.Dropout(0.25), {"x": (5,), "m": (5,)}),
    "subtract": (layers.Subtract(), {"p": (3,), "q": (1,)}),
    "divide": (layers.Divide(), {"p": (3,), "q": (1,)}),
    "maximum": (layers.Maximum(), {"p": (3,), "q": (3,)}),
    "minimum": (layers.Minimum(), {"p": (3,), "q": (3,)}),
    "sum": (layers.Sum([2]), {"x": (3, 4)}),
    "mean": (layers.Mean([2]), {"x": (3, 4)}),
    "rms-norm": (layers.RMSNorm(6), {"x": (3, 6)}),
    "group-norm": (layers.GroupNorm(2, 4), {"x": (4, 3, 2)}),
    "stack": (layers.Stack(), {"p": (3,), "q": (3,)}),
    "slice": (layers.Slice(1, 1, None, 2), {"x": (6,)}),
    "pad": (layers.Pad([[1, 2]]), {"x": (3,)}),
    "gather": (layers.Gather(4), {"x": (4,), "i": (6,)}),
    "scatter-add": (layers.ScatterAdd(4), {"x": (6,), "i": (6,)}),
    "where": (layers.Where(), {"c": (3,), "p": (3,), "q": (1,)}),
    "max": (layers.Max([2]), {"x": (3, 4)}),
    "variance": (layers.Variance([2]), {"x": (3, 4)}),
    "log-sum-exp": (layers.LogSumExp([2]), {"x": (3, 4)}),
    "cumulative-sum": (layers.CumulativeSum(1), {"x": (5,)}),
    "pow": (layers.Pow(), {"p": (3,), "q": (1,)}),
    "power": (layers.Power(1.5), {"z": (5,)}),
    "clip": (layers.Clip(-0.5, 0.75), {"z": (5,)}),
    **{
        name: (LAYERS[name](), {"z": (5,)})
        for name in ("exp", "log", "log1p", "sqrt", "rsqrt", "abs", "erf", "sin", "cos")
    },
}
"""A layer of each kind, and the shapes of a row of its inputs."""
POSITIVE = ("log", "log1p", "sqrt", "rsqrt", "power", "pow")
"""Layers that read positive numbers."""


LEFT_OUT = (
    "CTC is left out. Its forward-backward recursion adds up paths in logarithms, torch with minus infinity for what "
    "cannot be reached and optax with -100,000, and no bound is proved here that holds for both along a whole sequence."
)


@dataclass(frozen=True)
class Kind:
    """One layer, activation or loss by its name in text, and a network in which it is the node `node`."""

    name: str
    layer: Any
    network: Graph
    node: str

    @property
    def tensors(self) -> list[str]:
        """What it gives, forward and backward."""
        names, gradient = self.network.names_of(self.node), self.network.gradient
        read = [*as_names(self.layer.reads), *getattr(self.layer, "weights", {})]
        gives = [names[local] for local in as_names(self.layer.gives)] if hasattr(self.layer, "gives") else [LOSS]
        return gives + [gradient[names[local]] for local in read if names[local] in gradient]


def kind_of(name: str) -> Kind:
    """The layer in a network; an activation or a loss behind a layer that feeds it."""
    if name in LOSSES:
        network: Graph = from_text("4-3", loss=name)
        return Kind(name, network.loss, network, "loss")
    if name in ACTIVATIONS:
        network = from_text("4-3", activation=name)
        return Kind(name, network.nodes[1].layer, network, network.nodes[1].name)
    layer, inputs = EXAMPLES[name]
    net, whole = GraphBuilder(), getattr(layer, "whole", {})

    def fed(local: str, shape: tuple[int, ...]) -> str:
        if (name, local) == ("dropout", "m"):
            return net.mask(local, shape, rate=layer.rate)
        given = net.input(local, shape, choices=whole.get(local, 0), gradient=local not in whole)
        return net(f"positive_{local}", layers.Exp(), given) if name in POSITIVE else given

    given = net("layer", layer, *(fed(*each) for each in inputs.items()))
    joined, *others = given if isinstance(given, tuple) else (given,)
    for number, other in enumerate(others, 1):
        joined = net(f"joined{number}", layers.Concatenate(), joined, other)
    rows: dict[str, Shape] = {local: (ROWS, *shape) for local, shape in inputs.items()}
    shapes = layer.shapes(rows) if hasattr(layer, "shapes") else dict(list(rows.items())[:1])
    size = sum(int(shape[-1]) for shape in shapes.values())
    return Kind(name, layer, net.loss(MeanSquaredError(), net("out", layers.Dense(size, 2), joined)), "layer")


def kinds_by_module() -> dict[ModuleType, list[Kind]]:
    """Every layer, activation and loss that has a name, by the file in which it is written."""
    found: dict[ModuleType, list[Kind]] = {}
    for name, made in chain(LAYERS.items(), ACTIVATIONS.items(), LOSSES.items()):
        found.setdefault(import_module(made.__module__), []).append(kind_of(name))
    return found


def contents(found: Mapping[ModuleType, Sequence[Kind]]) -> str:
    """The page that lists the others."""
    rows = [
        (f"[{file_of(module)}]({file_of(module)})", _title(module), ", ".join(kind.name for kind in kinds))
        for module, kinds in found.items()
    ]
    table = tabulate(rows, ("page", "about", "names in text"), tablefmt="github")
    return f"# Layers, activations and losses\n\n{table}\n\n{LEFT_OUT}\n"


def page(module: ModuleType, kinds: Sequence[Kind]) -> str:
    """One page: formulas, names, code, and the check of each layer."""
    path = module.__name__.replace(".", "/")
    parts = [f"# {_title(module)}", _block(inspect.getdoc(module) or "", "text"), "## Code"]
    parts.append(f"The rules of [{path}.py](../../{path}.py) as they run:")
    parts += [_block("\n\n\n".join([*_functions(module), *(_rules(kind.layer) for kind in kinds)]), "python")]
    parts += ["## Check", f"One step on random data, {ROWS_CHECKED} rows, in float32, each link by itself:"]
    parts += [_block(f"{kind.name}   {kind.layer!r}\n\n{checked(kind)}", "text") for kind in kinds]
    return "\n\n".join(parts) + "\n"


def checked(kind: Kind) -> str:
    """The table of one step: each tensor that the layer gives, of each implementation."""
    x, y = batches_of(kind.network, load_data("random", network=kind.network, seed=0), DTYPE, ROWS_CHECKED, 0).at(1)
    x = with_buffers(kind.network, x, kind.network.fresh_buffers(DTYPE))
    point = Point(kind.network, kind.network.init(0, DTYPE), x, y, 1)
    rows = []
    for name in registry.OWN:
        made = registry.load(name)(kind.network, DTYPE)
        with suppress(CannotCompareError):
            shown = made.differentiate(point.weights, point.x, point.y)
            rows += rounding(point, name, shown, profile_of(DTYPE, getattr(made, "eager", False)))
    lines = [_line(row) for tensor in kind.tensors for row in rows if row.gradient == tensor]
    return tabulate(lines, ("tensor", "of", "rounding used", "sees", ""), disable_numparse=True)


def _line(row: Row) -> tuple[str, ...]:
    used = "" if row.used is None else f"{100 * row.used:.1f} %"
    return row.gradient, row.against, used, "" if row.sees is None else f"{row.sees:.1e}", row.verdict


def file_of(module: ModuleType) -> str:
    """The name of its page."""
    return module.__name__.rpartition(".")[2].replace("_", "-") + ".md"


def _title(module: ModuleType) -> str:
    """The first line of its docstring, up to a colon."""
    return (inspect.getdoc(module) or "").partition("\n")[0].rstrip(".").partition(":")[0]


def _block(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```"


def _functions(module: ModuleType) -> list[str]:
    """The source of the functions that its rules call, as far as they stand in the same file."""
    source = inspect.getsource(module)
    parts = [part for part in ast.parse(source).body if isinstance(part, ast.FunctionDef)]
    lines = source.splitlines()
    first = [min([part.lineno, *(d.lineno for d in part.decorator_list)]) for part in parts]
    return ["\n".join(lines[begin - 1 : part.end_lineno]) for begin, part in zip(first, parts, strict=True)]


def _rules(layer: Any) -> str:
    """The source of what a layer computes: its forward rule and one for each gradient."""
    gradients = [prefixed("d", local) for local in (*as_names(layer.reads), *getattr(layer, "weights", {}))]
    of = type(layer)
    rules = [getattr(of, name) for name in ("forward", *gradients) if hasattr(of, name)]
    return f"class {of.__name__}:\n" + "\n\n".join(inspect.getsource(rule).rstrip() for rule in rules)


def main() -> None:
    """Write every page."""
    parser = argparse.ArgumentParser(prog="python -m reports.layers", description=__doc__)
    parser.add_argument("--output", type=Path, default=FOLDER, help=f"the folder [{FOLDER}]")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    found = kinds_by_module()
    (folder / "README.md").write_text(contents(found), encoding="utf-8")
    for module, kinds in found.items():
        path = folder / file_of(module)
        path.write_text(page(module, kinds), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
