"""A dialect: what somebody's tensors mean where they do not mean what the network's own do.

Either the network that is meant is another one, on the same weights and batch, or a tensor stands for another one. It
holds at every point of the program, not only where it was recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from harness.evaluation.point import Point
from impls.contract import Array
from impls.graph import Graph

Taken = Callable[[Point, Mapping[str, Array]], Mapping[str, Array]]


def as_shown(_point: Point, shown: Mapping[str, Array]) -> Mapping[str, Array]:
    """Every tensor as it is."""
    return shown


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One manner of writing it.

    Attributes:
        says: which, in words that follow ``read with`` or ``is right``: ``for 1/2 times that loss``.
        network: the network that is meant; its links give what is shown.
        taken: what is shown, under the names of what it stands for; what cannot stand for it is left as it is.
        of_loss: whether it is another loss, so that only a loss that is shown can tell.
        without: gradients that are not asked for: of weights that there are not, or that are not trained.
        of_gradients: whether it is read off the gradients, so that the loss may be mistaken besides.
        option: what says so on the command line, where something does.
    """

    says: str
    network: Graph
    taken: Taken = as_shown
    of_loss: bool = False
    without: frozenset[str] = frozenset()
    of_gradients: bool = False
    option: str | None = None

    def point(self, point: Point) -> Point:
        """A point of the network that is meant, where a point of the network is."""
        if self.network is point.network:
            return point
        return replace(
            point, network=self.network, weights={name: point.weights[name] for name in self.network.weights}
        )
