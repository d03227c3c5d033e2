"""Local derivatives of one node: what its layer's own vjp makes of rows of the identity, for all samples at once.

Which output depends on which input, whatever the numbers, is seen by putting NaN in the place of one: what it reaches
depends on it. It is put into a row of what the layer reads, and into a row of the gradient that its vjp reads, with a
row beside it that holds none: where that is reached too, the layer does not work row by row.

What a single entry of a weight weighs, and which neuron it feeds, layers that are weighted sums say by a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from impls.graph import Array, Graph, Link, Node, link_of
from impls.hand.layers.dense import Dense
from impls.hand.paths.steps import Local


class Derivatives:
    """Local derivatives of a network's nodes at some tensors, each computed when a path first takes it.

    Args:
        tensors: inputs, target, weights and activations, by name, of any number type.
        exact: makes the number type's array from a NumPy array of ones and zeros.
    """

    def __init__(
        self, network: Graph, tensors: Mapping[str, Array], exact: Callable[[np.ndarray], Array] = np.asarray
    ) -> None:
        self.network, self.tensors, self.exact = network, tensors, exact
        self.samples = len(tensors[network.sources[0].name])
        self._known: dict[tuple[str, str, str], Local] = {}
        self._slopes: dict[str, Array] = {}
        self._links = {(id(link.names), link.local): link for link in network.backward_links}

    def of(self, node: Node, read: str, given: str) -> Local:
        """Of what a node gives, called `given`, with respect to what it reads, called `read`.

        Raises:
            ValueError: the layer does not work row by row, or the tensors have other axes than sample and neuron.
        """
        key = node.name, read, given
        if key not in self._known:
            self._known[key] = self._local(node, read, given)
        return self._known[key]

    @cached_property
    def of_loss(self) -> Array:
        """Of the loss with respect to what the network gives, (N, K)."""
        return next(link for link in self.network.backward_links if link.layer is self.network.loss)(self.tensors)

    def _local(self, node: Node, read: str, given: str) -> Local:
        names = self.network.names_of(node.name)
        width = self._width(names[given])
        edges = self._edges(node, read, given)
        link = self._vjp(node, read)
        alone = edges.sum(axis=0).max(initial=0) <= 1 and edges.sum(axis=1).max(initial=0) <= 1
        if alone and type(node.layer) not in WEIGHED and getattr(node.layer, "elementwise", True):
            return Local(edges=edges, slope=self._of_ones(node, read, given)[:, edges.argmax(axis=0)])
        if not self._by_row(link):
            return Local(edges=edges, matrix=link({**self.tensors, **self._upstream(node, given, np.eye(width))}).T)
        return Local(edges=edges, matrix=self._coupled(node, link, given, width))

    def slope(self, activation: Node) -> Array:
        """f'(z) of an elementwise activation, (N, K)."""
        if activation.name not in self._slopes:
            (read,), (given,) = activation.local_reads, activation.local_gives
            self._slopes[activation.name] = self._of_ones(activation, read, given)
        return self._slopes[activation.name]

    def of_weight(self, node: Node, weight: str, index: tuple[int, ...], given: str) -> Local:
        """Of what a node gives with respect to one entry of its weight, (N, 1, K).

        A weighted sum has what the entry weighs. For any other layer each sample is a batch of its own, so that the
        gradient of the weight is that sample's local derivative.
        """
        names = self.network.names_of(node.name)
        width = self._width(names[given])
        told = weighed(node.layer, weight, index)
        if told is not None:
            source, neuron = told
            x = self.tensors[names[node.local_reads[0]]]
            ones = self.exact(np.ones((1, 1)))
            matrix = ones if source is None else x[:, [source]][:, :, None]
            return Local(edges=np.arange(width)[None] == neuron, matrix=_spread(matrix, [neuron], width, self.exact))
        for read in node.local_reads:
            if not self.network.tensors[names[read]].whole:
                self._edges(node, read, given)  # refuses what does not work row by row
        link, flat = self._vjp(node, weight), int(np.ravel_multi_index(index, node.weights[weight]))
        per_row = self._by_row(link)
        probe = {**self._synthetic(link, self.samples), **self._whole(per_row)}
        reached, entries = [], []
        for neuron in range(width):
            poisoned = np.zeros((self.samples, width))
            poisoned[:, neuron] = np.nan
            if not np.isnan(link({**probe, names[f"d{given}"]: poisoned})[index]):
                continue
            reached.append(neuron)
            upstream = self._upstream(node, given, np.eye(width)[[neuron]])
            for sample in range(self.samples):
                rows = {name: self.tensors[name][[sample]] for name in per_row}
                entries.append(link({**self.tensors, **rows, **upstream}).reshape(-1)[flat : flat + 1])
        matrix = np.concatenate(entries).reshape(len(reached), self.samples).T[:, None, :]
        edges = np.isin(np.arange(width), reached)[None]
        return Local(edges=edges, matrix=_spread(matrix, reached, width, self.exact))

    def _of_ones(self, node: Node, read: str, given: str) -> Array:
        """What a vjp makes of 1 for every entry of one output: where each reaches one entry, its derivative."""
        ones = np.ones((self.samples, self._width(self.network.names_of(node.name)[given])))
        return self._vjp(node, read)({**self.tensors, **self._upstream(node, given, ones)})

    def _vjp(self, node: Node, read: str) -> Link:
        """The network's own link, or of what it does not differentiate by, an input say, one like it."""
        names = self.network.names_of(node.name)
        found = self._links.get((id(names), f"d{read}"))
        return found or link_of(node, names, f"d{read}", names[f"d{read}"], names[read])

    def _by_row(self, link: Link) -> list[str]:
        """What a vjp reads that has a row for each sample, gradients aside."""
        tensors = self.network.tensors
        return [name for name in link.inputs if name in self.tensors and tensors[name].per_row]

    def _upstream(self, node: Node, given: str, rows: np.ndarray) -> dict[str, Array]:
        """The gradient of one of a node's outputs, and zeros for the others."""
        names = self.network.names_of(node.name)
        others = {
            names[f"d{other}"]: self.exact(np.zeros((len(rows), self._width(names[other]))))
            for other in node.local_gives
            if other != given
        }
        return {**others, names[f"d{given}"]: self.exact(rows)}

    def _coupled(self, node: Node, link: Link, given: str, width: int) -> Array:
        """da_k/dz_m as (N, m, k): every sample `width` times, once for each row of the identity."""
        repeated = np.repeat(np.arange(self.samples), width)
        rows = {name: self.tensors[name][repeated] for name in self._by_row(link)}
        upstream = self._upstream(node, given, np.tile(np.eye(width), (self.samples, 1)))
        gradients = link({**self.tensors, **rows, **upstream})
        of_output = np.arange(self.samples * width).reshape(self.samples, 1, width)
        return gradients[of_output, np.arange(gradients.shape[1])[None, :, None]]

    def _edges(self, node: Node, read: str, given: str) -> np.ndarray:
        """(S, S') whether an output depends on an input."""
        names = self.network.names_of(node.name)
        inputs, outputs = self._width(names[read]), self._width(names[given])
        if getattr(node.layer, "elementwise", False):
            return np.eye(inputs, dtype=bool)
        if type(node.layer) in WEIGHED:
            return np.ones((inputs, outputs), bool)
        forward, vjp = self.network.link[names[given]], self._vjp(node, read)
        with np.errstate(all="ignore"):
            there = _reached(forward, self._synthetic(forward, inputs + 1), names[read], inputs)
            back = _reached(vjp, self._synthetic(vjp, outputs + 1), names[f"d{given}"], outputs)
        if there[-1].any() or back[-1].any():
            raise ValueError(
                f"Cannot follow paths through {node.name}, {node.layer!r}, because it does not work row by row: a "
                f"sample's output depends on other samples, so that no path stays in one; choose a start behind it."
            )
        return there[:-1] | back[:-1].T

    def _whole(self, names: list[str]) -> dict[str, Any]:
        """Whole numbers as given: they choose which entries are used."""
        return {name: self.tensors[name] for name in names if self.network.tensors[name].whole}

    def _synthetic(self, link: Link, rows: int) -> dict[str, np.ndarray]:
        """Numbers from 0.25 to 0.75 for everything that a link reads; a gradient has the shape of its tensor."""
        of = {name: self.network.tensors[name] for name in link.inputs if name in self.tensors}
        of |= {link.names[f"d{local}"]: self.network.tensors[name] for local, name in link.names.items()
               if link.names.get(f"d{local}") in link.inputs}  # fmt: skip
        made = {}
        for name, tensor in of.items():
            shape = tensor.sized(rows)
            made[name] = np.zeros(shape, int) if tensor.whole else np.linspace(0.25, 0.75, prod(shape)).reshape(shape)
        return made

    def _width(self, name: str) -> int:
        tensor = self.network.tensors[name]
        if not tensor.per_row or len(tensor.shape) != 2:
            shape = ", ".join(map(str, tensor.shape))
            raise ValueError(
                f"Cannot follow paths through {name} of shape ({shape}), because a path takes one neuron of each "
                f"sample; choose a start from which every tensor on the way has the shape (N, K), or ask harness why, "
                f"link by link."
            )
        return tensor.width


