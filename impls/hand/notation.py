"""The text form of a network: ``4-3-2-1`` is four inputs, layers of 3, 2 and 1 neurons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from impls.hand.activations import Identity, Relu, Sigmoid, Tanh
from impls.hand.dense import Dense
from impls.hand.losses import MeanSquaredError, SoftmaxCrossEntropy, SumSquaredError
from impls.hand.network import Network
from impls.hand.optimizers import Adam, GradientDescent, Momentum

ACTIVATIONS: Mapping[str, Any] = {
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": Relu,
    "identity": Identity,
}
LOSSES: Mapping[str, Any] = {
    "sum-squared-error": SumSquaredError,
    "mean-squared-error": MeanSquaredError,
    "cross-entropy": SoftmaxCrossEntropy,
}
OPTIMIZERS: Mapping[str, Any] = {
    "gradient-descent": GradientDescent,
    "momentum": Momentum,
    "adam": Adam,
}
LARGEST_LAYER = 1_000_000


def from_text(
    text: str,
    *,
    activation: str = "sigmoid",
    output_activation: str | None = None,
    loss: str = "sum-squared-error",
) -> Network:
    """The network that `text` describes, every Dense layer followed by an activation.

    The last layer's activation is `output_activation`: if None, identity under cross-entropy (which
    reads logits) and `activation` otherwise.

    >>> from_text("4-3-1", activation="tanh", output_activation="identity")
    Network([Dense(4, 3), Tanh(), Dense(3, 1), Identity()], SumSquaredError())

    Raises:
        ValueError: the text, a name or a size cannot be used.
    """
    if not re.fullmatch(r"[0-9]+(-[0-9]+)+", text, flags=re.ASCII):
        raise ValueError(
            f"Cannot read the model {text[:80]!r}, because a model is written as its layer sizes with "
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
    hidden = lookup("activation", ACTIVATIONS, activation)
    if output_activation is None:
        output_activation = "identity" if loss == "cross-entropy" else activation
    last = lookup("output activation", ACTIVATIONS, output_activation)
    layers: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        layers += [Dense(inputs, outputs), hidden()]
    layers[-1] = last()
    return Network(layers, lookup("loss", LOSSES, loss)())


def describe(network: Network) -> str:
    """The network in one phrase: ``4-3-2-1 sigmoid``."""
    dense = [shape for name, shape in network.weights.items() if name.startswith("W")]
    sizes = "-".join(str(size) for size in (dense[0][0], *(shape[1] for shape in dense)))
    kinds = [type(layer).__name__.lower() for layer in network.layers if not hasattr(layer, "inputs")]
    if len(set(kinds)) == 1:
        return f"{sizes} {kinds[0]}"
    return " ".join([sizes, *(["-".join(dict.fromkeys(kinds))] if kinds else [])])


def output_label(network: Network) -> str:
    """What the output is called on screen: O31 for a single output neuron, O3 for a layer of them."""
    layer = network.output[1:]
    return f"O{layer}1" if network.outputs == 1 else f"O{layer}"


def lookup(kind: str, table: Mapping[str, Any], name: str) -> Any:
    """The entry called `name`, or a ValueError that lists what exists, nearest names first."""
    if name in table:
        return table[name]
    near = get_close_matches(name, table, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(
        f"Cannot use the {kind} {name[:80]!r}, because there is none of that name{meant}; choose one of "
        f"{', '.join(table)}."
    )
