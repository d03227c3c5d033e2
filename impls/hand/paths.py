"""The chain rule path by path: a derivative is the sum, over all paths, of the product along each path.

    dL/dw = sum over paths  dL/dO * dO/dO * ... * dO/dw

A path leads from a weight w into the one neuron that w feeds, through one neuron of every later layer, to the
loss L. In a batch every sample has neurons of its own, and all samples share w: a path runs within one sample.

    w_21^(1) -> O11 -> O21 -> O31 -> L              4-3-2-1: two routes,
    w_21^(1) -> O11 -> O22 -> O31 -> L              so two paths in every sample

A step from one layer's output to the next is weighted sum and activation in one, dO_k/dO_i = f'(z_k) w_ik. Where
an activation couples the neurons of its layer (softmax) each z_m leads to every O_k: z is a level of its own, and
the paths fan out once more. The loss is one step, whatever it couples: dL/dO_k, all other outputs held.

Nothing is differentiated here. Each step's local derivatives are what the layer's own vjp makes of rows of the
identity: with e_k as upstream gradient it gives the derivatives of output k.

Shapes: a level has S nodes, a step from level to level the local derivatives (N, S, S').
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np

from impls.graph import Link
from impls.graph.primitive import Array
from impls.hand.layers.dense import Dense
from impls.hand.network import Network


@dataclass(frozen=True)
class Level:
    """Where a path stands after a step: one of some entries (counted from 0) of a tensor, ``a2`` or ``loss``."""

    tensor: str
    entries: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """Local derivatives from every node of a level to every node of the next: ``matrix * slope``.

    Attributes:
        matrix: (S, S') where it is the same in every sample, else (N, S, S').
        slope: f'(z) at the target (N, S'), or None where no activation is passed.
    """

    matrix: Array
    slope: Array | None = None

    def everywhere(self) -> Array:
        """(N, S, S'), or (1, S, S') where no sample differs."""
        matrix = self.matrix if self.matrix.ndim == 3 else self.matrix[None]
        return matrix if self.slope is None else matrix * self.slope[:, None, :]

    def at(self, sample: int, source: int | slice = slice(None)) -> Array:
        """(S, S') in one sample, or (S',) from one node."""
        matrix = (self.matrix[sample] if self.matrix.ndim == 3 else self.matrix)[source]
        return matrix if self.slope is None else matrix * self.slope[sample]

    def carry(self, arrived: Array) -> Array:
        """What arrives at the next level (N, S'), from what arrived at this one (N, S), over all routes."""
        alike = self.matrix.ndim == 2
        carried = arrived @ self.matrix if alike else (arrived[:, :, None] * self.matrix).sum(axis=1)
        return carried if self.slope is None else carried * self.slope

    def magnitudes(self) -> Step:
        """The same with absolute values."""
        return Step(np.absolute(self.matrix), None if self.slope is None else np.absolute(self.slope))


@dataclass(frozen=True)
class Path:
    """One path: its sample, the node it takes of each level (counted within the level), and its numbers."""

    sample: int
    route: tuple[int, ...]
    factors: tuple[float, ...]
    product: float


class Paths:
    """All paths from one entry of a weight, of the input or of a layer's output to the loss.

    Args:
        network: whose layers give the local derivatives.
        tensors: x, y, the weights and the activations, by name, of any number type.
        start: the tensor that the paths start from (``W1``, ``b1``, ``x``, ``a1``; ``z1`` where no activation
            follows) and the entry of it, without the sample, counted from 0: (i, j) or (j,).
        exact: makes the number type's array from a NumPy array of ones and zeros.

    Attributes:
        levels: from the start, which has one node, to the loss, which has one.
        steps: from each level to the next.
        samples: N.
    """

    def __init__(
        self,
        network: Network,
        tensors: Mapping[str, Array],
        start: tuple[str, tuple[int, ...]],
        exact: Callable[[np.ndarray], Array] = np.asarray,
    ) -> None:
        self.network, self.tensors, self.exact = network, tensors, exact
        self.samples = tensors["x"].shape[0]
        self.levels: list[Level] = []
        self.steps: list[Step] = []
        self._vjps = {link.output: link for link in network.backward_links}
        self._start(*start)

    def _start(self, name: str, index: tuple[int, ...]) -> None:
        stages = _stages(self.network)
        if name[0] in "Wb":
            depth = int(name[1:])
            self.levels.append(Level(name, (0,)))
            self._enter(self._of_weight(name, index, stages[depth - 1][0]), stages[depth - 1], index[-1:])
        else:
            depth = 0 if name == "x" else int(name[1:])
            self.levels.append(Level(name, index))
        for stage in stages[depth:]:
            self._enter(self._of_sources(stage[0]), stage, tuple(range(stage[0].layer.outputs)))
        gradient = self._vjps["d" + self.network.output](self.tensors)
        self._add(Step(gradient[:, list(self.levels[-1].entries)][:, :, None]), "loss", (0,))

    def _of_weight(self, name: str, index: tuple[int, ...], dense: Link) -> Array:
        """dz_j/dw_ij = x_i, and dz_j/db_j = 1: the one entry of the vjp's x^T dz, or sum of dz, that e_j leaves."""
        if name[0] == "b":
            return self.exact(np.ones((1, 1)))
        return self.tensors[dense.inputs[0]][:, [index[0]]][:, :, None]

    def _of_sources(self, dense: Link) -> Array:
        """dz_j/dx_i for every source i at the last level."""
        of_outputs = dense.layer.dx(self.exact(np.eye(dense.layer.outputs)), self.tensors[dense.inputs[1]])
        return of_outputs.T[list(self.levels[-1].entries)]

    def _enter(self, matrix: Array, stage: tuple[Link, Link | None], neurons: tuple[int, ...]) -> None:
        """Steps into some neurons of a stage, `matrix` being the derivatives of its weighted sums."""
        dense, activation = stage
        if activation is None:
            self._add(Step(matrix), dense.output, neurons)
        elif getattr(activation.layer, "elementwise", False):
            slope = self._vjp(activation, self.exact(np.ones((self.samples, dense.layer.outputs))), self.tensors)
            self._add(Step(matrix, slope[:, list(neurons)]), activation.output, neurons)
        else:
            self._add(Step(matrix), dense.output, neurons)
            jacobian = self._coupled(activation, dense.layer.outputs)
            self._add(Step(jacobian[:, list(neurons)]), activation.output, tuple(range(dense.layer.outputs)))

    def _add(self, step: Step, tensor: str, neurons: tuple[int, ...]) -> None:
        self.steps.append(step)
        self.levels.append(Level(tensor, neurons))

    def _vjp(self, activation: Link, upstream: Array, tensors: Mapping[str, Array]) -> Array:
        (z,) = activation.inputs
        return self._vjps["d" + z]({**tensors, "d" + activation.output: upstream})

    def _coupled(self, activation: Link, width: int) -> Array:
        """da_k/dz_m as (N, m, k): every sample `width` times, once for each row of the identity."""
        (z,) = activation.inputs
        repeated = np.repeat(np.arange(self.samples), width)
        rows = {name: self.tensors[name][repeated] for name in (z, activation.output)}
        upstream = self.exact(np.tile(np.eye(width), (self.samples, 1)))
        gradients = self._vjp(activation, upstream, {**self.tensors, **rows})
        of_output = np.arange(self.samples * width).reshape(self.samples, 1, width)
        return gradients[of_output, np.arange(width)[None, :, None]]

    @property
    def routes(self) -> int:
        """Number of paths in one sample, exactly: the product of the widths of the levels."""
        return math.prod(len(level.entries) for level in self.levels)

    @property
    def count(self) -> int:
        """Number of paths in all samples."""
        return self.routes * self.samples

    def products(self) -> Array:
        """The product along every path, multiplied from the start on; as many entries as paths.

        Shape (N, ...), with an axis for each level of several nodes: one node needs none.
        """
        product = self.steps[0].everywhere()[:, 0]
        for step in self.steps[1:]:
            local = step.everywhere()
            between = (slice(None), *(None,) * (product.ndim - 2))
            one = product.shape[-1] == 1
            product = product * local[:, 0][between] if one else product[..., None] * local[between]
        return product[..., 0]

    def arrivals(self) -> list[Array]:
        """For every level what arrives over all routes, (N, S): the derivative of each node by the start."""
        return self._carried(self.steps)

    def sums(self) -> Array:
        """The sum over the paths of each sample (N,), layer by layer, however many paths there are."""
        return self.arrivals()[-1][:, 0]

    def magnitudes(self) -> Array:
        """The sum of |product| over the paths of each sample (N,)."""
        return self._carried([step.magnitudes() for step in self.steps])[-1][:, 0]

    def _carried(self, steps: Sequence[Step]) -> list[Array]:
        arrived = [self.exact(np.ones((self.samples, 1)))]
        for step in steps:
            arrived.append(step.carry(arrived[-1]))
        return arrived

    def path(self, sample: int, route: Sequence[int]) -> Path:
        """The path that takes these nodes, one of each level from the start on."""
        factors = tuple(
            float(step.at(sample, source)[target])
            for step, (source, target) in zip(self.steps, pairwise(route), strict=True)
        )
        return Path(sample, tuple(route), factors, math.prod(factors))

    def largest(self, most: int) -> list[Path]:
        """The `most` paths of largest |product|, in that order; equal ones in the order of sample and route.

        Best-first search: the queue holds samples and beginnings of paths, each with a bound on the |product| of
        every path that it may become, the largest bound in front. A beginning's bound is its own product times
        the largest product of what can follow (dynamic programming from the loss back); a sample's, before
        it is opened, is its sum of magnitudes. What comes out whole is the largest that is left.
        Paths whose products differ by no more than their rounding may change places. For float64 arrays.
        """
        ends = len(self.levels)
        ahead: dict[int, list[np.ndarray]] = {}
        queue: list[tuple[float, int, tuple[int, ...], float]] = [
            (-float(bound), sample, (), 1.0) for sample, bound in enumerate(self.magnitudes())
        ]
        heapify(queue)
        found: list[Path] = []
        while queue and len(found) < most:
            _, sample, route, product = heappop(queue)
            if len(route) == ends:
                found.append(self.path(sample, route))
                continue
            if not route:
                ahead[sample] = self._ahead(sample)
                nodes, products = range(1), np.ones(1)
            else:
                products = product * self.steps[len(route) - 1].at(sample, route[-1])
                nodes = range(len(products))
            bounds = np.abs(products) * ahead[sample][len(route)]
            for node in nodes:
                heappush(queue, (-float(bounds[node]), sample, (*route, node), float(products[node])))
        return found

    def _ahead(self, sample: int) -> list[np.ndarray]:
        """For every node of every level the largest |product| from there to the loss, in one sample."""
        best = [np.ones(1)]
        for step in reversed(self.steps):
            best.append((np.abs(step.at(sample)) * best[-1]).max(axis=1))
        return best[::-1]


def _stages(network: Network) -> list[tuple[Link, Link | None]]:
    """Each Dense layer's forward link with that of the activation behind it, if there is one."""
    stages: list[tuple[Link, Link | None]] = []
    for link in network.forward_links:
        if isinstance(link.layer, Dense):
            stages.append((link, None))
        else:
            stages[-1] = (stages[-1][0], link)
    return stages
