"""Jumps: which gradients are valid where an operation has a kink or a tie, by its gradients at points near by.

On both sides of a kink a function has a gradient; between them lies every subgradient. Of tied maxima either may take
the upstream, or both a share of it, but not both the whole: what one takes the others do not, in whichever input they
are. So gradients have to lie between those near by, entry by entry, and all together where these lie: in the smallest
plane that holds them. That plane is known where `HELD` further points, drawn at random, lie in it too; where there are
so many kinks that it is not, sums along the axes of one input have to be those near by, see
`harness.evaluation.subgradients`.

Source: Clarke, "Optimization and Nonsmooth Analysis" (1983), section 2.5: a generalised gradient is a mean of limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from harness.arithmetic import Bounded, profile_of
from harness.arithmetic.threads import every_pool_on_one_thread
from harness.evaluation.references.reference import OperationPoint
from harness.evaluation.subgradients import Sides
from impls.contract import Array

NUDGES = 8
"""Points near an input at which the sides of a kink are looked for, in directions of their own."""
ALONE = 64
"""Entries that are moved against all others one by one, where values repeat; of more, every 64th together."""
NUDGE = 16
"""How far, in unit roundoffs of the dtype, of the input or of 1, whichever is larger."""
BEYOND = 2.0**20
"""Times what changes across the point in one direction that a mean of gradients is off at most: in many kinks one
direction may nearly cancel, but what is smooth changes by some roundings, and a wrong gradient is off by digits."""
HELD, MOST = 16, 128
"""Further points that must lie in the plane of those before; and points after which the plane is given up."""

Ways = dict[str, Array]
"""From -1 to 1 for every entry, by the input."""
Gradients = Mapping[str, Array]
"""By the input."""


class Jumps:
    """Gradients near one point of an operation, by the names of the inputs."""

    def __init__(self, at: OperationPoint, expected: Mapping[str, Bounded]) -> None:
        self.at, self.expected = at, expected
        self._bounds = {name: right.bound for name, right in expected.items()}
        self._reals = {name: np.asarray(at.given[name], np.float64) for name in at.reference.differentiable}
        # What a function measures in float64 may land on the other side of a kink in the dtype itself.
        self._reach = NUDGE * profile_of(at.dtype if at.reference.measured else "float64").u

    def allow(self, name: str, shown: Mapping[str, Array]) -> bool:
        """Whether a gradient outside its allowance takes no more than another valid subgradient, given the others."""
        if not self._between(name, shown):
            return False
        near, _, in_a_plane = self._points
        if not in_a_plane:
            return True
        names = [each for each in self.sides if each == name or self._between(each, shown)]
        point = {each: np.asarray(shown[each], np.float64) for each in names}
        return _inside([self._jumping(each, names) for each in near], self._jumping(point, names), self._bound(names))

    @cached_property
    def sides(self) -> dict[str, Sides]:
        """The lowest and highest near by, NaN where a gradient does not jump."""
        near = self._points[0]
        return {
            name: Sides.of(np.where(self._uneven[name], np.stack([each[name] for each in near]), right.value), right)
            for name, right in self.expected.items()
        }

    @cached_property
    def _uneven(self) -> dict[str, Array]:
        """Where a gradient does not change evenly on the way out: what is smooth jumps nowhere, however far that is."""
        found = {name: np.zeros(right.shape, bool) for name, right in self.expected.items()}
        near, every, _ = self._points
        with every_pool_on_one_thread(), np.errstate(invalid="ignore"):
            for out, ways in zip(near, every, strict=True):
                half = self._at({name: way / 2 for name, way in ways.items()})
                for name, right in self.expected.items():
                    found[name] |= ~(np.abs(out[name] - 2 * half[name] + right.value) <= right.bound)
        return found

    def _between(self, name: str, shown: Mapping[str, Array]) -> bool:
        right = self.expected[name]
        if name not in shown or shown[name].shape != right.shape or self._too_far(right, shown[name]):
            return False
        if not self.sides[name].jumps.any():
            return False
        return self.sides[name].widened(right.bound).allow(shown[name], right)

    def _too_far(self, right: Bounded, shown: Array) -> bool:
        """Whether no jump reaches a gradient: it is off by so much more than all change across the point."""
        off = np.abs(np.asarray(shown, np.float64) - right.value) - right.bound
        return bool(np.any(off > BEYOND * self._across))

    @cached_property
    def _pair(self) -> list[Gradients]:
        """Gradients on both sides, in one direction."""
        with every_pool_on_one_thread():
            return list(map(self._at, self._ways(2)))

    def _ways(self, first: int | None = None) -> list[Ways]:
        return list(islice(ways_of(self._reals, self.at.upstream), first))

    @cached_property
    def _across(self) -> float:
        """The largest change across the point, or bound; infinite where a side is no number."""
        apart = np.maximum(_apart([self._row(each) for each in self._pair]), self._row(self._bounds))
        return float(np.max(np.where(np.isnan(apart), np.inf, apart), initial=0.0))

    @cached_property
    def _points(self) -> tuple[list[Gradients], list[Ways], bool]:
        """Gradients near by, until further ones bring nothing new, and where; and whether they were enough."""
        rng, bound, near = np.random.default_rng(1), self._row(self._bounds), list(self._pair)
        # Where no gradient jumps across the point in one direction, none does in any other.
        if not np.any(_apart([self._row(each) for each in near]) > bound):
            return near, self._ways(2), False
        every = self._ways()
        with every_pool_on_one_thread():
            near += map(self._at, every[2:])
            while len(near) < MOST:
                random = [{n: rng.uniform(-1, 1, a.shape) for n, a in self._reals.items()} for _ in range(HELD)]
                more = list(map(self._at, random))
                if _nothing_new([self._row(each) for each in near], [self._row(each) for each in more], bound):
                    return near, every, True
                near, every = near + more, every + random
        return near, every, False

    def _row(self, gradients: Gradients) -> Array:
        return np.concatenate([gradients[name].ravel() for name in self.expected])

    def _at(self, ways: Ways) -> Gradients:
        moved = {
            name: array + self._reach * np.maximum(np.abs(array), 1) * ways[name] for name, array in self._reals.items()
        }
        with np.errstate(all="ignore"):
            found = self.at.reference.values({**self.at.given, **moved}, self.at.upstream)
        return {name: np.asarray(gradient, np.float64) for name, gradient in found.items()}

    def _jumping(self, gradients: Gradients, names: list[str]) -> Array:
        """The entries that jump, of several gradients in a row."""
        return np.concatenate([gradients[name][self.sides[name].jumps] for name in names])

    def _bound(self, names: list[str]) -> Array:
        return self._jumping(self._bounds, names)


def ways_of(inputs: Mapping[str, Array], upstream: Array | None = None) -> Iterator[Ways]:
    """Directions: by shares of their own and back, all up and all down; and each entry alone where values repeat.

    Of entries that tie, chance would leave some that never win. Where gradients add up, as those of what is repeated,
    the largest sum is that in which all win whose upstream is positive.
    """
    rng, shapes = np.random.default_rng(0), {name: array.shape for name, array in inputs.items()}
    for number in range(NUDGES // 2):
        ways = {name: np.ones(shape) if number == 1 else rng.uniform(-1, 1, shape) for name, shape in shapes.items()}
        yield from (ways, _back(ways))
    if len(inputs) > 1 and upstream is not None:
        for name in [name for name, shape in shapes.items() if shape == upstream.shape]:
            ways = {each: np.zeros(shape) for each, shape in shapes.items()} | {name: np.sign(upstream)}
            yield from (ways, _back(ways))
    if any(np.unique(array).size < array.size for array in inputs.values()):
        for place in range(min(ALONE, max(array.size for array in inputs.values()))):
            yield {
                name: np.where(np.arange(a.size) % ALONE == place, 1.0, -1.0).reshape(a.shape)
                for name, a in inputs.items()
            }


def _back(ways: Ways) -> Ways:
    return {name: -way for name, way in ways.items()}


def _apart(rows: Sequence[Array]) -> Array:
    with np.errstate(invalid="ignore"):  # inf - inf where the function overflows
        return np.max(rows, axis=0) - np.min(rows, axis=0)


def _nothing_new(near: list[Array], more: Sequence[Array], bound: Array) -> bool:
    """Whether further points lie between others and in their plane, in the entries that jump."""
    jumps = _apart(near) > bound
    known, room = [row[jumps] for row in near], bound[jumps]
    low, high = np.min(known, axis=0) - room, np.max(known, axis=0) + room
    further = [row[jumps] for row in more]
    return all(np.all((low <= row) & (row <= high)) and _inside(known, row, room) for row in further)


def _inside(near: list[Array], point: Array, bound: Array) -> bool:
    """Whether a point lies in the plane of others, as far as what is known of each within its bound can tell."""
    first, *others = near
    if not all(np.isfinite(each).all() for each in (*near, point)):
        return True
    span = np.array([other - first for other in others])
    # Each is known to within its bound; a decomposition loses so many roundings of the largest singular value.
    noise = float(np.linalg.norm(bound)) + sum(span.shape) * np.finfo(np.float64).eps * float(np.linalg.norm(span))
    u, sizes, v = np.linalg.svd(span, full_matrices=False)
    known = sizes > 2 * noise * np.sqrt(len(others))  # the rest may be rounding
    shares = (v[known] @ (point - first)) / sizes[known]
    rest = point - first - (shares * sizes[known]) @ v[known]
    weights = np.abs(u[:, known] @ shares).sum()  # what a mean is off by is what its points are, times these
    return bool(np.linalg.norm(rest) <= 2 * noise * (1 + weights))
