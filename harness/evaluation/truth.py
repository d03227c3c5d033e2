"""The truth: every tensor of a pass as exact real arithmetic would give it, exactly or within a ball.

The hand code itself is run, link by link, on exact numbers. A network of Dense layers, piecewise linear activations and
losses of the square or the amount of the error has rational gradients, which are found exactly (kind "rational"). All
others are enclosed (kind "ball"), with as many bits as it takes until the balls are far below the bounds that they are
to judge. A comparison that a ball leaves undecided, at a kink, is counted, and both branches are enclosed.

Weights and batch are exact as given, constants the double nearest to the decimal written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import prod
from typing import Any, Literal

import numpy as np

from harness.arithmetic.bounded import Floats
from harness.arithmetic.entries import Numbers
from harness.arithmetic.rationals import IrrationalError, Operations, Rationals
from harness.arithmetic.true_values import INSTALL, TrueTensor
from harness.evaluation.given import as_numbers, named
from harness.usage import UsageError
from impls.contract import Array, Inputs
from impls.graph import Graph, Link, evaluate

Watch = Callable[[int, int], None] | None

FIRST_BITS, MOST_BITS = 128, 2048
"""Precisions are tried from the first to the last, doubled each time. Bounds are those of float64 arithmetic, so the
first serves unless an argument is very close to a kink. Where the last does not serve, it is taken for a tie."""

BITS_UNASKED = 256
"""The precision where neither one nor a bound is given."""

MOST_BYTES = 4 * 2**30
"""What balls may take of the memory."""

MOST_MULTIPLY_ADDS = {True: 100_000_000, False: 1_000_000}
"""Up to how many in one pass rationals are taken, with python-flint and without: some seconds."""


class CannotCertifyError(UsageError):
    """The true values of a network cannot be found here; the message says why, and what to do instead."""


@dataclass(frozen=True)
class Truth:
    """Every tensor of one pass, true.

    Attributes:
        kind: rational (every radius is 0) or ball.
        bits: of the balls' midpoints; None for rationals.
        undecided: comparisons that the balls left undecided.
        tensors: by name: z1, a1, ..., loss, dz2, dW2, ...
        wide: tensors whose balls are not far below the bounds that they are to judge.
        shortfall: which these are, and why.
    """

    kind: Literal["rational", "ball"]
    bits: int | None
    undecided: int
    tensors: Mapping[str, TrueTensor]
    wide: tuple[str, ...] = ()
    shortfall: str | None = None

    @property
    def judging(self) -> dict[str, TrueTensor]:
        """The tensors that are known sharply enough to judge by."""
        return {name: tensor for name, tensor in self.tensors.items() if name not in self.wide}


def true_tensors(
    network: Graph,
    weights: Mapping[str, Array],
    x: Array | Inputs,
    y: Array,
    *,
    bits: int | None = None,
    below: Mapping[str, Floats] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Truth:
    """The true value of every tensor that the network's links give.

    Args:
        network: its links are run, forward, loss and backward.
        weights, x, y: exact as given, finite; labels stay whole numbers.
        bits: a precision; then balls are taken whatever the network is. If None, rationals are taken where the network
            allows it, and else balls of a precision that fits `below`.
        below: bounds by tensor, of its shape. Precision grows until every ball's radius is at most 2^-53 of the bound
            of its entry, or until MOST_BITS; then `Truth.shortfall` says what is missing.
        watch: called after each link with the links done and all of them.

    Raises:
        CannotCertifyError: python-flint is needed and missing, or the balls would take more than MOST_BYTES.
    """
    given, rows = named(network, weights, x, y), len(y)
    if not all(np.all(np.isfinite(array)) for array in given.values()):
        raise CannotCertifyError("Cannot find true values, because weights or data are not finite; give finite ones.")
    why = "a precision in bits is asked for" if bits is not None else why_irrational(network, rows)
    if why is None:
        return Truth("rational", None, 0, _tensors(network, Rationals(), given, watch))
    _refuse_unless_balls(why, network, rows, bits or FIRST_BITS)
    if bits is not None or below is None:
        return _within(network, bits or BITS_UNASKED, given, watch)
    tried = FIRST_BITS
    while True:
        truth = _within(network, tried, given, watch)
        wide = [name for name, bound in below.items() if not np.all(truth.tensors[name].far_below(bound))]
        if not wide:
            return truth
        more = 2 * tried
        if more > MOST_BITS or memory(network, rows, more) > MOST_BYTES:
            return replace(truth, wide=tuple(wide), shortfall=_shortfall(truth, wide, network, rows))
        tried = more


def assumption() -> str:
    """What true values take for granted, for the ledger of a run."""
    return (
        f"truth: weights and batch exact as given, constants the nearest double; the hand code in exact rationals, or "
        f"in python-flint's balls of {FIRST_BITS} to {MOST_BITS} bits"
    )


def refuse_uncertifiable(network: Graph, rows: int) -> None:
    """Raise CannotCertifyError unless the network's true values can be found here, for so many rows."""
    why = why_irrational(network, rows)
    if why is not None:
        _refuse_unless_balls(why, network, rows, FIRST_BITS)


