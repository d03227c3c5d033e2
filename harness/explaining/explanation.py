"""A derivative explained: everything that text shows and JSON holds. A number that does not exist is None."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
from msgspec import to_builtins

from harness.results.printable import Printable

SCHEMA = 1
LAYOUT = "W has shape (n_in, n_out), z = x W + b; torch.nn.Linear keeps W transposed"


@dataclass(frozen=True)
class PathExplanation(
    Printable, text="harness.explaining.screen:rendered", notebook="harness.explaining.screen:notebook"
):
    """One derivative of the loss, path by path.

    Attributes:
        weight: what the derivative is taken with respect to, as formulas write it; `name` as the code does.
        kind: weight, bias, input or output.
        value: its value; `leads` says between what it stands.
        network, loss, data, optimizer, seed, step, dtype: what was asked.
        sample: the one explained, counted from 0, or None for the sum over the batch.
        samples, batch: how many the data has, and how many are explained together.
        inputs, target, loss_value: of that sample; the loss is that of the batch otherwise. Of a graph by name.
        drawing: its lines. formula: factored, and path by path. columns: names of a path's factors. Where paths part
            nothing is factored, and each path has factors of its own: no columns.
        routes_count, count: number of routes, and of paths in all samples.
        paths: all of them, or the largest; `others` what is not listed.
        routes: their sums over the batch; None where there are too many, or one sample. other_routes: not listed.
        dominant: the samples that contribute most; other_samples: the others.
        factors: where the factors of the listed paths, or of the largest, come from.
        total: the derivative, the sum of all paths; `magnitude` is the sum of their absolute values.
        cancellation: magnitude / |total|, None where total is 0.
        update: what the optimizer makes of it. nudge: what moving the variable does.
        notes: sentences about this derivative. conventions: how indices are counted.
    """

    weight: str
    name: str
    kind: str
    short: str
    value: float
    leads: str
    network: str
    loss: str
    data: str
    optimizer: str
    seed: int
    step: int
    sample: int | None
    samples: int
    batch: int
    inputs: list[Any] | dict[str, Any] | None
    target: float | int | list[float] | None
    loss_value: float
    drawing: list[str]
    formula: dict[str, list[str]]
    columns: list[str]
    routes_count: int
    count: int
    paths: list[PathRow]
    others: Rest
    routes: list[RouteRow] | None
    other_routes: Rest | None
    dominant: list[SampleRow]
    other_samples: Rest | None
    factors: list[Factor]
    total: float
    magnitude: float
    cancellation: float | None
    update: Update | None
    nudge: Nudge | None
    notes: list[str]
    dtype: str = "float64"
    conventions: tuple[str, ...] = (LAYOUT,)
    _ways: Callable[[], list[Way]] = field(default=list, repr=False, compare=False)

    @cached_property
    def ways(self) -> list[Way]:
        """The same derivative by every way there is; found when it is first asked for, since it loads frameworks."""
        return self._ways()

    @property
    def reference(self) -> Way:
        """What the ways are compared with: the exact derivative, or the matrix backward pass where there is none."""
        return self.ways[-1] if self.ways[-1].value is not None else self.ways[1]

    @property
    def exit(self) -> int:
        """1 if one of the ways is further from the reference than rounding allows, else 0."""
        return int(any(way.outside for way in self.ways))

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness explain --json``."""
        own = {name: value for name, value in vars(self).items() if name not in ("_ways", "ways", "conventions")}
        return {
            "schema": SCHEMA,
            "conventions": list(self.conventions),
            **to_builtins(own),
            "ways": to_builtins(self.ways),
            "reference": self.reference.way,
            "exit": self.exit,
        }


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
