"""The parts of an explanation: what text shows and JSON holds. A number that does not exist is None."""

from __future__ import annotations

import msgspec


class PathRow(msgspec.Struct, frozen=True):
    """One path: its sample, the nodes from start to loss, a factor for each step between two, their product."""

    sample: int
    route: list[str]
    factors: list[float]
    product: float


class Rest(msgspec.Struct, frozen=True):
    """How many are not listed, and what they sum to."""

    count: int
    sum: float


class RouteRow(msgspec.Struct, frozen=True):
    """One route, and the sum of its paths over all samples."""

    route: list[str]
    sum: float


class SampleRow(msgspec.Struct, frozen=True):
    """One sample, the sum of its paths, and its share of the sum over all samples of such magnitudes."""

    sample: int
    sum: float
    share: float | None


class Factor(msgspec.Struct, frozen=True):
    """Where one factor of a path comes from: its formula, the same with numbers, its value."""

    name: str
    sample: int
    formula: str
    numbers: str
    value: float


class Way(msgspec.Struct, frozen=True):
    """The derivative found in one way.

    Attributes:
        value: None where that way cannot be gone, and `reason` says why.
        difference: value minus the reference, the exact derivative where that can be had.
        allowed: how far from the exact derivative rounding can bring it, derived; of the exact one its radius.
        estimate: whether `allowed` is no bound but an estimate, a central difference's own.
        outside: whether it is further off than that; None for an estimate and for the reference.
        digits: of the exact derivative, more than a float has, and its radius.
    """

    way: str
    value: float | None = None
    difference: float | None = None
    allowed: float | None = None
    estimate: bool = False
    outside: bool | None = None
    digits: str | None = None
    reason: str | None = None


class UpdateRow(msgspec.Struct, frozen=True):
    """One line of a weight's update: what is computed, its formula, the same with numbers, its value."""

    name: str
    formula: str
    numbers: str
    value: float


class Update(msgspec.Struct, frozen=True):
    """The weight's own update with this derivative: old value, learning rate, new value, line by line."""

    optimizer: str
    old: float
    lr: float | None
    new: float
    rows: list[UpdateRow]


class Moved(msgspec.Struct, frozen=True):
    """What a nudge does to one node: value before and after, true change, and change to first order."""

    name: str
    before: float
    after: float
    change: float
    first_order: float


class Nudge(msgspec.Struct, frozen=True):
    """What moving the variable does to every output on the listed paths, of one sample, and to the loss.

    Attributes:
        amount: how far it was moved.
        along_paths: for each listed path its product times the amount; `others` is the same of those not listed.
        first_order: the sum of all these, which is the derivative times the amount.
        remainder: the loss's true change minus that, and `remainder_at_half` the same at half the amount.
        rounding: how much of the remainder rounding can be; None where nothing is bounded.
    """

    amount: float
    sample: int
    nodes: list[Moved]
    loss: Moved
    along_paths: list[float]
    others: float
    first_order: float
    remainder: float
    remainder_at_half: float
    rounding: float | None
