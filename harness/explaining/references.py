"""References: which derivative, or which entry of a tensor, is meant, from its notation.

In a chain ``w_21^(1)`` goes by layer and neuron. In a graph ``fc1.W[2,1]`` is an entry of a weight, ``x[3]`` of an
input, ``act1.a[2]`` of what a node gives. That may be called by its node, ``act1[2]``, where the node gives nothing
else. An entry of any tensor is asked for as ``dW1[3,2]``, ``dz2[5,1]`` or ``loss``. All indices count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.explaining.chain_references import Kind, in_chain
from harness.explaining.symbols import Nodes, entry_name
from harness.inputs.plain import shown
from harness.usage import UsageError, did_you_mean
from impls.graph import Graph, Tensor
from impls.hand import Network
from impls.hand.paths import weighed


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a derivative is taken with respect to.

    Attributes:
        tensor: its name in the network.
        index: of the entry, without the sample, counted from 0.
        symbol: as the formulas write it: ``w_21^(1)``, ``fc1.W[2,1]``.
        name: as the code writes it: ``W1[2,1]``; of an output and an input of a chain the same as the symbol.
        short: as the formulas of one explanation write it: ``w``.
    """

    kind: Kind
    tensor: str
    index: tuple[int, ...]
    symbol: str
    name: str
    short: str

    @property
    def learned(self) -> bool:
        """Whether an optimizer updates it."""
        return self.kind in ("weight", "bias")


def parse(text: str, network: Graph) -> Reference:
    """The reference that a text means in a network.

    Raises:
        UsageError: it cannot be read, or there is no such thing; the message says what there is.
    """
    how = Nodes.of(network, "").how
    if not isinstance(text, str):
        raise UsageError(f"Cannot explain {shown(text)}, because it is no text; {how}.")
    plain = re.sub(r"\s", "", text)
    if isinstance(network, Network):
        plain = re.sub(r"^(?:[d∂]L/)?[d∂](?=[wWbxO])", "", plain)
        meant = in_chain(text, plain, network)
        if meant is not None:
            return reference_of(network, *meant)
    found = re.fullmatch(r"(?:[d∂]L/[d∂])?(.+?)(?:\[([0-9]{1,9}(?:,[0-9]{1,9})*)\])?", plain, flags=re.ASCII)
    tensor = _called(found[1], network) if found else None
    if found is None or tensor is None:
        if isinstance(network, Network):
            raise UsageError(f"Cannot explain {text[:80]!r}, because it names no weight, bias, input or output; {how}.")
        names = [*network.weights, *(source.name for source in network.sources), *network.activations]
        near = did_you_mean(found[1], names) if found else ""
        raise UsageError(
            f"Cannot explain {text[:80]!r}, because there is no such tensor{near}; {how}; weights are "
            f"{', '.join(network.weights)}."
        )
    return reference_of(network, tensor.name, _index(text, tensor, found[2]))


def reference_of(network: Graph, tensor: str, index: tuple[int, ...]) -> Reference:
    """The reference of an entry of a tensor, without the sample, counted from 0."""
    told, nodes = network.tensors[tensor], Nodes.of(network, "")
    name = nodes.in_code(tensor, index)
    if told.role != "weight":
        symbol = nodes.name(tensor, index[0] + 1) if len(index) == 1 else name
        kind: Kind = "input" if told.role == "input" else "output"
        return Reference(kind=kind, tensor=tensor, index=index, symbol=symbol, name=name, short=symbol)
    layer = next(node.layer for node in network.nodes if node.name == told.node)
    feeds = weighed(layer, told.local, index)
    kind = "bias" if feeds is not None and feeds[0] is None else "weight"
    symbol = nodes.weight(tensor, index)
    return Reference(kind=kind, tensor=tensor, index=index, symbol=symbol, name=name, short=told.local.lower())


def _called(name: str, network: Graph) -> Tensor | None:
    """The tensor of that name, or of that gradient's name, or that the node of that name gives."""
    tensor = network.tensors.get(name)
    if tensor is not None and tensor.role == "gradient" and tensor.of:
        tensor = network.tensors[tensor.of]
    if tensor is None:
        gives = next((node.gives for node in network.nodes if node.name == name), ())
        tensor = network.tensors[gives[0]] if len(gives) == 1 else None
    return tensor if tensor is not None and tensor.role in ("weight", "input", "activation") else None


def _index(text: str, tensor: Tensor, place: str | None) -> tuple[int, ...]:
    if tensor.whole:
        raise UsageError(
            f"Cannot explain {text[:80]!r}, because {tensor.name} holds whole numbers, by which nothing is "
            f"differentiated; choose a weight, or what a node gives."
        )
    shape = tuple(int(size) for size in (tensor.shape[1:] if tensor.per_row else tensor.shape))
    index = _inside(place, shape)
    if index is None:
        first = entry_name(tensor.name, (0,) * len(shape))
        last = entry_name(tensor.name, tuple(size - 1 for size in shape))
        raise UsageError(
            f"Cannot explain {text[:80]!r}, because its entries count from 1, {first} to {last}; choose one of them."
        )
    return index


FORM = re.compile(r"([A-Za-z_][\w.-]*)(?:\[([0-9]{1,18}(?:,[0-9]{1,18})*)\])?", flags=re.ASCII)


def entry(text: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, tuple[int, ...]]:
    """Name and index, counted from 0, of the entry that a text names, counted from 1.

    A tensor of one entry needs no index.

    >>> entry("dW1[3,2]", {"dW1": (4, 3)})
    ('dW1', (2, 1))

    Raises:
        UsageError: the text names no entry; the message says what exists.
    """
    match = FORM.fullmatch("".join(text.split()))
    if not match:
        raise UsageError(
            f"Cannot look for {text[:80]!r}, because an entry is written as a tensor and its place, counted from 1; "
            f"write for example {_example(shapes)}."
        )
    name, place = match.groups()
    if name not in shapes:
        raise UsageError(
            f"Cannot look for {text[:80]!r}, because there is no tensor {name}{did_you_mean(name, shapes)}; there are "
            f"{', '.join(shapes)}."
        )
    shape = shapes[name]
    index = _inside(place, shape)
    if index is None:
        sizes = " and ".join(f"1 to {size}" for size in shape)
        has = f"its entries are {name}[{','.join('ij'[: len(shape)])}], {sizes}" if shape else "it is one number"
        raise UsageError(f"Cannot look for {text[:80]!r}, because {has}; write for example {_example({name: shape})}.")
    return name, index


def _inside(place: str | None, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The index that a place means, counted from 0, None where there is none; a tensor of one entry needs no place."""
    if not place:
        return None if any(size != 1 for size in shape) else (0,) * len(shape)
    index = tuple(int(i) - 1 for i in place.split(","))
    inside = len(index) == len(shape) and all(0 <= i < size for i, size in zip(index, shape, strict=True))
    return index if inside else None


def _example(shapes: Mapping[str, tuple[int, ...]]) -> str:
    name, shape = next(iter(shapes.items()))
    return f"{name}[{','.join(map(str, shape))}]" if shape else name
