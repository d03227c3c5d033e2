"""A vocabulary: the words in which people name the tensors of a network, and which tensor a name in them means.

A name is taken apart at capitals, digits and signs: ``dL_dW1`` is d, L, d, W, 1; containers and places around it count
as more of it, ``{"layer1": {"dW": ...}}`` as layer, 1, d, W. It means something only if all of its words are known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from impls.graph import Graph, Tensor
from impls.hand import Network

Path = tuple[str | int, ...]
"""How something is reached in what was returned: keys and places, from the outside in."""

MARKS = frozenset(
    ("d", "dl", "dj", "de", "dc", "dloss", "dcost", "g", "grad", "grads", "gradient", "gradients", "nabla")
)
"""Words that make what they stand beside a gradient."""
BY = frozenset(("l", "j", "e", "c", "loss", "cost", "wrt", "by"))
"""Words that add nothing behind a mark: dL/dW1, grad_loss_wrt_W1."""
AROUND = frozenset(("layer", "layers", "dense", "fc", "linear"))
"""Words for what a weight belongs to."""
ELSEWHERE = {"weight": "w", "weights": "w", "kernel": "w", "kernels": "w", "bias": "b", "biases": "b"}
"""What a weight of a layer is called elsewhere."""
PREFIXES = ("dl", "dj", "de", "dc", "d", "grad", "g")
"""Marks that are written together with what they mark, in small letters: dw, gradw, dldw."""


LOSS_LETTERS = frozenset("JLE")
"""Letters that stand for a loss in textbooks."""
LOSS_WORDS = frozenset(("loss", "cost", "error", "err", "objective", "nll", "mse", "sse", "bce"))
"""What people call the loss besides."""
LOSS_KINDS = frozenset(("total", "mean", "avg", "average", "train", "training", "batch", "final", "sum"))
"""Words that add nothing to a name of the loss: total_loss."""
REMEMBERED = 10_000
"""Names of which it is kept what they say: a training asks for the same ones at every step."""


def called_loss(name: str | int) -> bool:
    """Whether people call a loss so.

    >>> [name for name in ("J", "total_loss", "Cost", "l", "reg_loss", "d_loss") if called_loss(name)]
    ['J', 'total_loss', 'Cost']
    """
    tokens = _tokens(name) if isinstance(name, str) else None
    said = [token for token in tokens or () if token not in LOSS_KINDS]
    return name in LOSS_LETTERS or (len(said) == 1 and said[0] in LOSS_WORDS)


class Parsed(NamedTuple):
    """What a name says: whether it is marked as a gradient, its other words, sorted, its numbers and places."""

    marked: bool
    words: tuple[str, ...]
    numbers: tuple[int, ...]
    places: tuple[int, ...]


Key = tuple[tuple[str, ...], tuple[int, ...]]


class Vocabulary:
    """The words for one network.

    Attributes:
        chained: whether layers have numbers in place of names, so that they can be counted otherwise.
        depth: how many layers there are, or nodes that own weights.
    """

    def __init__(self, network: Graph) -> None:
        tensors = network.tensors.values()
        self.chained = isinstance(network, Network)
        weights = [network.tensors[name] for name in network.weights]
        activations = [tensor for tensor in tensors if tensor.role == "activation"]
        self._weights, self._activations = _table(weights), _table(activations)
        self._own = {word for (words, _) in (*self._weights, *self._activations) for word in words}
        locals_ = Counter(_words(weight.local) for weight in weights)
        self._only = {words: weight.name for weight in weights if locals_[words := _words(weight.local)] == 1}
        self._owners: list[Key] = []
        for weight in weights:
            words, numbers = _key(weight.name)
            owner = tuple(word for word in words if word not in _words(weight.local)), numbers
            if owner not in self._owners:
                self._owners.append(owner)
        self.depth = len(self._owners)
        self._read: dict[Path, Parsed | None] = {}

    def parsed(self, path: Path) -> Parsed | None:
        """What a name says; None where a word of it is unknown, or none says what it is."""
        if path not in self._read:
            if len(self._read) > REMEMBERED:
                self._read.clear()
            self._read[path] = self._parse(path)
        return self._read[path]

    def _parse(self, path: Path) -> Parsed | None:
        marked, words, around, numbers, places = False, list[str](), list[str](), list[int](), list[int]()
        for part in path:
            if isinstance(part, int):
                places.append(part)
                continue
            tokens = _tokens(part)
            if tokens is None:
                return None
            for token in tokens:
                word = ELSEWHERE.get(token, token)
                if token.isdigit():
                    numbers.append(int(token))
                elif word in self._own:
                    words.append(word)
                elif token in MARKS or (marked and token in BY):
                    marked = True
                elif token in AROUND:
                    around.append(token)
                elif (rest := self._marked(token)) is not None:
                    marked = True
                    words.append(rest)
                else:
                    return None
        return Parsed(marked, tuple(sorted(words)), tuple(numbers), tuple(places)) if words else None

    def is_place(self, path: Path) -> bool:
        """Whether a path consists of places, and of words that say no more than that gradients are there."""
        return all(isinstance(part, int) or set(_tokens(part) or [""]) <= MARKS for part in path)

    def lacks_place(self, path: Path) -> bool:
        """Whether a path means the same weight of every layer: ``dW``, of which a list holds one after the other."""
        name = self.parsed(path) if path and isinstance(path[-1], str) else None
        if name is None or name.numbers or self.weight(name, 1, 0):
            return False
        return self.weight(name._replace(places=(0,)), 1, 0) is not None

    def weight(self, name: Parsed, base: int, first: int) -> str | None:
        """The weight that a name means; layers are counted from `base` in names, from `first` in places."""
        if found := self._weights.get((name.words, self._counted(name.numbers, base))):
            return found
        if name.numbers:
            return None
        if not name.places:
            return self._only.get(name.words)
        place = name.places[-1] - first
        if not 0 <= place < self.depth:
            return self._only.get(name.words)
        words, numbers = self._owners[place]
        return self._weights.get((tuple(sorted((*name.words, *words))), numbers))

    def activation(self, name: Parsed, base: int) -> str | None:
        """The activation that a name means."""
        return self._activations.get((name.words, self._counted(name.numbers, base)))

    def _counted(self, numbers: tuple[int, ...], base: int) -> tuple[int, ...]:
        return numbers if base == 1 or not numbers or not self.chained else (numbers[0] + 1 - base, *numbers[1:])

    def _marked(self, token: str) -> str | None:
        """The word that a mark is written together with."""
        rest, behind = token, token.removesuffix("grad")
        if behind != token and ELSEWHERE.get(behind, behind) in self._own:
            return ELSEWHERE.get(behind, behind)
        while prefix := next((prefix for prefix in PREFIXES if rest.startswith(prefix) and rest != prefix), None):
            rest = rest.removeprefix(prefix)
            if (word := ELSEWHERE.get(rest, rest)) in self._own:
                return word
        return None


@lru_cache(maxsize=4)
def vocabulary_of(network: Graph) -> Vocabulary:
    """The words for a network."""
    return Vocabulary(network)


def _table(tensors: Iterable[Tensor]) -> dict[Key, str]:
    """Tensors by what their names are made of; not those that would be taken for each other."""
    found: dict[Key, list[str]] = {}
    for tensor in tensors:
        found.setdefault(_key(tensor.name), []).append(tensor.name)
    return {key: names[0] for key, names in found.items() if len(names) == 1}


def _key(name: str) -> Key:
    return _words(name), tuple(int(token) for token in _tokens(name) or () if token.isdigit())


def _words(name: str) -> tuple[str, ...]:
    return tuple(sorted(ELSEWHERE.get(token, token) for token in _tokens(name) or () if not token.isdigit()))


def _tokens(text: str) -> list[str] | None:
    """The words and numbers of a name, in small letters; None where there is anything else in it."""
    text = re.sub("d([LJEC])d(?=[A-Za-z])", r"d \1 d ", text.replace("∂", " d ").replace("∇", " nabla "))
    if len(text) > 200 or not re.fullmatch(r"[A-Za-z0-9_.,/|() -]*", text):
        return None
    return [token.lower() for token in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]{1,9}", text)]
