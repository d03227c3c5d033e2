"""The text form of a network: ``4-3-2-1`` is four inputs, layers of 3, 2 and 1 neurons.

Activations, losses and optimizers have names, with parameters in brackets where they are not the usual ones:
``leaky-relu``, ``leaky-relu(slope=0.2)``, ``huber(delta=0.5)``, ``adamw(lr=0.001, weight_decay=0.1)``. An
underscore serves for a hyphen. A loss takes besides its own what scales it and what is added to it:
``sum-squared-error(by=0.5)``, ``cross-entropy(l2=0.01, half=True)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from inspect import Parameter, signature
from itertools import pairwise
from typing import Any

from impls.graph import Graph, Input
from impls.hand import activations, layers, losses, optimizers
from impls.hand.layers.dense import Dense
from impls.hand.losses.scaled import taken_apart
from impls.hand.network import Network
from impls.hand.parsing import made

LAYERS: Mapping[str, Any] = {
    "dense": layers.Dense,
    "embedding": layers.Embedding,
    "layer-norm": layers.LayerNorm,
    "positions": layers.Positions,
    "unembedding": layers.Unembedding,
    "split-heads": layers.SplitHeads,
    "attention-scores": layers.AttentionScores,
    "causal-softmax": layers.CausalSoftmax,
    "masked-softmax": layers.MaskedSoftmax,
    "matrix-product": layers.MatrixProduct,
    "einsum": layers.Einsum,
    "merge-heads": layers.MergeHeads,
    "heads": layers.Heads,
    "repeat-heads": layers.RepeatHeads,
    "rotary": layers.Rotary,
    "add": layers.Add,
    "multiply": layers.Multiply,
    "concatenate": layers.Concatenate,
    "split": layers.Split,
    "stack": layers.Stack,
    "slice": layers.Slice,
    "pad": layers.Pad,
    "gather": layers.Gather,
    "scatter-add": layers.ScatterAdd,
    "reshape": layers.Reshape,
    "flatten": layers.Flatten,
    "transpose": layers.Transpose,
    "conv2d": layers.Conv2d,
    "conv1d": layers.Conv1d,
    "conv-transpose2d": layers.ConvTranspose2d,
    "dropout": layers.Dropout,
    "exp": layers.Exp,
    "log": layers.Log,
    "log1p": layers.Log1p,
    "sqrt": layers.Sqrt,
    "rsqrt": layers.Rsqrt,
    "abs": layers.Abs,
    "erf": layers.Erf,
    "power": layers.Power,
    "pow": layers.Pow,
    "sin": layers.Sin,
    "cos": layers.Cos,
    "clip": layers.Clip,
    "subtract": layers.Subtract,
    "divide": layers.Divide,
    "maximum": layers.Maximum,
    "minimum": layers.Minimum,
    "where": layers.Where,
    "sum": layers.Sum,
    "mean": layers.Mean,
    "max": layers.Max,
    "variance": layers.Variance,
    "log-sum-exp": layers.LogSumExp,
    "cumulative-sum": layers.CumulativeSum,
    "batch-norm": layers.BatchNorm,
    "batch-norm-evaluation": layers.BatchNormEvaluation,
    "rms-norm": layers.RMSNorm,
    "group-norm": layers.GroupNorm,
    "max-pool2d": layers.MaxPool2d,
    "avg-pool2d": layers.AvgPool2d,
    "global-avg-pool2d": layers.GlobalAvgPool2d,
    "adaptive-avg-pool2d": layers.AdaptiveAvgPool2d,
}
ACTIVATIONS: Mapping[str, Any] = {
    "sigmoid": activations.Sigmoid,
    "tanh": activations.Tanh,
    "relu": activations.Relu,
    "leaky-relu": activations.LeakyRelu,
    "elu": activations.Elu,
    "softplus": activations.Softplus,
    "silu": activations.Silu,
    "gelu": activations.Gelu,
    "gelu-tanh": activations.GeluTanh,
    "hard-sigmoid": activations.HardSigmoid,
    "softmax": activations.Softmax,
    "identity": activations.Identity,
}
LOSSES: Mapping[str, Any] = {
    "sum-squared-error": losses.SumSquaredError,
    "mean-squared-error": losses.MeanSquaredError,
    "huber": losses.Huber,
    "mean-absolute-error": losses.MeanAbsoluteError,
    "binary-cross-entropy": losses.BinaryCrossEntropy,
    "binary-cross-entropy-on-logits": losses.LogitBinaryCrossEntropy,
    "cross-entropy": losses.SoftmaxCrossEntropy,
    "one-hot-cross-entropy": losses.OneHotCrossEntropy,
    "categorical-cross-entropy": losses.CategoricalCrossEntropy,
    "sparse-categorical-cross-entropy": losses.SparseCategoricalCrossEntropy,
    "weighted-cross-entropy": losses.WeightedCrossEntropy,
    "kullback-leibler": losses.KullbackLeibler,
    "hinge": losses.Hinge,
    "cosine-distance": losses.CosineDistance,
}
AROUND: Mapping[str, Parameter] = {
    name: parameter.replace(kind=Parameter.KEYWORD_ONLY, default=False if parameter.annotation is bool else None)
    for kind in (losses.Scaled, losses.Penalised)
    for name, parameter in signature(kind, eval_str=True).parameters.items()
    if name != "loss"
}
"""What every loss takes besides its own parameters: a constant (`Scaled`), and a penalty (`Penalised`)."""


def around(kind: Any) -> Any:
    """The constructor of a loss as text has it: with a constant, and with a penalty, where they are given."""

    def built(**given: Any) -> Any:
        outer = {name: given.pop(name) for name in AROUND if name in given}
        loss, by = kind(**given), outer.pop("by", None)
        loss = loss if by is None else losses.Scaled(loss, by)
        return losses.Penalised(loss, **outer) if outer else loss

    own = signature(kind, eval_str=True)
    built.__signature__ = own.replace(parameters=[*own.parameters.values(), *AROUND.values()])  # type: ignore[attr-defined]
    return built


LOSSES_IN_TEXT: Mapping[str, Any] = {name: around(kind) for name, kind in LOSSES.items()}
OPTIMIZERS: Mapping[str, Any] = {
    "gradient-descent": optimizers.GradientDescent,
    "momentum": optimizers.Momentum,
    "nesterov": optimizers.Nesterov,
    "adagrad": optimizers.Adagrad,
    "rmsprop": optimizers.RMSProp,
    "adam": optimizers.Adam,
    "adamw": optimizers.AdamW,
}
LARGEST_LAYER = 1_000_000


def from_text(
    text: str,
    *,
    activation: str = "sigmoid",
    output_activation: str | None = None,
    loss: str = "sum-squared-error",
    **penalty: float,
) -> Network:
    """The network that `text` describes, every Dense layer followed by an activation.

    The last layer's activation is `output_activation`: if None, what the loss needs (identity for one that
    reads logits, sigmoid or softmax for one that reads probabilities), or else `activation`. `l2` and `l1` weigh a
    penalty that is added to the loss, see `impls.hand.losses.penalised`.

    >>> from_text("4-3-1", activation="leaky-relu(slope=0.1)", output_activation="identity")
    Network([Dense(4, 3), LeakyRelu(slope=0.1), Dense(3, 1), Identity()], SumSquaredError())

    Raises:
        ValueError: the text, a name, a parameter or a size cannot be used.
    """
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]+(-[0-9]+)+", text, flags=re.ASCII):
        raise ValueError(
            f"Cannot read the model {str(text)[:80]!r}, because a model is written as its layer sizes with "
            f"hyphens between them; write for example 4-3-2-1."
        )
    sizes = []
    for size in text.split("-"):
        if len(size) > len(str(LARGEST_LAYER)) or not 1 <= int(size) <= LARGEST_LAYER:
            raise ValueError(
                f"Cannot build the model {text[:80]!r}, because a layer of {size[:20]} neurons is outside "
                f"what is possible; give each layer 1 to {LARGEST_LAYER} neurons."
            )
        sizes.append(int(size))
    made_loss = made("loss", LOSSES_IN_TEXT, loss, **penalty)
    last = output_activation or made_loss.output_activation or activation
    hidden = made("activation", ACTIVATIONS, activation)
    chain: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        chain += [Dense(inputs, outputs), hidden]
    chain[-1] = made("output activation", ACTIVATIONS, last)
    return Network(chain, made_loss)


def describe(network: Graph) -> str:
    """The network in one phrase: ``4-3-2-1 sigmoid``; a layer that has no activation has the identity.

    A graph is told by what it reads and how many nodes and weights it has.

    >>> describe(Network([Dense(4, 3), activations.Tanh(), Dense(3, 1, bias=False)], losses.SumSquaredError()))
    '4-3-1 tanh then identity, layer 2 without bias'
    """
    if not isinstance(network, Network):
        inputs = ", ".join(f"{source.name} {_sizes(source)}" for source in network.sources)
        entries = sum(math.prod(shape) for shape in network.weights.values())
        size = f"{counted(len(network.nodes), 'node')} on {inputs}, {counted(entries, 'weight')}"
        return f"graph of {size}, output {network.output}"
    dense = [layer for layer in network.layers if hasattr(layer, "inputs")]
    sizes = "-".join(str(size) for size in (network.inputs, *(layer.outputs for layer in dense)))
    after = [*network.layers[1:], None]
    kinds = dict.fromkeys(
        "identity" if hasattr(layer, "inputs") else name_of(layer)
        for layer, following in zip(network.layers, after, strict=True)
        if not hasattr(layer, "inputs") or following is None or hasattr(following, "inputs")
    )
    without = [str(depth) for depth, layer in enumerate(dense, 1) if not getattr(layer, "bias", True)]
    told = f"{sizes} {' then '.join(kinds)}"
    if len(without) == len(dense):
        return f"{told}, without bias"
    return f"{told}, layer{'s' * (len(without) > 1)} {' and '.join(without)} without bias" if without else told


def name_of(part: Any) -> str:
    """The text form of an activation, a loss or an optimizer: ``leaky-relu(slope=0.2)``."""
    part, outer = taken_apart(part)
    for table in (ACTIVATIONS, {"causal-softmax": layers.CausalSoftmax}, LOSSES, OPTIMIZERS):
        for name, kind in table.items():
            if type(part) is kind:
                usual, given = kind().parameters(), part.parameters()
                unusual = {p: value for p, value in given.items() if value != usual.get(p)} | outer
                told = ", ".join(f"{p}={value if p == 'by' else repr(value)}" for p, value in unusual.items())
                return f"{name}({told})" if told else name
    return type(part).__name__


def counted(number: int, noun: str, more: str = "s") -> str:
    """A number of things: ``1 node``, ``1,200 weights``; `more` makes the noun a plural."""
    return f"{number:,} {noun}{'' if number == 1 else more}"


def _sizes(source: Input) -> str:
    sizes = "×".join(map(str, source.shape)) or "1"
    return f"{sizes} of {counted(source.choices, 'choice')}" if source.choices else sizes
