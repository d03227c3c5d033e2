"""Graphs of the campaign: layers of every kind, drawn from the tables in which text finds them, side by side.

A graph has a few layers, each with options and sizes drawn at random, odd ones and 1 among them. Each reads inputs of
its own, or a smooth function of them; what it gives of the shape that it reads may be added to that (a residual). All
that they give is flattened, multiplied by a matrix each and added up, and a loss reads the sum. A layer whose options
nobody draws occurs as its page shows it (`reports.layers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from impls.graph import Graph
from impls.graph.tensor import ROWS, Shape
from impls.hand import GraphBuilder, Scaled, layers
from impls.hand.activations import Identity, Sigmoid, Softmax, Tanh
from impls.hand.layers import Add
from impls.hand.notation import ACTIVATIONS, LAYERS, LOSSES
from impls.hand.parsing import made
from reports.layers import EXAMPLES, POSITIVE

LAYERS_OF_A_GRAPH = 5
Rng = np.random.Generator
Drawn = tuple[Any, Mapping[str, tuple[int, ...]]]
"""A layer, and the shapes of a row of its inputs."""


def size(rng: Rng, most: int = 9) -> int:
    """From 1 on, 1 more often."""
    return 1 if rng.random() < 0.2 else int(rng.integers(1, most + 1))


def _flag(rng: Rng) -> bool:
    return bool(rng.random() < 0.5)


def _shape(rng: Rng, axes: int = 3) -> tuple[int, ...]:
    return tuple(size(rng) for _ in range(int(rng.integers(1, axes + 1))))


def _attending(rng: Rng) -> tuple[int, int, int, int]:
    """Heads, queries, keys, neurons of a head."""
    return size(rng, 3), size(rng, 7), size(rng, 7), size(rng, 8)


def _heads(rng: Rng) -> Drawn:
    heads, length, _, width = _attending(rng)
    return layers.SplitHeads(heads), {"x": (length, 3 * heads * width)}


def _merged(rng: Rng) -> Drawn:
    heads, length, _, width = _attending(rng)
    return layers.MergeHeads(heads), {"x": (heads, length, width)}


def _scores(rng: Rng) -> Drawn:
    heads, queries, keys, width = _attending(rng)
    return layers.AttentionScores(), {"q": (heads, queries, width), "k": (heads, keys, width)}


def _causal(rng: Rng) -> Drawn:
    heads, length, _, _ = _attending(rng)
    return layers.CausalSoftmax(), {"z": (heads, length, length)}


def _masked(rng: Rng) -> Drawn:
    heads, queries, keys, _ = _attending(rng)
    causal = _flag(rng)
    return layers.MaskedSoftmax(causal), {"z": (heads, keys if causal else queries, keys), "m": (keys,)}


def _own_heads(rng: Rng) -> Drawn:
    heads, length, _, width = _attending(rng)
    return layers.Heads(heads), {"x": (length, heads * width)}


def _repeated(rng: Rng) -> Drawn:
    heads, length, times, width = _attending(rng)
    return layers.RepeatHeads(times), {"x": (heads, length, width)}


def _rotary(rng: Rng) -> Drawn:
    heads, length, _, width = _attending(rng)
    layer = layers.Rotary(float(rng.choice([10.0, 10000.0])), "halves" if _flag(rng) else "neighbours")
    return layer, {"x": (heads, length, 2 * width)}


def _product(rng: Rng) -> Drawn:
    heads, queries, keys, width = _attending(rng)
    p, q = (1 if rng.random() < 0.25 else heads for _ in range(2))
    return layers.MatrixProduct(), {"p": (p, queries, keys), "q": (q, keys, width)}


def _layer_norm(rng: Rng) -> Drawn:
    """Of two numbers or more: of one, torch's gradient of the gain is wrong, see tests/graphs/test_lockstep.py."""
    *axes, width = _shape(rng)
    width += 1
    return layers.LayerNorm(width, eps=float(rng.choice([1e-12, 1e-5, 1e-2]))), {"x": (*axes, width)}


