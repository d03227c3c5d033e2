"""Conventions at kinks: another valid subgradient is no mistake.

Where an argument is known only within a bound, both branches are open and the walk covers either convention: it passes
the hull of both on. Where it is exact, as in a tensor that is shown and taken as it is, the walk takes one, and
`on_a_kink` lets the others be.

Where arguments exactly on kinks are not shown, one convention decides them for all links of a kind. On whole numbers
many arguments are so, and their hull hides errors. There no program rounds, and each takes one side: the hand code's,
the other one or the middle. An argument that rounding may put on either side stays open.

Where no program rounds: let every product of a weighted sum be a multiple of 2^g. If the magnitudes of products and
bias add up to less than 2^(g + p), with p digits, then every partial sum, in whatever order, is a multiple of 2^g below
that, and so a number of the dtype. The largest such g is the sum of the exponents of the lowest digits of both factors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import Bounded
from harness.arithmetic.bounded import Floats
from harness.evaluation.centre import parts_of
from harness.evaluation.expected import Walk
from harness.evaluation.incremental import Replay
from harness.evaluation.subgradients import Sides
from impls.contract import Array
from impls.graph import Graph, Link, Rule
from impls.hand import Add, Dense, Elu, HardSigmoid, LeakyRelu, MeanAbsoluteError, Relu
from impls.hand.layers.dense import rows_of
from impls.hand.losses.scaled import bare

Side = Literal["below", "above", "middle", "outside", "inside"]

OWN: Mapping[type, Side] = {
    Relu: "below", LeakyRelu: "below", Elu: "below", MeanAbsoluteError: "middle", HardSigmoid: "outside",
}  # fmt: skip
"""What the hand code takes at each kind of kink."""

SMOOTH: Mapping[type, Callable[[Any], bool]] = {Elu: lambda layer: layer.alpha == 1}
"""Of a kind of layer whose derivative jumps, or not: when it does not."""


def _of_hard_sigmoid(da: Any, z: Any) -> Iterator[tuple[Bounded, Bounded, Bounded]]:
    yield z == -3, 0 * da, da / 6
    yield z == 3, da / 6, 0 * da


SEVERAL: Mapping[type, Callable[..., Iterator[tuple[Bounded, Bounded, Bounded]]]] = {HardSigmoid: _of_hard_sigmoid}
"""Of a kind of layer with several kinks, which says nothing of them itself: as `one_sided` gives it, for each."""

_SAYS: Mapping[tuple[Side, Side], str] = {("below", "above"): "the other side", ("outside", "inside"): "the other side"}


@dataclass(frozen=True)
class Convention:
    """What is taken at the kinks of each kind of layer or loss."""

    sides: Mapping[type, Side]

    def __str__(self) -> str:
        told = []
        for kind, side in self.sides.items():
            if side != OWN[kind]:
                usual = "the middle of both sides" if side == "middle" else f"the side {side}"
                told.append(_SAYS.get((OWN[kind], side), usual))
        return " and ".join(dict.fromkeys(told))


class Kinks:
    """The kinks of a network whose derivative is not shown."""

    def __init__(self, network: Graph, shown: Collection[str]) -> None:
        self.network = network
        self.links = [
            link
            for link in network.backward_links
            if link.of and network.gradient[link.of] not in shown and _kind(link) and _jumps(link)
        ]

    def conventions(self) -> list[Convention]:
        """Every one, the hand code's first, then those that differ from it for fewest kinds."""
        kinds = list({_kind(link): None for link in self.links if _kind(link)})
        choices = [Convention(dict(zip(kinds, sides, strict=True))) for sides in product(*map(_sides, kinds))]  # type: ignore[arg-type]
        return sorted(choices, key=lambda c: sum(side != OWN[kind] for kind, side in c.sides.items()))

    def decided(self, convention: Convention) -> dict[str, Rule]:
        """Rules for a walk in which every argument exactly on a kink takes its side."""
        sums: dict[str, Rule] = {
            link.output: partial(EXACT[type(link.layer)], link)
            for link in self.network.forward_links
            if type(link.layer) in EXACT
        }
        return sums | {link.output: partial(_decided, link, convention) for link in self.links}

    def on_kinks(self, walked: Walk) -> int:
        """How many arguments are exactly on a kink, in a walk with `decided` rules."""
        count = 0
        for link in self.links:
            for mask, _, _ in _kinks(link, walked.read):
                count += int(np.count_nonzero((mask.value != 0) & (mask.bound == 0)))
        return count


def _kind(link: Link) -> type | None:
    layer = bare(link.layer)
    return type(layer) if type(layer) in OWN and link.of == link.names.get(link.layer.reads) else None


def _jumps(link: Link) -> bool:
    smooth = SMOOTH.get(type(link.layer))
    return smooth is None or not smooth(link.layer)


def _sides(kind: type) -> tuple[Side, ...]:
    return ("below", "above", "middle") + (("outside", "inside") if kind in SEVERAL else ())


def _kinks(link: Link, tensors: Mapping[str, Any]) -> Iterator[tuple[Bounded, Bounded, Bounded]]:
    """Where each kink is, as a comparison, and the gradients there from below and from above."""
    reads = [tensors[name] for name in link.inputs]
    if type(link.layer) in SEVERAL:
        yield from SEVERAL[type(link.layer)](*reads)
    else:
        yield link.layer.one_sided(*reads)


