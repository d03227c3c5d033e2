"""Names: which tensor everything is that a function returned, whatever its author calls it.

A tensor's own name, dW1, goes before all others. What is not there under its own is read under another, if nothing else
can be meant:

    dw1, db_1, dW_1, grad_W1, W1_grad, dL_dW1, nabla_w[0]       marked as a gradient, by a word or a container
    {"layer1": {"dW": ...}}, [{"dW": ...}, ...], {"dW": [...]}  the layer is a container, or a place in one
    W1, b1, {"W": [...]}, [{"W": ...}, ...]                     where nothing is marked, and they are not the weights
    (dW1, db1, dW2, ...), ([dW1, dW2], [db1, db2])              by place, in the one order that the shapes fit
    (loss, gradients)                                           whatever of these the gradients are
    cost, J, total_loss, error                                  one number, which is the loss

Layers counted from 0 are read so where the gradients show it, and activations of which a1 is x itself are counted one
less. A name with a word that is none of these, vW1 or dW1_numerical, means nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np

from harness.candidates.arrays import numbers_of, reshaped
from harness.candidates.leaves import Leaf, leaves_of
from harness.candidates.vocabulary import Parsed, Path, called_loss, vocabulary_of
from impls.contract import Array, is_real
from impls.graph import LOSS, Graph

Shapes = Mapping[str, tuple[int, ...]]


@dataclass
class Named:
    """What a function returned, by the names of the network.

    Attributes:
        held: as it was returned, in the order of the links.
        called: of what has another name than the network's, which.
        ignored: names that mean nothing here.
        said: what there is to say of names that were not read, or could be read in two ways.
        doubted: tensors that several things may be which differ, with these things' names.
        unread: arrays that mean nothing here.
        any: whether anything was returned.
    """

    held: dict[str, Any] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    doubted: dict[str, str] = field(default_factory=dict)
    unread: dict[str, Array] = field(default_factory=dict)
    any: bool = True


def named(
    returned: Any,
    network: Graph,
    shapes: Shapes,
    given: Callable[[], Mapping[str, Array]],
    parameters: Iterable[str] = (),
) -> Named:
    """Find the tensors of a network in what a function returned.

    Args:
        returned: a mapping, or a sequence of some.
        shapes: of every tensor that it may hold, as the function should return them.
        given: the weights, and ``x`` of the only input, as the function was given them.
        parameters: of the function: what ``locals()`` holds anyway is not looked into.
    """
    found = _Finding(network, shapes, given)
    closed = {*shapes, *_handed_on(returned, parameters)}
    leaves = [leaf for leaf in leaves_of(returned, closed, found.words) if leaf.value is not None]
    chosen = found.chosen(leaves)
    result = Named(said=found.said, doubted=found.doubted, any=bool(leaves))
    for name in network.link:
        if name in chosen:
            result.held[name] = chosen[name].value
            if chosen[name].path != (name,):
                result.called[name] = chosen[name].said
    used = {leaf.path for leaf in chosen.values()}
    expected = {*parameters, *network.weights, *network.buffers, "weights", "x", "y"}
    expected |= {source.name for source in network.sources}
    for leaf in leaves:
        top = Leaf(leaf.path[:1], None).said
        if leaf.path in used or top in expected or top.startswith("__"):
            continue
        said = leaf.said if any(path[0] == leaf.path[0] for path in used) else top
        if said not in result.ignored:
            result.ignored.append(said)
        array = numbers_of(leaf.value)
        if array is not None and array.ndim:
            result.unread[leaf.said] = array
    return result


def _handed_on(returned: Any, parameters: Iterable[str]) -> frozenset[str]:
    """The parameters of a function that returned all of them, as ``locals()`` does."""
    all_of_them = frozenset(parameters)
    return all_of_them if isinstance(returned, Mapping) and all_of_them <= set(map(str, returned)) else frozenset()


class _Finding:
    """Finding the tensors of a network in the leaves of one answer."""

    def __init__(self, network: Graph, shapes: Shapes, given: Callable[[], Mapping[str, Array]]) -> None:
        self.network, self.shapes, self.given, self.words = network, shapes, given, vocabulary_of(network)
        self.parsed: dict[Path, Parsed] = {}
        self.said, self.doubted = list[str](), dict[str, str]()

    def chosen(self, leaves: list[Leaf]) -> dict[str, Leaf]:
        """The leaf that each tensor is."""
        self.parsed = {leaf.path: name for leaf in leaves if (name := self.words.parsed(leaf.path))}
        found = {str(leaf.path[0]): leaf for leaf in leaves if len(leaf.path) == 1 and leaf.path[0] in self.shapes}
        gradients = self._gradients(leaves)
        base, first = self._counted_from(gradients)
        behind = self._a1_is_x(leaves)
        if base == 0 or behind:  # what has a tensor's own name may then be another
            moved = set(gradients) if base == 0 else set[Path]()
            moved |= self.parsed.keys() - self._of_weights()
            found = {name: leaf for name, leaf in found.items() if leaf.path not in moved}
        others: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            if (name := self.parsed.get(leaf.path)) is None:
                continue
            if leaf.path in gradients:
                tensor = self.network.gradient.get(self.words.weight(name, base, first) or "")
            else:
                tensor = self._activation(name, base, behind=behind)
            if tensor and leaf is not found.get(tensor) and self._may_be(tensor, leaf):
                others.setdefault(tensor, []).append(leaf)
        for tensor, alike in others.items():
            self._choose(tensor, alike, found)
        if not found.keys() & set(self.network.gradients):
            found |= self._by_place([leaf for leaf in leaves if self.words.is_place(leaf.path)])
        return self._with_loss(leaves, found)

    def _of_weights(self) -> set[Path]:
        """What the name of a weight, or of its gradient, is in."""
        ways = [(base, first) for base in (1, 0) for first in (0, 1)]
        return {path for path, name in self.parsed.items() if any(self.words.weight(name, *way) for way in ways)}

    def _gradients(self, leaves: list[Leaf]) -> list[Path]:
        """What is marked as a gradient of a weight; where nothing is, what is called like a weight and is none."""
        of_weights = self._of_weights()
        marked = [leaf.path for leaf in leaves if leaf.path in of_weights and self.parsed[leaf.path].marked]
        if marked:
            return marked
        groups: dict[Any, list[Leaf]] = {}
        for leaf in leaves:
            if leaf.path in of_weights and numbers_of(leaf.value) is not None:
                place = leaf.path[0] if len(leaf.path) > 1 and isinstance(leaf.path[0], int) else ""
                groups.setdefault(place, []).append(leaf)
        return [leaf.path for group in groups.values() if not self._hold_weights(group) for leaf in group]

    def _hold_weights(self, group: list[Leaf]) -> bool:
        """Whether one of these is a weight that the function was given."""
        base, first = self._counted_from([leaf.path for leaf in group])
        for leaf in group:
            weight = self.given().get(self.words.weight(self.parsed[leaf.path], base, first) or "")
            if weight is not None and _same(leaf.value, weight):
                return True
        return False

    def _counted_from(self, paths: list[Path]) -> tuple[int, int]:
        """From which number layers are counted, in names and in places."""
        names = [self.parsed[path] for path in paths]
        numbers = {name.numbers[0] for name in names if len(name.numbers) == 1}
        places = {name.places[-1] for name in names if name.places and not name.numbers}
        depth = self.words.depth
        from_0 = self.words.chained and 0 in numbers and depth not in numbers
        return (0 if from_0 else 1), (1 if depth in places and 0 not in places else 0)

    def _a1_is_x(self, leaves: list[Leaf]) -> bool:
        first = Parsed(marked=False, words=("a",), numbers=(1,), places=())
        return self.words.chained and any(
            self.parsed.get(leaf.path) == first and _same(leaf.value, self.given()["x"]) for leaf in leaves
        )

    def _activation(self, name: Parsed, base: int, *, behind: bool) -> str | None:
        """The activation, or its gradient, that a name means."""
        if base == 0:
            counted = {each.numbers[:1] for each in self.parsed.values() if each.words == name.words}
            if name.words != ("z",) or (0,) not in counted or (self.words.depth,) in counted:
                return None  # a0 may be x, or the first activation
        tensor = self.words.activation(name, 2 if behind else base)
        return self.network.gradient.get(tensor) if tensor and name.marked else tensor

    def _may_be(self, tensor: str, leaf: Leaf) -> bool:
        """Whether the shape leaves it open; what is called like a gradient of a weight is one, whatever its shape."""
        array = numbers_of(leaf.value)
        if array is None:
            return False
        return reshaped(array.shape, self.shapes[tensor]) or (tensor in self.network.gradients and array.ndim > 0)

    def _choose(self, tensor: str, alike: list[Leaf], found: dict[str, Leaf]) -> None:
        """One leaf of those that may be a tensor: its own name goes first; of others all must be the same."""
        first = found.get(tensor, alike[0])
        differing = [leaf.said for leaf in alike if not _same(leaf.value, first.value)]
        if tensor in found:
            self.said += [f"returned {tensor} and {said}, which differ: {tensor} is read" for said in differing[:1]]
        elif differing:
            self.doubted[tensor] = f"{first.said} and {differing[0]}"
        else:
            found[tensor] = first

    def _by_place(self, leaves: list[Leaf]) -> dict[str, Leaf]:
        """The gradients of the weights where nothing is named, in the one order that the shapes fit."""
        arrays = [leaf for leaf in leaves if (array := numbers_of(leaf.value)) is not None and array.ndim]
        ordered = self._orders()
        for fits, backwards in product((_exactly, _as_many), (False, True)):
            fitting = [order for order in self._orders(backwards=backwards) if self._fit(order, arrays, fits)]
            if fitting and (len(fitting) == 1 or fitting[0] == ordered[0]):
                return dict(zip(fitting[0], arrays, strict=True))
        flat = len(arrays) == len(ordered[0]) and all(len(leaf.path) == 1 for leaf in arrays)
        near = flat and sum(self._fit([n], [leaf], _as_many) for n, leaf in zip(ordered[0], arrays, strict=True))
        return dict(zip(ordered[0], arrays, strict=True)) if 2 * near > len(arrays) else {}

    def _orders(self, *, backwards: bool = False) -> list[list[str]]:
        """Orders in which people return gradients: that of the weights first; or those from the last layer on."""
        tensors = [self.network.tensors[name] for name in self.network.weights]
        of = {(tensor.node, tensor.local): self.network.gradient[tensor.name] for tensor in tensors}
        kinds = list(dict.fromkeys(tensor.local for tensor in tensors))
        nodes = list(dict.fromkeys(tensor.node for tensor in tensors))[:: -1 if backwards else 1]
        orders = []
        for by in (kinds, kinds[::-1], kinds[:1]):
            orders.append([of[node, kind] for node in nodes for kind in by if (node, kind) in of])
            orders.append([of[node, kind] for kind in by for node in nodes if (node, kind) in of])
        return [list(order) for order in dict.fromkeys(map(tuple, orders))]

    def _fit(self, order: list[str], leaves: list[Leaf], fits: Callable[..., bool]) -> bool:
        arrays = [array for leaf in leaves if (array := numbers_of(leaf.value)) is not None]
        return len(order) == len(arrays) and all(
            fits(array.shape, self.shapes[name]) for name, array in zip(order, arrays, strict=True)
        )

    def _with_loss(self, leaves: list[Leaf], found: dict[str, Leaf]) -> dict[str, Leaf]:
        """The loss under another name; or the only number beside the gradients, in a tuple of both."""
        if LOSS in found:
            return found
        alone = [leaf for leaf in leaves if len(leaf.path) == 1 and leaf.path[0] not in self.shapes]
        if named := [leaf for leaf in alone if called_loss(leaf.path[0]) and _one_real(leaf)]:
            first, *others = named
            if not (differing := [leaf.said for leaf in others if not _same(leaf.value, first.value)]):
                return found | {LOSS: first}
            self.said.append(f"returned {first.said} and {differing[0]}, which differ though either may be the loss")
            return found
        used = {leaf.path for leaf in found.values()}
        numbers = [
            leaf for leaf in leaves
            if len(leaf.path) == 1 and isinstance(leaf.path[0], int) and leaf.path not in used
            and (array := numbers_of(leaf.value)) is not None and array.size == 1
        ]  # fmt: skip
        return found | {LOSS: numbers[0]} if found and len(numbers) == 1 else found


def _one_real(leaf: Leaf) -> bool:
    """Whether it is one real number, and so may be a loss; whole numbers count something."""
    array = numbers_of(leaf.value)
    return array is not None and is_real(array) and array.size == 1


def _same(value: Any, other: Any) -> bool:
    """Whether two hold the same numbers, whatever their shapes."""
    one, two = numbers_of(value), numbers_of(other)
    return one is not None and two is not None and np.array_equal(one.ravel(), two.ravel(), equal_nan=True)


def _exactly(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return shape == expected


def _as_many(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return prod(shape) == prod(expected)