def _batch_norm(kind: Callable[..., Any]) -> Callable[[Rng], Drawn]:
    def drawn(rng: Rng) -> Drawn:
        channels = size(rng)
        image = (size(rng), size(rng)) if _flag(rng) else ()
        return kind(channels, eps=float(rng.choice([1e-5, 1e-3]))), {"x": (channels, *image)}

    return drawn


def _embedding(rng: Rng) -> Drawn:
    return layers.Embedding(size(rng), size(rng)), {"i": _shape(rng, 2)}


def _positions(rng: Rng) -> Drawn:
    length, width = size(rng), size(rng)
    return layers.Positions(length + size(rng, 3) - 1, width), {"x": (length, width)}


def _unembedding(rng: Rng) -> Drawn:
    *axes, width = _shape(rng)
    return layers.Unembedding(size(rng), width), {"x": (*axes, width)}


def _dense(rng: Rng) -> Drawn:
    *axes, width = _shape(rng)
    return layers.Dense(width, size(rng), bias=_flag(rng)), {"x": (*axes, width)}


def _broadcasting(kind: Callable[..., Any]) -> Callable[[Rng], Drawn]:
    def drawn(rng: Rng) -> Drawn:
        shape = _shape(rng)
        p, q = (tuple(1 if rng.random() < 0.25 else n for n in shape) for _ in range(2))
        return kind(), {"p": p, "q": q}

    return drawn


def _reduction(kind: Callable[..., Any]) -> Callable[[Rng], Drawn]:
    def drawn(rng: Rng) -> Drawn:
        shape = _shape(rng)
        axes = [axis for axis in range(1, len(shape) + 1) if _flag(rng)]
        return kind(axes or [len(shape)]), {"x": shape}

    return drawn


def _elementwise(name: str) -> Callable[[Rng], Drawn]:
    return lambda rng: (LAYERS[name](), {"z": _shape(rng)})


def _clip(rng: Rng) -> Drawn:
    low = float(rng.normal())
    return layers.Clip(low, low + float(rng.uniform(0.1, 2))), {"z": _shape(rng)}


def _concatenate(rng: Rng) -> Drawn:
    *axes, width = _shape(rng)
    return layers.Concatenate(), {"p": (*axes, width), "q": (*axes, size(rng))}


def _split(rng: Rng) -> Drawn:
    *axes, width = _shape(rng)
    at = size(rng)
    return layers.Split(at), {"x": (*axes, width + at)}


def _dropout(rng: Rng) -> Drawn:
    shape = _shape(rng)
    return layers.Dropout(float(rng.choice([0.1, 0.5, 0.75]))), {"x": shape, "m": shape}


def _conv2d(rng: Rng) -> Drawn:
    groups, kernel = size(rng, 3), [size(rng, 3), size(rng, 3)]
    ins, outs = groups * size(rng, 3), groups * size(rng, 3)
    how: dict[str, Any] = {
        "stride": [size(rng, 3), size(rng, 3)], "dilation": [size(rng, 2), size(rng, 2)], "groups": groups,
        "padding": "same" if _flag(rng) else [size(rng, 3) - 1, size(rng, 3) - 1], "bias": _flag(rng),
    }  # fmt: skip
    return layers.Conv2d(ins, outs, kernel, **how), {"x": (ins, 5 + size(rng, 4), 5 + size(rng, 4))}