def _decided(link: Link, convention: Convention, tensors: Mapping[str, Any]) -> Any:
    context = next((t.context for t in map(tensors.__getitem__, link.inputs) if isinstance(t, Bounded)), None)
    undecided = context.undecided if context else 0
    value = link(tensors)
    if context:  # only what the comparisons below leave open remains open
        context.undecided = undecided
    kind = _kind(link)
    for position, (mask, below, above) in enumerate(_kinks(link, tensors)):
        side = convention.sides[kind] if kind else "middle"
        value = np.where(mask, _taken(side, below, above, upper=position == 1), value)  # type: ignore[call-overload]
    return value


def _taken(side: Side, below: Bounded, above: Bounded, *, upper: bool) -> Bounded:
    if side == "middle":
        return 0.5 * (below + above)
    outside = above if upper else below
    inside = below if upper else above
    return {"below": below, "above": above, "outside": outside, "inside": inside}[side]


def on_a_kink(network: Graph, link: Link, actual: Array, bounds: Replay) -> bool:
    """Whether all that is wrong in a shown tensor stands exactly on a kink, between the values of both sides."""
    parts = parts_of(network, link, ())
    sides = Sides.of_link(link, lambda each: [bounds.tensors[name] for name in each.inputs], parts)
    return sides is not None and sides.allow(actual, bounds.expected[link.output])


NO_DIGIT = 5000
"""The exponent of the lowest digit of 0: above every other, so that 0 restricts no grid."""


def exact_where_nothing_rounds(link: Link, tensors: Mapping[str, Any]) -> Any:
    """What a Dense layer's forward link gives, without a bound where no program rounds; plain arrays have none."""
    value = link(tensors)
    if not isinstance(value, Bounded):
        return value
    x, W, *bias = (tensors[name] for name in link.inputs)
    b = bias[0] if bias else Bounded(np.zeros(W.shape[1]), np.zeros(W.shape[1]), value.context)
    x, z = rows_of(x), rows_of(value.value)
    exact = _by_rows_and_columns(x, W, b)
    for column in np.unique(np.nonzero((z == 0) & ~exact)[1]):
        rows = np.nonzero((z[:, column] == 0) & ~exact[:, column])[0]
        exact[rows, column] = _by_terms(x[rows], W[:, column], b[column])
    return Bounded(value.value, np.where(exact.reshape(value.shape), 0.0, value.bound), value.context)


def _sum_of_two(link: Link, tensors: Mapping[str, Any]) -> Bounded:
    """What an Add gives, likewise."""
    value: Bounded = link(tensors)
    p, q = (tensors[name] for name in link.inputs)
    grid = np.minimum(_lowest_digit(p.value), _lowest_digit(q.value))
    exact = (p.bound == 0) & (q.bound == 0) & _fits(np.abs(p.value) + np.abs(q.value), grid, p)
    return Bounded(value.value, np.where(exact, 0.0, value.bound), value.context)


EXACT: Mapping[type, Callable[[Link, Mapping[str, Any]], Bounded]] = {
    Dense: exact_where_nothing_rounds,
    Add: _sum_of_two,
}
"""By class of layer: what its forward link gives, without a bound where no program rounds."""


def _by_rows_and_columns(x: Bounded, W: Bounded, b: Bounded) -> NDArray[np.bool_]:
    """One grid for a row of x and a column of W."""
    grid = np.minimum(
        _lowest_digit(x.value).min(axis=1)[:, None] + _lowest_digit(W.value).min(axis=0), _lowest_digit(b.value)
    )
    known = (x.bound == 0).all(axis=1)[:, None] & (W.bound == 0).all(axis=0) & (b.bound == 0)
    return known & _fits(np.abs(x.value) @ np.abs(W.value) + np.abs(b.value), grid, x)


def _by_terms(x: Bounded, w: Bounded, b: Bounded) -> NDArray[np.bool_]:
    """A grid of its own for each sum: what is multiplied by 0 plays no part in it."""
    used = (w.value != 0) & ((x.value != 0) | (x.bound != 0))
    known = ~(used & ((x.bound != 0) | (w.bound != 0))).any(axis=1) & (w.bound == 0).all() & (b.bound == 0)
    digits = np.where(used, _lowest_digit(x.value) + _lowest_digit(w.value), NO_DIGIT)
    grid = np.minimum(digits.min(axis=1), _lowest_digit(b.value))
    return known & _fits((np.abs(x.value) * np.abs(w.value)).sum(axis=1) + np.abs(b.value), grid, x)


def _fits(total: Floats, grid: NDArray[np.int_], like: Bounded) -> NDArray[np.bool_]:
    profile = like.context.profile
    normal = np.ldexp(1.0, np.minimum(grid, 0)) >= profile.eta
    with np.errstate(over="ignore"):
        return np.asarray((total < np.ldexp(1.0, np.minimum(grid, NO_DIGIT) + profile.computes.digits)) & normal)


def _lowest_digit(values: Floats) -> NDArray[np.int_]:
    """Exponent of the lowest binary digit that is not 0."""
    finite = np.where(np.isfinite(values), values, 0.0)
    mantissa, exponent = np.frexp(np.abs(finite))
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    _, lowest = np.frexp((whole & -whole).astype(np.float64))
    return np.where(finite != 0, exponent - 53 + lowest - 1, NO_DIGIT)