def _reached(link: Link, tensors: Mapping[str, np.ndarray], name: str, width: int) -> np.ndarray:
    """Where NaN is in what a link gives, a row for each entry of `name` that held it, and one where none did."""
    poisoned = np.array(tensors[name], float)
    poisoned[np.arange(width), np.arange(width)] = np.nan
    return np.isnan(link({**tensors, name: poisoned}))


def _spread(matrix: Array, at: list[int], width: int, exact: Callable[[np.ndarray], Array]) -> Array:
    """A matrix with its columns at some of `width` places, 0 elsewhere."""
    zeros = exact(np.zeros((*matrix.shape[:-1], 1)))
    place = np.full(width, len(at))
    place[at] = np.arange(len(at))
    return np.concatenate([matrix, zeros], axis=-1)[..., place]


Weighed = tuple[int | None, int]
"""The entry of what the layer reads, None for a bias, which weighs 1; and the entry of what the layer gives."""


def _of_dense(local: str, index: tuple[int, ...]) -> Weighed:
    """w_ij weighs x_i and feeds z_j; b_j weighs 1."""
    return (index[0], index[1]) if local == "W" else (None, index[0])


WEIGHED: Mapping[type, Callable[[str, tuple[int, ...]], Weighed]] = {Dense: _of_dense}
"""By class, because a layer that is derived from one of these may do something else with its weights."""


def weighed(layer: Any, local: str, index: tuple[int, ...]) -> Weighed | None:
    """What an entry of a layer's weight weighs and feeds; None of a layer that is no weighted sum."""
    found = WEIGHED.get(type(layer))
    return None if found is None else found(local, index)
