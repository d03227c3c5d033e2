"""References in a chain: ``w_21^(1)``, ``W1[2,1]``, ``b2[1]``, ``x3``, ``O21``.

All indices count from 1. ``w_ij^(l)`` and ``Wl[i,j]`` are the same weight, from source neuron i of the layer before
to destination neuron j of layer l; ``O_lj`` is the output of neuron j of layer l. Where an index has two digits, a
comma parts it from the other: ``w_2,11^(1)``, ``O2,11``. Without one, digits are parted in the only way that the
network allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from harness.explaining.symbols import joined, outputs_of, weight_symbol
from harness.usage import UsageError
from impls.hand import Network

Kind = Literal["weight", "bias", "input", "output"]
Entry = tuple[str, tuple[int, ...]]
"""A tensor, and the index of an entry, without the sample, counted from 0."""

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


def in_chain(text: str, plain: str, network: Network) -> Entry | None:
    """The entry that a text means in a chain, None where it has none of these forms.

    Raises:
        UsageError: there is no such thing; the message says what there is.
    """
    for pattern, kind in _PATTERNS:
        match = re.fullmatch(pattern, plain)
        if match:
            numbers = [number for number in match.groups() if number is not None]
            return _READERS[kind](text, network, numbers, plain)
    return None


def _by_local(network: Network, local: str) -> dict[int, str]:
    """The first weight of that local name in each layer."""
    found: dict[int, str] = {}
    for name in network.weights:
        if network.tensors[name].local == local:
            found.setdefault(network.depths[name], name)
    return found


def _weight(text: str, network: Network, numbers: list[str], plain: str) -> Entry:
    layer = int(numbers[0] if plain[0] == "W" else numbers[1])
    matrices = _by_local(network, "W")
    if layer not in matrices:
        raise _refused(text, f"there is no layer {layer}", _weights(network))
    inputs, outputs = network.weights[matrices[layer]]
    pairs = [(int(numbers[1]), int(numbers[2]))] if plain[0] == "W" else _parted(numbers[0])
    inside = [(i, j) for i, j in pairs if 1 <= i <= inputs and 1 <= j <= outputs]
    if len(inside) > 1:
        choices = " or ".join(weight_symbol(layer, i - 1, j - 1) for i, j in inside)
        raise _refused(text, "it can be read in two ways", f"write {choices}")
    if not inside:
        counted = "; indices count from 1" if any(0 in pair for pair in pairs) else ""
        raise _refused(text, f"W{layer} has {inputs} rows (i) and {outputs} columns (j){counted}", _weights(network))
    i, j = inside[0]
    return matrices[layer], (i - 1, j - 1)


def _bias(text: str, network: Network, numbers: list[str], plain: str) -> Entry:
    entry, layer = map(int, numbers if "^" in plain else numbers[::-1])
    biases = _by_local(network, "b")
    if not 1 <= layer <= network.depth:
        raise _refused(text, f"there is no layer {layer}", _biases(network))
    if layer not in biases:
        raise _refused(text, f"layer {layer} has no bias", _biases(network))
    (size,) = network.weights[biases[layer]]
    if not 1 <= entry <= size:
        counted = "; indices count from 1" if entry == 0 else ""
        raise _refused(text, f"b{layer} has {size} entries{counted}", _biases(network))
    return biases[layer], (entry - 1,)


def _input(text: str, network: Network, numbers: list[str], plain: str) -> Entry:  # noqa: ARG001
    entry = int(numbers[0])
    if not 1 <= entry <= network.inputs:
        counted = "; they count from 1" if entry == 0 else ""
        raise _refused(
            text, f"there are {network.inputs} inputs{counted}", f"choose {_range('x1', f'x{network.inputs}')}"
        )
    return network.sources[0].name, (entry - 1,)


def _output(text: str, network: Network, numbers: list[str], plain: str) -> Entry:  # noqa: ARG001
    pairs = [(int(numbers[0]), int(numbers[1]))] if len(numbers) > 1 else _parted(numbers[0])
    tensors = outputs_of(network)
    widths = [network.tensors[tensor].width for tensor in tensors]
    inside = [(i, j) for i, j in pairs if 1 <= i <= len(tensors) and 1 <= j <= widths[i - 1]]
    if len(inside) > 1:
        choices = " or ".join(f"O{i},{j}" for i, j in inside)
        raise _refused(text, "it can be read in two ways", f"write {choices}")
    if not inside:
        why = "it names no layer and neuron of it" if not pairs else "there is no such layer or no such neuron in it"
        raise _refused(text, why, _neurons(network))
    layer, j = inside[0]
    return tensors[layer - 1], (j - 1,)


_READERS: dict[Kind, Callable[[str, Network, list[str], str], Entry]] = {
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


def _weights(network: Network) -> str:
    shapes = {layer: network.weights[name] for layer, name in _by_local(network, "W").items()}
    return "choose " + ", ".join(
        _range(weight_symbol(layer, 0, 0), weight_symbol(layer, inputs - 1, outputs - 1))
        for layer, (inputs, outputs) in shapes.items()
    )


def _biases(network: Network) -> str:
    biases = [(name, network.weights[name][0]) for name in _by_local(network, "b").values()]
    if not biases:
        return "choose a weight, an input or an output: no layer has a bias"
    return "choose " + ", ".join(_range(f"{name}[1]", f"{name}[{size}]") for name, size in biases)


def _neurons(network: Network) -> str:
    return "choose " + ", ".join(
        _range(f"O{joined(layer, 1)}", f"O{joined(layer, network.tensors[tensor].width)}")
        for layer, tensor in enumerate(outputs_of(network), 1)
    )
