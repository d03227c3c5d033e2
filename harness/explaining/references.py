"""References: which derivative is meant, from its notation: ``w_21^(1)``, ``W1[2,1]``, ``b2[1]``, ``x3``, ``O21``.

All indices count from 1. ``w_ij^(l)`` and ``Wl[i,j]`` are the same weight, from source neuron i of the layer before
to destination neuron j of layer l; ``O_lj`` is the output of neuron j of layer l. Where an index has two digits, a
comma parts it from the other: ``w_2,11^(1)``, ``O2,11``. Without one, digits are parted in the only way that the
network allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.explaining.symbols import joined, outputs_of, weight_symbol
from harness.usage import UsageError
from impls.graph import Graph

Kind = Literal["weight", "bias", "input", "output"]

_NUMBER = "([0-9]{1,9})"
_INDEX = "_?{?([0-9]{1,9}(?:,[0-9]{1,9})?)}?"
_LAYER = r"\^?[({]*" + _NUMBER + "[)}]*"
_PATTERNS: tuple[tuple[str, Kind], ...] = (
    (rf"w{_INDEX}{_LAYER}", "weight"),
    (rf"W{_NUMBER}\[{_NUMBER},{_NUMBER}\]", "weight"),
    (rf"b_?{{?{_NUMBER}}}?\^[({{]*{_NUMBER}[)}}]*", "bias"),
    (rf"b{_NUMBER}\[{_NUMBER}\]", "bias"),
    (rf"x(?:_?{{?{_NUMBER}}}?|\[{_NUMBER}\])", "input"),
    (rf"O(?:{_INDEX}|{_NUMBER}\[{_NUMBER}\])", "output"),
)
HOW = "write w_21^(1) or W1[2,1] for a weight, b_1^(2) or b2[1] for a bias, x3 for an input, O21 for a neuron's output"


@dataclass(frozen=True)
class Reference:
    """What a derivative is taken with respect to.

    Attributes:
        layer: counted from 1; 0 for an input.
        tensor: its name in the network: ``W1``, ``b1``, ``x``, ``a1``, or ``z1`` where no activation follows.
        index: of the entry, without the sample, counted from 0.
    """

    kind: Kind
    layer: int
    tensor: str
    index: tuple[int, ...]

    @property
    def symbol(self) -> str:
        """As the formulas write it: ``w_21^(1)``."""
        if self.kind == "weight":
            return weight_symbol(self.layer, *self.index)
        if self.kind == "bias":
            return f"b_{self.index[0] + 1}^({self.layer})"
        return f"x{self.index[0] + 1}" if self.kind == "input" else f"O{joined(self.layer, self.index[0] + 1)}"

    @property
    def name(self) -> str:
        """As the code writes it, counted from 1: ``W1[2,1]``; of an output and an input the same as the symbol."""
        if self.kind in ("input", "output"):
            return self.symbol
        return f"{self.tensor}[{','.join(str(i + 1) for i in self.index)}]"

    @property
    def short(self) -> str:
        """As the formulas of one explanation write it: ``w``."""
        return {"weight": "w", "bias": "b"}.get(self.kind, self.symbol)


def parse(text: str, network: Graph) -> Reference:
    """The reference that a text means in a network.

    Raises:
        UsageError: it cannot be read, or there is no such thing; the message says what there is.
    """
    if not isinstance(text, str):
        raise UsageError(f"Cannot explain {text!r}, because it is no text; {HOW}.")
    plain = re.sub(r"\s", "", text)
    plain = re.sub(r"^(?:[d∂]L/)?[d∂](?=[wWbxO])", "", plain)
    for pattern, kind in _PATTERNS:
        match = re.fullmatch(pattern, plain)
        if match:
            numbers = [number for number in match.groups() if number is not None]
            return _READERS[kind](text, network, numbers, plain)
    raise UsageError(f"Cannot explain {text[:80]!r}, because it names no weight, bias, input or output; {HOW}.")


def _weight(text: str, network: Graph, numbers: list[str], plain: str) -> Reference:
    layer = int(numbers[0] if plain[0] == "W" else numbers[1])
    if f"W{layer}" not in network.weights:
        raise _refused(text, f"there is no layer {layer}", _weights(network))
    inputs, outputs = network.weights[f"W{layer}"]
    pairs = [(int(numbers[1]), int(numbers[2]))] if plain[0] == "W" else _parted(numbers[0])
    inside = [(i, j) for i, j in pairs if 1 <= i <= inputs and 1 <= j <= outputs]
    if len(inside) > 1:
        choices = " or ".join(weight_symbol(layer, i - 1, j - 1) for i, j in inside)
        raise _refused(text, "it can be read in two ways", f"write {choices}")
    if not inside:
        counted = "; indices count from 1" if any(0 in pair for pair in pairs) else ""
        raise _refused(text, f"W{layer} has {inputs} rows (i) and {outputs} columns (j){counted}", _weights(network))
    i, j = inside[0]
    return Reference("weight", layer, f"W{layer}", (i - 1, j - 1))


def _bias(text: str, network: Graph, numbers: list[str], plain: str) -> Reference:
    entry, layer = map(int, numbers if "^" in plain else numbers[::-1])
    if f"W{layer}" not in network.weights:
        raise _refused(text, f"there is no layer {layer}", _biases(network))
    if f"b{layer}" not in network.weights:
        raise _refused(text, f"layer {layer} has no bias", _biases(network))
    (size,) = network.weights[f"b{layer}"]
    if not 1 <= entry <= size:
        counted = "; indices count from 1" if entry == 0 else ""
        raise _refused(text, f"b{layer} has {size} entries{counted}", _biases(network))
    return Reference("bias", layer, f"b{layer}", (entry - 1,))


def _input(text: str, network: Graph, numbers: list[str], plain: str) -> Reference:  # noqa: ARG001
    entry = int(numbers[0])
    if not 1 <= entry <= network.inputs:
        counted = "; they count from 1" if entry == 0 else ""
        raise _refused(
            text, f"there are {network.inputs} inputs{counted}", f"choose {_range('x1', f'x{network.inputs}')}"
        )
    return Reference("input", 0, "x", (entry - 1,))


def _output(text: str, network: Graph, numbers: list[str], plain: str) -> Reference:  # noqa: ARG001
    pairs = [(int(numbers[0]), int(numbers[1]))] if len(numbers) > 1 else _parted(numbers[0])
    tensors = outputs_of(network)
    widths = [network.weights[f"W{layer}"][1] for layer in range(1, len(tensors) + 1)]
    inside = [(i, j) for i, j in pairs if 1 <= i <= len(tensors) and 1 <= j <= widths[i - 1]]
    if len(inside) > 1:
        choices = " or ".join(f"O{i},{j}" for i, j in inside)
        raise _refused(text, "it can be read in two ways", f"write {choices}")
    if not inside:
        why = "it names no layer and neuron of it" if not pairs else "there is no such layer or no such neuron in it"
        raise _refused(text, why, _neurons(network))
    layer, j = inside[0]
    return Reference("output", layer, tensors[layer - 1], (j - 1,))


_READERS: dict[Kind, Callable[[str, Graph, list[str], str], Reference]] = {
    "weight": _weight,
    "bias": _bias,
    "input": _input,
    "output": _output,
}


def _parted(digits: str) -> list[tuple[int, int]]:
    """Every way to read digits as two indices: at the comma, or else anywhere."""
    first, comma, second = digits.partition(",")
    if comma:
        return [(int(first), int(second))]
    pairs = [(digits[:cut], digits[cut:]) for cut in range(1, len(digits))]
    return [(int(i), int(j)) for i, j in pairs if len(digits) == 2 or "0" not in (i[0], j[0])]


def _refused(text: str, why: str, instead: str) -> UsageError:
    return UsageError(f"Cannot explain {text[:80]!r}, because {why}; {instead}.")


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _weights(network: Graph) -> str:
    matrices = [(int(name[1:]), shape) for name, shape in network.weights.items() if name[0] == "W"]
    return "choose " + ", ".join(
        _range(weight_symbol(layer, 0, 0), weight_symbol(layer, inputs - 1, outputs - 1))
        for layer, (inputs, outputs) in matrices
    )


def _biases(network: Graph) -> str:
    biases = [(name, shape[0]) for name, shape in network.weights.items() if name[0] == "b"]
    if not biases:
        return "choose a weight, an input or an output: no layer has a bias"
    return "choose " + ", ".join(_range(f"{name}[1]", f"{name}[{size}]") for name, size in biases)


def _neurons(network: Graph) -> str:
    return "choose " + ", ".join(
        _range(f"O{joined(layer, 1)}", f"O{joined(layer, network.weights[f'W{layer}'][1])}")
        for layer in range(1, len(outputs_of(network)) + 1)
    )