def _pool(kind: Callable[..., Any]) -> Callable[[Rng], Drawn]:
    def drawn(rng: Rng) -> Drawn:
        kernel = [size(rng, 3), size(rng, 3)]
        padding = [int(rng.integers(0, k // 2 + 1)) for k in kernel]
        more = {"count_include_pad": _flag(rng)} if kind is layers.AvgPool2d else {}
        layer = kind(kernel, [size(rng, 3), size(rng, 3)], padding, **more)
        return layer, {"x": (size(rng, 4), 3 + size(rng, 5), 3 + size(rng, 5))}

    return drawn


def _transpose(rng: Rng) -> Drawn:
    shape = _shape(rng)
    return layers.Transpose([int(axis) for axis in 1 + rng.permutation(len(shape))]), {"x": shape}


OPTIONS: Mapping[str, Callable[[Rng], Drawn]] = {
    "dense": _dense, "embedding": _embedding, "layer-norm": _layer_norm, "positions": _positions,
    "unembedding": _unembedding, "split-heads": _heads, "merge-heads": _merged, "attention-scores": _scores,
    "causal-softmax": _causal, "matrix-product": _product, "masked-softmax": _masked,
    "heads": _own_heads, "repeat-heads": _repeated, "rotary": _rotary, "add": _broadcasting(layers.Add),
    "multiply": _broadcasting(layers.Multiply), "subtract": _broadcasting(layers.Subtract),
    "divide": _broadcasting(layers.Divide), "pow": _broadcasting(layers.Pow), "maximum": _broadcasting(layers.Maximum),
    "minimum": _broadcasting(layers.Minimum), "sum": _reduction(layers.Sum), "mean": _reduction(layers.Mean),
    "concatenate": _concatenate, "split": _split, "dropout": _dropout, "conv2d": _conv2d,
    "max-pool2d": _pool(layers.MaxPool2d), "avg-pool2d": _pool(layers.AvgPool2d), "transpose": _transpose,
    "batch-norm": _batch_norm(layers.BatchNorm), "batch-norm-evaluation": _batch_norm(layers.BatchNormEvaluation),
    "clip": _clip, **{name: _elementwise(name) for name in ("exp", "log", "log1p", "sqrt", "rsqrt", "abs", "erf")},
}  # fmt: skip
"""By a layer's name in text: it, with options and sizes drawn at random."""


def drawn_graph(rng: Rng, turn: int) -> Graph:
    """Layers from the table in turn, so that some graphs have all of them."""
    net = GraphBuilder()
    names = list(LAYERS)
    taken = [names[(turn * LAYERS_OF_A_GRAPH + k) % len(names)] for k in range(LAYERS_OF_A_GRAPH)]
    outputs = size(rng, 6)
    total = ""
    for number, name in enumerate(taken):
        for out, shape in _island(net, rng, f"l{number}", name):
            flat = net(f"{out}.flat", layers.Flatten(), out) if len(shape) > 2 else out
            z = net(f"{out}.fc", layers.Dense(int(prod(map(int, shape[1:]))), outputs), flat)
            total = net(f"{out}.sum", Add(), total, z) if total else z
    loss_name = str(rng.choice(list(LOSSES)))
    loss = made("loss", LOSSES, loss_name)
    if loss.on_probabilities:
        total = net("probabilities", Softmax() if loss.output_activation == "softmax" else Sigmoid(), total)
    return net.loss(Scaled(loss, 0.1) if rng.random() < 0.2 else loss, total)


def _island(net: GraphBuilder, rng: Rng, at: str, name: str) -> list[tuple[str, Shape]]:
    """A layer with what feeds it; what it gives, each with its shape."""
    layer, shapes = OPTIONS[name](rng) if name in OPTIONS else EXAMPLES[name]
    whole, reads, fed = getattr(layer, "whole", {}), [], ""
    for local, shape in shapes.items():
        if isinstance(layer, layers.Dropout) and local == "m":
            reads.append(net.mask(f"{at}_{local}", shape, rate=layer.rate))
            continue
        given = net.input(f"{at}_{local}", shape, choices=whole.get(local, 0), gradient=local not in whole)
        if name in POSITIVE:
            given = net(f"{at}.{local}_positive", layers.Exp(), given)
        elif local not in whole and _flag(rng):
            given = net(f"{at}.{local}_act", made("activation", ACTIVATIONS, str(rng.choice(list(ACTIVATIONS)))), given)
        reads.append(given)
        fed = fed or given
    gives = net(f"{at}.layer", layer, *reads)
    rows: dict[str, Shape] = {local: (ROWS, *shape) for local, shape in shapes.items()}
    given_shapes = layer.shapes(rows) if hasattr(layer, "shapes") else dict(list(rows.items())[:1])
    outs = list(zip(gives if isinstance(gives, tuple) else (gives,), given_shapes.values(), strict=True))
    first, shape = outs[0]
    after = Tanh() if _flag(rng) else Identity()
    if len(outs) == 1 and not whole and shape == next(iter(rows.values())) and _flag(rng):
        return [(net(f"{at}.residual", Add(), fed, net(f"{at}.after", after, first)), shape)]
    return outs