def why_irrational(network: Graph, rows: int) -> str | None:
    """Why rationals will not do, in words that follow "because"; None if they will.

    Every link is tried on one row of ones, no product of matrices multiplied out: that is every operation there is.
    """
    numbers = Operations()
    given = [t for t in network.tensors.values() if t.role in ("input", "target", "weight", "buffer")]
    ones = {t.name: np.zeros(t.sized(1), int) if t.whole else np.ones(t.sized(1)) for t in given}
    try:
        exact_tensors(network, numbers, ones)
    except IrrationalError as error:
        return f"{error.function} is irrational"
    most, asked = MOST_MULTIPLY_ADDS[numbers.flint], network.multiply_adds(rows)
    return f"{asked:,} multiply-adds are too many for exact rationals" if asked > most else None


def memory(network: Graph, rows: int, bits: int) -> int:
    """About how many bytes the balls of one pass take, measured and rounded up."""
    forward = sum(prod(network.tensors[name].sized(rows)) for name in network.activations)
    entries = 2 * sum(map(prod, network.weights.values())) + 4 * forward
    return entries * (200 + bits // 8)


def _refuse_unless_balls(why: str, network: Graph, rows: int, bits: int) -> None:
    if find_spec("flint") is None:
        raise CannotCertifyError(
            f"Cannot find the true values of this network, because {why}, and balls need python-flint, which is not "
            f"installed; {INSTALL}."
        )
    if memory(network, rows, bits) > MOST_BYTES:
        raise CannotCertifyError(
            f"Cannot find the true values of this network, because its balls would take about "
            f"{memory(network, rows, bits) / 2**30:.1f} GB of memory and {MOST_BYTES / 2**30:g} GB are allowed; choose "
            f"smaller layers or a smaller batch."
        )


def _within(network: Graph, bits: int, given: Mapping[str, Array], watch: Watch) -> Truth:
    from harness.arithmetic.balls import Balls

    numbers = Balls(bits)
    tensors = _tensors(network, numbers, given, watch)
    return Truth("ball", bits, numbers.undecided, tensors)


def exact_tensors(network: Graph, numbers: Numbers, given: Mapping[str, Array], watch: Watch = None) -> dict[str, Any]:
    """Everything that the links of one pass read or give, by name, in numbers of this kind."""
    place = {link.output: number for number, link in enumerate(network.links, 1)}

    def told(link: Link, value: Any) -> Any:
        if watch is not None:
            watch(place[link.output], len(place))
        return value

    return evaluate(network.links, as_numbers(network, given, numbers.exact), passed_on=told)


def _tensors(network: Graph, numbers: Numbers, given: Mapping[str, Array], watch: Watch) -> dict[str, TrueTensor]:
    tensors = exact_tensors(network, numbers, given, watch)
    return {name: TrueTensor(tensors[name]) for name in network.link}


def _shortfall(truth: Truth, wide: list[str], network: Graph, rows: int) -> str:
    assert truth.bits is not None
    more = 2 * truth.bits
    limit = (
        "the most that are tried"
        if more > MOST_BITS
        else f"and {more} would take about {memory(network, rows, more) / 2**30:.1f} GB of memory, more than is allowed"
    )
    kinks = f"; comparisons undecided: {truth.undecided}" if truth.undecided else ""
    return f"balls around {', '.join(wide)} are not far below their bounds with {truth.bits} bits, {limit}{kinks}"
