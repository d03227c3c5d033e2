"""Profiles: the class of programs whose rounding errors a bound covers.

A profile describes every program that evaluates the same expression and

    rounds each elementary operation with unit roundoff u (division may multiply by a reciprocal),
    sums in any order, blocked, split or fused, accumulating with u_acc products, with u_sum what is summed along an
        axis, with u_met what meets at an entry,
    evaluates elementary functions within the constants table,
    may flush to zero what is below eta, the smallest normal number,
    may contract a product and the sum that reads it into one operation, unless it is eager.

Contraction within a link is no more than a rounding left out. Across links it matters: a program that shows
a tensor may itself have added the product before it was rounded (XLA does, in a kernel of its own), so that the
sum does not follow from the tensor shown to better than that rounding. An eager program rounds each result.

Numbers narrower than float32 are rarely what a program computes with throughout. Its implementation says link by link
how it does (`impls.contract.Arithmetic`). What is composed of operations rounds each result, and accumulates in a
format of its own: u is that of the dtype. One kernel computes in float32 and rounds what it gives once: u is that of
float32, and what a link gives is `stored`.

Source of the model: Higham, "Accuracy and Stability of Numerical Algorithms" (2002), sections 2.2 and
2.4; flush-to-zero as an absolute term of the same size for every operation, additions included.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from harness.arithmetic.tensor_cores import BlockDot, block_at, block_of
from harness.formats import FORMATS, Format
from impls.contract import CPU, Arithmetic

ArithmeticOf = Callable[[Any, str], Arithmetic]
"""From a layer, and what it calls what a link gives, to how that is computed: `impls.contract.StatesArithmetic`."""

UNIT_ROUNDOFF_64 = 2.0**-53
"""Unit roundoff of float64, in which centres and bounds are themselves computed."""

WIDE = "float32"
"""What kernels compute in, and the narrowest dtype that is computed with throughout."""

ANY = Arithmetic(products=WIDE)
"""Of whoever does not say: NumPy, PyTorch and JAX together."""

ANYWHERE = Arithmetic()
"""Of any part of a pass on the CPU."""


@dataclass(frozen=True)
class Profile:
    """Arithmetic of one dtype.

    Attributes:
        dtype: name of the dtype in which values are stored.
        u: unit roundoff of one operation, relative.
        u_acc, u_sum, u_met: unit roundoff of an accumulation: of products, along an axis, of what meets at an entry.
        eta: absolute error that underflow or flush-to-zero may add to any operation.
        largest: largest finite number; beyond it nothing is bounded.
        computes: the format that operations compute in, to tell which constants are exact.
        constants: error of each elementary function in units of u, relative, or absolute where the
            table says so.
        besides: of those that are off by more near 0, so many absolute u.
        eager: whether every operation rounds what the next one reads.
        block: the instruction that matrix products are made of, where it is no multiplication and addition.
        stored: u, eta and largest of what a link gives, where it is rounded once more when it is kept.
        u_kept: unit roundoff with which mean and deviation are kept for a gradient, 0 where as they were computed.
        unrounded: what a program shows may be off from what it went on with by so many of itself.
        arithmetic: from a layer and what it calls what a link gives to how that is computed.
        device: whose elementary functions these are.
        whole: how any part of a pass computes, for what is followed from end to end.
    """

    dtype: str
    u: float
    u_acc: float
    u_sum: float
    u_met: float
    eta: float
    largest: float
    computes: Format
    constants: Mapping[str, float] = field(hash=False)
    besides: Mapping[str, float] = field(hash=False)
    eager: bool = False
    block: BlockDot | None = None
    stored: tuple[float, float, float] | None = None
    u_kept: float = 0.0
    unrounded: float = 0.0
    arithmetic: ArithmeticOf | None = None
    device: str = CPU
    whole: Arithmetic = ANYWHERE

    def of(self, layer: Any, local: str) -> Profile:
        """That of the link that gives what a layer calls `local`."""
        return self if self.arithmetic is None else profile_of(self.dtype, self.eager, self.arithmetic(layer, local))

    @property
    def lost_reciprocal(self) -> float:
        """1/x in units of eta, where x may have overflowed and it is 0."""
        return max(1.0, 1 / (self.largest * self.eta)) if self.eta else 1.0

    @property
    def meeting(self) -> int:
        """One rounding where parts meet, in units of u of an accumulation of products."""
        return math.ceil(self.u_met / self.u_acc) if self.u_acc else 1

    def roundings_after(self, u_acc: float) -> float:
        """How often what was accumulated is rounded in the end: not at all where that was its last addition."""
        return float(u_acc < self.u)

    def assumptions(self) -> list[str]:
        """The ledger: what the bounds of this profile take for granted, a sentence each."""
        table = ", ".join(f"{name} {value:g}" for name, value in self.constants.items())
        exhaustive = any(entry["provenance"] == "exhaustive" for entry in constants_table()[self.dtype].values())
        kind = "exhaustive on all floats, division and power sampled" if exhaustive else "sampled, rounded up"
        on = "" if self.device == CPU else f" on {self.device}"
        if on:
            kind = "as the CPU's, or as NVIDIA states them, without guarantee, where those are larger"
        return [
            f"{self.dtype}: rounding to nearest, unit roundoff of operands, accumulation and storage "
            f"2^{_exponent(self.u)}, 2^{_exponent(self.u_acc)} and 2^{_exponent(self.u)}",
            *self._accumulations(),
            f"{self.dtype}: sums and matrix products in any order, fused or not; no Winograd, Strassen or FFT",
            *([f"{self.dtype}: matrix products of instructions that are {self.block}"] if self.block else []),
            f"{self.dtype}: results and operands below 2^{_exponent(self.eta)} may be flushed to zero",
            f"{self.dtype}: elementary functions{on} within these multiples of u ({kind}): {table}",
            f"{self.dtype}: implementations that do not say that they are eager may contract a product and the sum "
            f"that reads it",
            f"{self.dtype}: formula unions for sigmoid', tanh', elu', softplus, silu, gelu and their derivatives, "
            f"softmax, log-softmax, cross-entropies, huber, layer norm and batch norm and their gradients, attention's "
            f"scores and masks, rsqrt', quotients, moving averages, Adam's direction, AdamW's step",
        ]

    def _accumulations(self) -> list[str]:
        of = FORMATS[self.dtype]
        if of.digits >= FORMATS[WIDE].digits:
            return []
        rounds = f"each link computed in {WIDE} and rounded once" if self.stored else "every operation rounded"
        return [
            f"{self.dtype}: {rounds}, to 2^{_exponent(of.u)}, but for kernels that say otherwise; unit roundoff of a "
            f"sum along an axis 2^{_exponent(self.u_sum)}, of what is added where parts meet "
            f"2^{_exponent(self.u_met)}: `harness doctor` measures both"
        ]


def _exponent(power: float) -> int:
    return int(power.hex().split("p")[1])


@cache
def constants_table() -> dict[str, Any]:
    """The table of elementary functions, with provenance, as shipped."""
    text = files("harness.arithmetic").joinpath("constants.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def profile_of(dtype: str, eager: bool = False, arithmetic: Arithmetic = ANY) -> Profile:
    """The profile of a dtype, of NumPy, PyTorch and JAX together on the CPU unless an implementation says how it is.

    Args:
        eager: see `Profile`.
        arithmetic: how numbers narrower than float32 are computed with, and what is done on which device.

    Raises:
        ValueError: the arithmetic of these tensor cores is not known.
    """
    own, of = _own(dtype, eager, arithmetic), FORMATS[dtype]
    narrow = of.digits < FORMATS[WIDE].digits
    products, sums, meetings = accumulators = [
        FORMATS[name] if name is not None and (narrow or FORMATS[name].digits < FORMATS[WIDE].digits) else of
        for name in (arithmetic.products, arithmetic.sums, arithmetic.meetings)
    ]
    within, stored, rounded = own, None, of.u if narrow else 0.0
    if narrow and arithmetic.within is not None:
        kernel = profile_of(arithmetic.within, eager, replace(ANY, device=arithmetic.device))
        within, stored = replace(kernel, dtype=dtype, block=own.block), (of.u, _lost(of), of.largest)
        accumulators = [products, sums]  # parts meet outside of it
    # What is added up in less than what a link computes in is rounded, and overflows, as it does.
    formats = [within.computes, *accumulators]
    return replace(
        within, u_acc=products.u, u_sum=sums.u, u_met=meetings.u, eta=max(map(_lost, formats)),
        largest=min(each.largest for each in formats), stored=stored,
        unrounded=rounded if arithmetic.unrounded else 0.0, u_kept=rounded if arithmetic.rounds_statistics else 0.0,
    )  # fmt: skip


def _own(dtype: str, eager: bool, arithmetic: Arithmetic) -> Profile:
    """That of a dtype which is computed with throughout."""
    entries = constants_table()[dtype] | constants_table()["devices"].get(arithmetic.device, {}).get(dtype, {})
    constants = {
        name: entry["relative"] if "relative" in entry else entry["absolute"] for name, entry in entries.items()
    }
    besides = {name: entry["absolute"] for name, entry in entries.items() if {"relative", "absolute"} <= entry.keys()}
    of = FORMATS[dtype]
    return Profile(
        dtype=dtype, u=of.u, u_acc=of.u, u_sum=of.u, u_met=of.u, eta=of.smallest_normal, largest=of.largest,
        computes=of, constants=constants, besides=besides, eager=eager, device=arithmetic.device,
        block=None if arithmetic.cores is None else block_at(dtype, *arithmetic.cores),
    )  # fmt: skip


def _lost(of: Format) -> float:
    """What underflow, or a flush to zero, may do to a number of a format."""
    if of.digits >= FORMATS[WIDE].digits:
        return of.smallest_normal
    # It is computed in float32, and flushed where float32 is: subnormals of float16 are normal numbers there.
    return max(FORMATS[WIDE].smallest_normal, of.smallest_subnormal / 2)


def stated_profile(
    dtype: str, arithmetic: ArithmeticOf, places: Iterable[tuple[Any, str]], eager: bool = False
) -> Profile:
    """The profile of programs that state how each of their links is computed.

    Args:
        places: of the links, a layer and what it calls what the link gives.

    Raises:
        ValueError: see `profile_of`.
    """
    of_any, places = arithmetic(None, ""), list(places)
    profile, stated = profile_of(dtype, eager, of_any), Stated(arithmetic, places)
    if of_any.device == CPU:
        return profile if FORMATS[dtype].digits >= FORMATS[WIDE].digits else replace(profile, arithmetic=stated)
    whole = Arithmetic(device=of_any.device, cores=cores_among(arithmetic, places))
    return replace(profile, arithmetic=stated, whole=whole)


@dataclass(frozen=True, eq=False)
class Stated:
    """How links are computed, as an implementation says it; where there is no such implementation, as it said it."""

    arithmetic: ArithmeticOf
    places: Sequence[tuple[Any, str]]

    def __call__(self, layer: Any, local: str) -> Arithmetic:
        """Of one link."""
        return self.arithmetic(layer, local)

    def __reduce__(self) -> tuple[Any, ...]:
        """Of the rules of an optimizer it is as of no layer."""
        return Tabulated, ({place: self(*place) for place in self.places}, self(None, ""))


@dataclass(frozen=True, eq=False)
class Tabulated:
    """How links are computed, by their places, and how what has none."""

    table: Mapping[tuple[Any, str], Arithmetic]
    other: Arithmetic

    def __call__(self, layer: Any, local: str) -> Arithmetic:
        """Of one link."""
        return self.table.get((layer, local), self.other)


def cores_among(arithmetic: ArithmeticOf, places: Iterable[tuple[Any, str]]) -> tuple[tuple[int, int], str] | None:
    """The tensor cores on which some of these links make products: see `impls.contract.Arithmetic`."""
    return next(filter(None, (arithmetic(layer, local).cores for layer, local in places)), None)


def on_tensor_cores(profile: Profile, architecture: str, operands: str) -> Profile:
    """The profile of programs whose matrix products are made on tensor cores: see `block_of`."""
    return replace(profile, block=block_of(profile.dtype, architecture, operands))
