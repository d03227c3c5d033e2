"""Dumps: numbers from elsewhere, a program in C or CUDA or another language, in an NPZ or safetensors file.

A dump holds what a backward pass was given and what it gave, under the names that this project has for it: weights
W1, b1, ..., inputs x, targets y, at least one gradient dW1, db1, ... or dz1, da1, ..., and whatever else there is of
z1, a1, ... and loss. Of a graph it holds every input, and every buffer, by its name. docs/dumps.md has the layout.

Everything is checked by what the file declares, before a number is read.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature

import numpy as np

from harness.candidates.containers import Container, Declared, check_readable, container_of, readable
from harness.evaluation.given import fed
from harness.formats import DTYPES
from harness.usage import UsageError, visible
from impls.contract import Array, Inputs
from impls.graph import TARGET, Graph, prefixed
from impls.hand.notation import describe

LARGEST_BYTES = 2**31
"""A file that declares more than this is not read: its tensors would fill the memory several times over."""


@dataclass(frozen=True)
class Dump:
    """What a dump holds, in its own dtype, float32 or float64.

    Attributes:
        weights: W1 (M, K), b1 (K,), ...
        x: inputs (N, M), or all that the network is fed besides weights, by name; whole numbers as int64.
        y: targets, of the shape that the loss reads; labels as int64.
        shown: gradients and whatever else it holds of the network's tensors, in the order of the links.
        ignored: names that mean nothing here.
    """

    weights: Mapping[str, Array]
    x: Array | Inputs
    y: Array
    shown: Mapping[str, Array]
    ignored: list[str]

    @property
    def dtype(self) -> str:
        """In which all of it was computed."""
        return str(next(iter(self.weights.values())).dtype)


def read_dump(path: str | os.PathLike[str], network: Graph) -> Dump:
    """The dump at `path`, as the numbers of a network.

    Raises:
        UsageError: it cannot be read, lacks something, is of another network, or holds what cannot be checked.
    """
    name = os.fspath(path)
    container = container_of(name)
    check_readable(name)
    links = [name for name in network.link if not network.tensors[name].through]
    held = readable(name, lambda: container.names(name))
    known = [*_needed(network), *links]
    _check_names(name, held, network)
    wanted = [tensor for tensor in known if tensor in held]
    arrays = _arrays(name, container, wanted, network)
    _check_values(name, arrays, network)
    arrays = {each: array.astype(np.int64) if network.tensors[each].whole else array for each, array in arrays.items()}
    return Dump(
        weights={weight: arrays[weight] for weight in network.weights},
        x=fed(network, arrays),
        y=arrays[TARGET],
        shown={tensor: arrays[tensor] for tensor in links if tensor in arrays},
        ignored=[visible(tensor) for tensor in held if tensor not in known],
    )


def _needed(network: Graph) -> list[str]:
    """Names of what a backward pass is given: without one of them nothing can be checked."""
    return [*network.weights, *(source.name for source in network.sources), *network.buffers, TARGET]


def _arrays(path: str, container: Container, wanted: list[str], network: Graph) -> dict[str, Array]:
    declared = readable(path, lambda: container.declared(path, wanted))
    _check_dtypes(path, declared, network)
    _check_shapes(path, declared, network)
    size = sum(np.dtype(each.dtype).itemsize * math.prod(each.shape) for each in declared.values())
    if size > LARGEST_BYTES:
        raise UsageError(
            f"Cannot read {path}, because what it declares takes {size / 2**30:.3g} GiB, more than the "
            f"{LARGEST_BYTES / 2**30:g} that are read; give fewer rows of x."
        )
    return readable(path, lambda: container.read(path, wanted))


def _check_names(path: str, held: Iterable[str], network: Graph) -> None:
    held = set(held)
    weights = set(_weights_of_layers(network))
    weights |= {prefixed("d", name) for name in weights}
    alike = {_without_numbers(name) for name in weights}
    others = sorted(name for name in held - set(network.tensors) if _without_numbers(name) in alike)
    if others:
        raise UsageError(
            f"Cannot check {path} as {describe(network)}, because it holds {_list(others)}, which that network does "
            f"not have; give the model that it comes from."
        )
    missing = [name for name in _needed(network) if name not in held]
    if missing:
        there = _list(sorted(held)) if held else "nothing"
        raise UsageError(
            f"Cannot check {path}, because it lacks {_list(missing)} and holds {there}; harness template writes a file "
            f"with every name that is needed."
        )
    if not any(name in held for name in network.gradient.values()):
        raise UsageError(
            f"Cannot check {path}, because it holds no gradient; give at least one of {_list(network.gradients)}."
        )


def _weights_of_layers(network: Graph) -> Iterator[str]:
    """What the weights of the layers are called, and would be if a layer had all that its rules can read."""
    for node in network.nodes:
        for rule in map(node.rule, node.local_gives):
            yield from (node.named(local) for local in signature(rule).parameters if local not in node.local_reads)


def _without_numbers(name: str) -> str:
    """A name with its numbers struck: the same for all layers of a chain."""
    return re.sub(r"[1-9][0-9]{0,5}", "#", name, flags=re.ASCII)


def _check_dtypes(path: str, declared: Mapping[str, Declared], network: Graph) -> None:
    objects = [name for name, each in declared.items() if each.dtype == "object"]
    if objects:
        raise UsageError(
            f"Cannot read {path}, because {_list(objects)} holds pickled Python objects, and reading those can run any "
            f"program; save arrays of numbers."
        )
    floats = {name: each.dtype for name, each in declared.items() if not network.tensors[name].whole}
    wrong = {name: dtype for name, dtype in floats.items() if dtype not in DTYPES}
    if wrong:
        told = _list([f"{name} is {dtype}" for name, dtype in wrong.items()])
        raise UsageError(
            f"Cannot check {path}, because {told}, and bounds are known for {_list(DTYPES)} only; write everything "
            f"in the one of them that the program computed in."
        )
    if len(set(floats.values())) > 1:
        of = {dtype: [name for name, found in floats.items() if found == dtype] for dtype in DTYPES}
        told = _list([f"{_list(names)} is {dtype}" for dtype, names in of.items() if names])
        raise UsageError(
            f"Cannot check {path}, because {told}; write everything in the one dtype that the program computed in."
        )
    for name in declared:
        tensor = network.tensors[name]
        if tensor.whole and tensor.choices and not re.fullmatch(r"u?int(8|16|32|64)", declared[name].dtype):
            read = "its loss reads class labels" if name == TARGET else "the network reads whole numbers"
            raise UsageError(
                f"Cannot check {path}, because {name} is {declared[name].dtype} and {read}; write them as whole "
                f"numbers, such as int64, from 0 to {tensor.choices - 1}."
            )


def _check_shapes(path: str, declared: Mapping[str, Declared], network: Graph) -> None:
    rows = 0
    for source in network.sources:
        rows, *sizes = declared[source.name].shape or (0,)
        if rows < 1 or tuple(sizes) != source.shape:
            raise UsageError(
                f"Cannot check {path} as {describe(network)}, because {source.name} has shape "
                f"{declared[source.name].shape} instead of ({', '.join(map(str, source.rows))}), with a row for each "
                f"sample; write it so."
            )
    needed = {name: network.tensors[name].sized(rows) for name in declared}
    wrong = [name for name, each in declared.items() if each.shape != needed[name]]
    if not wrong:
        return
    transposed = all(declared[name].shape == needed[name][::-1] for name in wrong)
    instead = "write W of shape (inputs, outputs), a row for each sample, and nothing broadcast"
    if transposed:
        instead = "that is transposed (torch keeps W so); write W of shape (inputs, outputs) and a row for each sample"
    told = _list([f"{name} has shape {declared[name].shape} instead of {needed[name]}" for name in wrong])
    raise UsageError(f"Cannot check {path} as {describe(network)}, because {told}; {instead}.")


def _check_values(path: str, arrays: Mapping[str, Array], network: Graph) -> None:
    for name in _needed(network):
        if not np.all(np.isfinite(arrays[name])):
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(arrays[name]))[0])
            place = ",".join(map(str, index))
            raise UsageError(
                f"Cannot check {path}, because {name}[{place}], counted from 0, is {arrays[name][index]}; give finite "
                f"weights, inputs and targets."
            )
    for name in _needed(network):
        choices, array = network.tensors[name].choices, arrays[name]
        if choices and not (array.min() >= 0 and array.max() < choices):
            index = tuple(int(i) for i in np.argwhere((array < 0) | (array >= choices))[0])
            what = "labels" if name == TARGET else "whole numbers"
            raise UsageError(
                f"Cannot check {path}, because {name}[{','.join(map(str, index))}], counted from 0, is {array[index]}; "
                f"give {what} from 0 to {choices - 1}."
            )
    try:
        network.check_batch(fed(network, arrays), arrays[TARGET])
    except ValueError as error:
        raise UsageError(str(error)) from None
    empty = [name for name, array in arrays.items() if name not in network.weights and np.isnan(array).all()]
    if empty:
        raise UsageError(
            f"Cannot check {path}, because these are not filled (every entry is NaN): {_list(empty)}; write there what "
            f"your program computed, or leave them out."
        )


def _list(names: Iterable[str]) -> str:
    """Names one after the other; of many the first ones."""
    names = [name[:80] for name in names]
    shown = names if len(names) <= 8 else [*names[:7], f"{len(names) - 7} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}"
